"""Links: whoever has one sees what it shows until it ends, and nothing else."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from core import metadata
from engine.accounts import Installation, Person
from runtime.instance import Instance

Save = Callable[..., Awaitable[dict[str, Any]]]
Put = Callable[..., Awaitable[httpx.Response]]
Join = Callable[..., Awaitable[Person]]
PASSWORD = "open sesame, open wide"
SOON = (datetime.now(UTC) + timedelta(days=7)).isoformat()


def _tile(name: str, insight_id: int, y: int = 0) -> dict[str, Any]:
    return {"kind": "insight", "id": name, "x": 0, "y": y, "width": 4, "height": 1, "insight_id": insight_id}


@pytest.fixture
async def board(save: Save, project: str) -> dict[str, Any]:
    """Return a dashboard that shows figures, persons, traits of persons, and a text."""
    hidden = [{"trait": "plan", "operator": "is", "value": "ada@example.com"}]
    series = [{"name": "buyers", "event": "purchase", "measure": "persons", "where": hidden}]
    trend = {"kind": "trend", "from": "2025-03-01", "to": "2025-04-01", "series": series}
    figures = await save(name="Figures", query=trend)
    persons = await save(name="Persons", query={"kind": "persons"})
    traits = await save(name="Traits", query=trend | {"breakdown": [{"trait": "email"}]})
    note = {"kind": "text", "id": "note", "x": 4, "y": 0, "width": 4, "height": 1, "text": "Hello"}
    shown = [_tile("figures", figures["id"]), _tile("persons", persons["id"], 1), _tile("traits", traits["id"], 2)]
    made = await save("dashboards", name="Board", tiles=[*shown, note])
    return made | {"project": project, "figures": figures["id"], "persons": persons["id"], "traits": traits["id"]}


@pytest.fixture
def share(shop: Person, project: str) -> Callable[..., Awaitable[dict[str, Any]]]:
    """Return a way to make a link."""

    async def shared(object_id: int, **said: Any) -> dict[str, Any]:
        response = await shop.client.post(f"{project}/saved/{object_id}/links", json={"expires_at": SOON} | said)
        assert response.status_code == 201, response.text
        return response.json() | {"token": response.json()["url"].partition("#shared=")[2]}

    return shared


Share = Callable[..., Awaitable[dict[str, Any]]]


async def _open(installation: Installation, token: str, **said: Any) -> httpx.Response:
    return await installation.browser().post("/v1/shared/open", json={"token": token} | said)


async def _opened(installation: Installation, token: str, **said: Any) -> httpx.AsyncClient:
    response = await _open(installation, token, **said)
    assert response.status_code == 200, response.text
    return installation.browser(authorization=f"Bearer {response.json()['access_token']}")


async def test_whoever_has_a_link_sees_figures_without_questions_or_persons(
    installation: Installation, board: dict[str, Any], share: Share
) -> None:
    viewer = await _opened(installation, (await share(board["id"]))["token"])
    shown = await viewer.get("/v1/shared")
    tiles = {tile["id"]: tile for tile in shown.json()["tiles"]}
    assert {name: tile.get("query_kind") for name, tile in tiles.items()} == {
        "figures": "trend",
        "persons": None,
        "traits": None,
        "note": None,
    }
    answer = await viewer.get("/v1/shared/result", params={"tile": "figures"})
    assert set(answer.json()) == {"kind", "data", "computed_at", "fresh_until"}
    assert answer.json()["data"]["lines"]
    for response in (shown, answer):
        for secret in ("ada@example.com", "insight_id", "select", "@"):
            assert secret not in response.text
    for tile, status in (("persons", 422), ("traits", 422), ("note", 404), ("missing", 404)):
        assert (await viewer.get("/v1/shared/result", params={"tile": tile})).status_code == status
    assert (await viewer.get("/v1/shared/result")).status_code == 404


async def test_a_tile_whose_insight_is_in_the_trash_says_so_to_who_has_a_link(
    installation: Installation, shop: Person, board: dict[str, Any], share: Share
) -> None:
    viewer = await _opened(installation, (await share(board["id"]))["token"])
    await shop.client.delete(f"{board['project']}/saved/{board['figures']}")
    tiles = {tile["id"]: tile for tile in (await viewer.get("/v1/shared")).json()["tiles"]}
    assert (tiles["figures"]["query_kind"], tiles["figures"]["is_in_trash"]) == (None, True)
    assert tiles["persons"]["is_in_trash"] is False
    refused = await viewer.get("/v1/shared/result", params={"tile": "figures"})
    assert (refused.status_code, refused.json()["code"]) == (404, "not_found")
    assert "recover" not in refused.text


async def test_a_link_to_an_insight_shows_this_one(
    installation: Installation, board: dict[str, Any], share: Share
) -> None:
    viewer = await _opened(installation, (await share(board["figures"]))["token"])
    shown = (await viewer.get("/v1/shared")).json()
    assert (shown["kind"], shown["query_kind"], shown["tiles"]) == ("insight", "trend", [])
    assert (await viewer.get("/v1/shared/result")).json()["kind"] == "trend"
    assert (await viewer.get("/v1/shared/result", params={"tile": "figures"})).status_code == 404


async def test_a_link_opens_nothing_else(
    installation: Installation, project: str, board: dict[str, Any], share: Share
) -> None:
    viewer = await _opened(installation, (await share(board["id"]))["token"])
    for path in (
        f"{project}/dashboards/{board['id']}",
        f"{project}/saved",
        "/v1/projects",
        "/v1/me",
        f"{project}/links",
    ):
        assert (await viewer.get(path)).status_code == 401, path
    assert (await viewer.post(f"{project}/query", json={"kind": "lifecycle", "last": 3})).status_code == 401


async def test_tokens_that_were_not_given_open_nothing(
    installation: Installation, shop: Person, board: dict[str, Any], share: Share
) -> None:
    first, second = await share(board["id"]), await share(board["figures"])
    signature = first["token"].rpartition("_")[2]
    for token in (
        f"sl_{second['id']}_{signature}",
        f"sl_{first['id']}_{'0' * 64}",
        f"sl_999999999_{signature}",
        f"sl_99999999999_{signature}",
        first["token"].upper(),
        first["token"] + "0",
        "x",
        "sl_1_é",
    ):
        assert (await _open(installation, token)).status_code == 404, token
    access = (await _open(installation, first["token"])).json()["access_token"]
    _, number, until, signed = access.split("_")
    for token in (
        f"sv_{second['id']}_{until}_{signed}",
        f"sv_{number}_{int(until) + 3600}_{signed}",
        f"sv_{number}_999999999999_{signed}",
        f"sv_{number}_0_{signed}",
        first["token"],
        shop.client.cookies.get("radixinsight") or "",
    ):
        response = await installation.browser(authorization=f"Bearer {token}").get("/v1/shared")
        assert (response.status_code, response.json()["code"]) == (401, "link_not_opened"), token
    assert (await _open(installation, access)).status_code == 404
    assert (await shop.client.get("/v1/shared")).status_code == 401, "a cookie opens no link"


async def test_a_revoked_link_shows_nothing_at_once(
    installation: Installation, shop: Person, project: str, board: dict[str, Any], share: Share
) -> None:
    link = await share(board["id"])
    viewer = await _opened(installation, link["token"])
    (listed,) = (await shop.client.get(f"{project}/links", params={"object_id": board["id"]})).json()["links"]
    assert (listed["id"], listed["url"], listed["has_password"]) == (link["id"], link["url"], False)
    path = f"{project}/links/{link['id']}"
    assert (await shop.client.delete(path)).status_code == 204
    assert (await shop.client.delete(path)).status_code == 404
    assert (await viewer.get("/v1/shared")).json()["code"] == "link_unknown"
    result = await viewer.get("/v1/shared/result", params={"tile": "figures"})
    assert (result.status_code, result.json()["code"]) == (404, "link_unknown")
    _, number, until, signed = viewer.headers["authorization"].split("_")
    forged = installation.browser(authorization=f"Bearer sv_{number}_{int(until) + 1}_{signed}")
    assert (await forged.get("/v1/shared")).json()["code"] == "link_not_opened"
    assert (await _open(installation, link["token"])).status_code == 404


async def test_a_link_ends_when_it_expires_and_when_what_it_shows_is_deleted(
    installation: Installation, runtime: Instance, shop: Person, board: dict[str, Any], share: Share
) -> None:
    link, other = await share(board["id"]), await share(board["figures"])
    viewer = await _opened(installation, link["token"])
    engine = metadata.connect(runtime.database_url)
    with engine.begin() as connection:
        past = text("update shared_links set expires_at = now() where id = :id")
        connection.execute(past, {"id": link["id"]})
    engine.dispose()
    assert (await viewer.get("/v1/shared")).json()["code"] == "link_unknown"
    assert (await _open(installation, link["token"])).status_code == 404
    await shop.client.delete(f"{board['project']}/saved/{board['figures']}")
    assert (await _open(installation, other["token"])).status_code == 404


async def test_a_link_with_a_password_wants_it_and_counts_attempts(
    installation: Installation, runtime: Instance, board: dict[str, Any], share: Share
) -> None:
    link = await share(board["id"], password=PASSWORD)
    assert link["has_password"]
    assert (await _open(installation, link["token"])).json()["code"] == "link_password_wrong"
    browser = installation.browser()
    codes: list[int] = []
    for _ in range(installation.settings.sign_in_attempts + 1):
        body = {"token": link["token"], "password": "guessed"}
        codes.append((await browser.post("/v1/shared/open", json=body)).status_code)
    assert codes == [401] * installation.settings.sign_in_attempts + [429]
    right = {"token": link["token"], "password": PASSWORD}
    assert (await browser.post("/v1/shared/open", json=right)).status_code == 429
    viewer = await _opened(installation, link["token"], password=PASSWORD)
    assert (await viewer.get("/v1/shared")).status_code == 200
    engine = metadata.connect(runtime.database_url)
    with engine.connect() as connection:
        stored = connection.execute(text("select password_hash from shared_links where id = :id"), {"id": link["id"]})
        assert str(stored.scalar_one()).startswith("$argon2id$")
    engine.dispose()


async def test_only_what_may_be_taken_out_is_shared_and_for_a_while(
    shop: Person, project: str, board: dict[str, Any], join: Join
) -> None:
    async def tried(object_id: int, **said: Any) -> str:
        response = await shop.client.post(f"{project}/saved/{object_id}/links", json={"expires_at": SOON} | said)
        return response.json()["code"]

    assert await tried(board["persons"]) == "not_shareable"
    assert await tried(board["traits"]) == "not_shareable"
    assert await tried(board["id"], expires_at="2020-01-01T00:00:00Z") == "link_expiry"
    assert await tried(board["id"], expires_at="2120-01-01T00:00:00Z") == "link_expiry"
    assert await tried(board["id"], password="short") == "password_too_weak"
    assert await tried(2**31 - 1) == "not_found"
    writing = {"name": "writer", "permissions": ["project:read", "data:query", "insights:write"]}
    await shop.client.post(f"{shop.path}/roles", json=writing)
    writer = await join(shop, "writer")
    for method, path in (("POST", f"{project}/saved/{board['id']}/links"), ("GET", f"{project}/links")):
        refused = await writer.client.request(method, path, json={"expires_at": SOON})
        assert (refused.status_code, refused.json()["permission"]) == (403, "data:export")
    blind = {"name": "blind", "permissions": ["project:read", "data:export", "insights:write"]}
    await shop.client.post(f"{shop.path}/roles", json=blind)
    refused = await (await join(shop, "blind")).client.get(f"{project}/links")
    assert (refused.status_code, refused.json()["permission"]) == (403, "data:query")


async def test_a_link_works_from_the_networks_that_the_organisation_allows(
    installation: Installation, runtime: Instance, shop: Person, board: dict[str, Any], share: Share
) -> None:
    link = await share(board["id"])
    view = (await _open(installation, link["token"])).json()["access_token"]
    viewer = installation.browser_at("203.0.113.7", authorization=f"Bearer {view}")
    assert (await viewer.get("/v1/shared")).status_code == 200
    engine = metadata.connect(runtime.database_url)
    networks = text("update organisations set allowed_networks = :networks where id = :id")
    try:
        with engine.begin() as connection:
            # Those from which other tests ask something of the same organisation.
            own = ["10.0.0.0/8", "127.0.0.0/8"]
            connection.execute(networks, {"networks": own, "id": shop.organisation})
        refused = await viewer.get("/v1/shared")
        assert (refused.status_code, refused.json()["code"]) == (403, "address_not_allowed")
        for token, status in ((link["token"], 403), (f"sl_{link['id']}_{'0' * 64}", 404)):
            assert (await viewer.post("/v1/shared/open", json={"token": token})).status_code == status
        assert (await _open(installation, link["token"])).status_code == 200
    finally:
        with engine.begin() as connection:
            connection.execute(networks, {"networks": [], "id": shop.organisation})
        engine.dispose()


async def test_what_is_seen_by_link_stands_in_the_audit_log(
    installation: Installation, shop: Person, board: dict[str, Any], share: Share
) -> None:
    link = await share(board["id"], password=PASSWORD)
    viewer = await _opened(installation, link["token"], password=PASSWORD)
    await viewer.get("/v1/shared/result", params={"tile": "figures"})
    actor = f"link {link['id']}"
    log = (await shop.client.get(f"{shop.path}/audit-log", params={"actor": actor})).json()["entries"]
    assert [(each["actor_kind"], each["action"], each["details"]["path"]) for each in log] == [
        ("link", "data.read", "/v1/shared/result")
    ]
    made = await shop.client.get(f"{shop.path}/audit-log", params={"action": "link.created", "limit": 1})
    assert made.json()["entries"][0]["target_id"] == str(link["id"])
    assert PASSWORD not in made.text
    assert link["token"] not in made.text


async def test_who_changes_what_a_link_shows_is_told_and_so_is_the_audit_log(
    installation: Installation, shop: Person, project: str, board: dict[str, Any], share: Share
) -> None:
    asked = (await shop.client.get(f"{project}/saved-insights/{board['figures']}")).json()
    assert asked["shared_links"] == 0
    link = await share(board["id"])
    await share(board["figures"])
    insight, dashboard = f"{project}/saved-insights/{board['figures']}", f"{project}/dashboards/{board['id']}"
    assert (await shop.client.get(insight)).json()["shared_links"] == 2, "a dashboard with it is shared too"
    assert (await shop.client.get(dashboard)).json()["shared_links"] == 1
    query = asked["query"] | {"total": True}
    changed = await shop.client.put(insight, json={"name": "Sums", "query": query}, headers={"if-match": '"1"'})
    assert changed.json()["shared_links"] == 2
    log = await shop.client.get(f"{shop.path}/audit-log", params={"action": "insight.changed", "limit": 1})
    assert log.json()["entries"][0]["details"]["shared_links"] == 2
    viewer = await _opened(installation, link["token"])
    shown = {tile["id"]: tile for tile in (await viewer.get("/v1/shared")).json()["tiles"]}
    assert shown["figures"]["name"] == "Sums"
    answer = (await viewer.get("/v1/shared/result", params={"tile": "figures"})).json()
    assert len(answer["data"]["lines"][0]["points"]) == 1, "a link shows what it is to as it is now"
    await shop.client.delete(f"{project}/links/{link['id']}")
    assert (await shop.client.get(insight)).json()["shared_links"] == 1
    assert (await shop.client.get(dashboard)).json()["shared_links"] == 0
    await shop.client.delete(f"{project}/saved/{board['figures']}")
    log = await shop.client.get(f"{shop.path}/audit-log", params={"action": "insight.deleted", "limit": 1})
    assert log.json()["entries"][0]["details"] == {"name": "Sums", "shared_links": 1}
