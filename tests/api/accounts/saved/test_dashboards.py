"""Dashboards, the grants for one of them, and annotations."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from engine.accounts import Person

Save = Callable[..., Awaitable[dict[str, Any]]]
Put = Callable[..., Awaitable[httpx.Response]]
Join = Callable[..., Awaitable[Person]]


def _tile(name: str, insight_id: int | None = None, **at: Any) -> dict[str, Any]:
    place = {"id": name, "x": 0, "y": 0, "width": 4, "height": 2} | at
    if insight_id is None:
        return place | {"kind": "text", "text": "**Note**"}
    return place | {"kind": "insight", "insight_id": insight_id}


@pytest.fixture
async def board(save: Save) -> dict[str, Any]:
    """Return a dashboard with a question and a text, and another question that is not on it."""
    asked, other = await save(name="On it"), await save(name="Not on it")
    tiles = [_tile("buyers", asked["id"]), _tile("note", x=4)]
    return {"asked": asked["id"], "other": other["id"]} | await save("dashboards", name="Board", tiles=tiles)


async def test_one_request_gives_a_dashboard_with_what_its_tiles_ask(
    shop: Person, project: str, board: dict[str, Any]
) -> None:
    shown = await shop.client.get(f"{project}/dashboards/{board['id']}")
    assert shown.headers["etag"] == '"1"'
    document = shown.json()
    assert [tile["id"] for tile in document["tiles"]] == ["buyers", "note"]
    (asked,) = document["insights"]
    assert (asked["id"], asked["query"]["kind"]) == (board["asked"], "trend")


async def test_results_are_asked_tile_by_tile(shop: Person, project: str, board: dict[str, Any]) -> None:
    path = f"{project}/dashboards/{board['id']}/tiles"
    answer = (await shop.client.get(f"{path}/buyers/result")).json()
    assert answer["kind"] == "trend"
    assert answer["data"]["lines"]
    for name in ("note", "missing"):
        assert (await shop.client.get(f"{path}/{name}/result")).status_code == 404


async def test_a_tile_whose_insight_is_in_the_trash_says_so_and_who_takes_it_out(
    shop: Person, project: str, board: dict[str, Any]
) -> None:
    await shop.client.delete(f"{project}/saved/{board['asked']}")
    path = f"{project}/dashboards/{board['id']}"
    refused = await shop.client.get(f"{path}/tiles/buyers/result")
    assert (refused.status_code, refused.json()["code"]) == (404, "in_trash")
    detail = refused.json()["detail"]
    assert f"insight {board['asked']} ('On it')" in detail
    recover = f"{project}/trash/{board['asked']}/recover"
    assert "insights:write" in detail
    assert f"POST {recover}." in detail
    shown = (await shop.client.get(path)).json()
    assert shown["insights"] == []
    (trashed,) = shown["insights_in_trash"]
    assert (trashed["id"], trashed["name"], trashed["deleted_by"]) == (board["asked"], "On it", shop.email)
    body = {"name": "Other", "tiles": [_tile("buyers", board["asked"])]}
    (fault,) = (await shop.client.post(f"{project}/dashboards", json=body)).json()["errors"]
    assert (fault["pointer"], fault["kind"]) == ("/tiles/0/insight_id", "in_trash")
    assert (await shop.client.post(recover)).status_code == 200
    assert (await shop.client.get(f"{path}/tiles/buyers/result")).status_code == 200
    assert (await shop.client.get(path)).json()["insights_in_trash"] == []


async def test_a_tile_is_answered_as_its_question_is(
    shop: Person, project: str, save: Save, board: dict[str, Any]
) -> None:
    path = f"{project}/dashboards/{board['id']}/tiles/buyers/result"
    etag = (await shop.client.get(path)).headers["etag"]
    again = await shop.client.get(path, headers={"if-none-match": etag})
    assert (again.status_code, again.content) == (304, b"")
    assert (await shop.client.get(path, params={"format": "csv"})).headers["content-type"].startswith("text/csv")
    assert (await shop.client.get(path, params={"explain": True})).json()["meta"]["plan"]
    persons = await save(name="Persons", query={"kind": "persons"})
    of_persons = await save("dashboards", name="Persons", tiles=[_tile("persons", persons["id"])])
    await shop.client.get(f"{project}/dashboards/{of_persons['id']}/tiles/persons/result")
    log = (await shop.client.get(f"{shop.path}/audit-log", params={"limit": 20, "actor": shop.email})).json()["entries"]
    read = [each["details"] for each in log if each["action"] == "data.read"]
    (noted,) = [each for each in read if each["path"].endswith("/persons/result")]
    assert (noted["permission"], noted["asked"]["text"]) == ("persons:read", '{"kind":"persons"}')
    noted = [each["permission"] for each in read if each["path"].endswith("/buyers/result")]
    assert sorted(noted) == ["data:export", *["data:query"] * 4]


@pytest.mark.parametrize(
    "tiles",
    [
        [_tile("a", x=9)],
        [_tile("a", x=-1)],
        [_tile("a", width=0)],
        [_tile("a"), _tile("b", x=3, y=1)],
        [_tile("a"), _tile("a", x=4)],
        [_tile("a", 2**31 - 1)],
        [_tile("a/b")],
        [_tile("a") | {"kind": "script"}],
        [_tile("a") | {"text": "x" * 20_001}],
        [_tile(f"t{n}", y=2 * n) | {"text": "x" * 20_000} for n in range(11)],
        [_tile(f"t{n}", y=2 * n) for n in range(101)],
    ],
)
async def test_a_layout_that_makes_no_sense_is_refused(shop: Person, project: str, tiles: list[Any]) -> None:
    response = await shop.client.post(f"{project}/dashboards", json={"name": "Wrong", "tiles": tiles})
    assert response.status_code == 422, response.text


async def test_what_does_not_fit_is_pointed_at_in_plain_words(shop: Person, project: str) -> None:
    tiles = [
        _tile("a") | {"text": None},
        _tile("b/c", y=2),
        _tile("d", 0, x="left", y=4),
        _tile("e") | {"kind": "script"},
    ]
    body = {"name": "", "tiles": tiles, "titel": "Shop"}
    refused = await shop.client.post(f"{project}/dashboards", json=body)
    assert {error["pointer"]: error["message"] for error in refused.json()["errors"]} == {
        "/name": "it may not be empty",
        "/tiles/0/text": "it has to be a text, not null",
        "/tiles/1/id": "it has to match the pattern ^[A-Za-z0-9_-]{1,50}$, not 'b/c'",
        "/tiles/2/insight_id": "it has to be 1 or more, not 0",
        "/tiles/2/x": "it has to be a whole number, not 'left'",
        "/tiles/3": "'kind' has to be one of 'insight', 'text'",
        "/titel": "there is no such key here",
    }
    assert "/tiles/2/x: it has to be a whole number, not 'left'" in refused.json()["detail"]


async def test_tiles_may_touch(save: Save) -> None:
    corners = [_tile("a"), _tile("b", x=4), _tile("c", x=8), _tile("d", y=2, width=12)]
    assert len((await save("dashboards", name="Full", tiles=corners))["tiles"]) == 4


@pytest.fixture
async def guest(shop: Person, project: str, board: dict[str, Any], join: Join) -> Callable[[str], Awaitable[Person]]:
    """Return a way to let somebody without a role do something with the dashboard alone."""

    async def granted(role: str) -> Person:
        person = await join(shop, None)
        number = int(project.rsplit("/", 1)[1])
        body = {"project_id": number, "dashboard_id": board["id"], "user_id": person.id, "role": role}
        response = await shop.client.post(f"{shop.path}/grants", json=body)
        assert (response.status_code, response.json()["dashboard_id"]) == (201, board["id"])
        again = await shop.client.post(f"{shop.path}/grants", json=body)
        assert (again.status_code, again.json()["code"]) == (409, "grant_exists")
        return person

    return granted


Guest = Callable[[str], Awaitable[Person]]


async def test_a_grant_shows_one_dashboard_and_nothing_else(
    shop: Person, project: str, board: dict[str, Any], save: Save, guest: Guest
) -> None:
    second = await save("dashboards", name="Second", tiles=[_tile("buyers", board["asked"])])
    person = await guest("viewer")
    path = f"{project}/dashboards/{board['id']}"
    assert (await person.client.get(path)).status_code == 200
    assert (await person.client.get(f"{path}/tiles/buyers/result")).status_code == 200
    (listed,) = (await person.client.get("/v1/me/dashboards")).json()["dashboards"]
    assert (listed["id"], listed["name"]) == (board["id"], "Board")
    assert (await person.client.get("/v1/projects")).json()["projects"] == []
    for method, address in (
        ("GET", f"{project}/dashboards/{second['id']}"),
        ("GET", f"{project}/dashboards/{second['id']}/tiles/buyers/result"),
        ("GET", f"{project}/saved-insights/{board['asked']}"),
        ("GET", f"{project}/saved-insights/{board['asked']}/result"),
        ("GET", f"{project}/saved"),
        ("GET", f"{project}/saved/{board['id']}/versions"),
        ("GET", f"{project}/event-names?from=2025-03-01&to=2025-03-02"),
        ("POST", f"{project}/query"),
        ("POST", f"{project}/dashboards"),
        ("DELETE", f"{project}/saved/{board['id']}"),
    ):
        assert (await person.client.request(method, address, json={})).status_code == 404, address
    seen = {"if-match": '"1"'}
    change = await person.client.put(path, json={"name": "Mine"}, headers=seen)
    assert (change.status_code, change.json()["permission"]) == (403, "insights:write")
    (grant,) = [
        each for each in (await shop.client.get(f"{shop.path}/grants")).json()["grants"] if each["user_id"] == person.id
    ]
    await shop.client.delete(f"{shop.path}/grants/{grant['id']}")
    assert (await person.client.get(path)).status_code == 404


async def test_who_may_change_one_dashboard_arranges_it_but_brings_nothing_onto_it(
    project: str, board: dict[str, Any], save: Save, put: Put, guest: Guest
) -> None:
    person = await guest("analyst")
    path = f"dashboards/{board['id']}"
    arranged = [_tile("buyers", board["asked"], x=8), _tile("another")]
    assert (await put(path, 1, person, name="Ours", tiles=arranged)).status_code == 200
    other = [_tile("buyers", board["other"])]
    folder = await save("folders", name="Theirs")
    for said in ({"tiles": other}, {"tiles": arranged, "folder_id": folder["id"]}):
        refused = await put(path, 2, person, name="Ours", **said)
        assert (refused.status_code, refused.json()["permission"]) == (403, "insights:write")
    assert (await put(path, 1, person, name="Ours", tiles=other)).status_code == 412
    for address in ("undo", "versions/1/restore"):
        undone = await person.client.post(f"{project}/saved/{board['id']}/{address}", headers={"if-match": '"2"'})
        assert undone.status_code == 404


async def test_a_tile_of_persons_wants_the_permission_for_persons(
    project: str, save: Save, put: Put, board: dict[str, Any], guest: Guest
) -> None:
    persons = await save(name="Persons", query={"kind": "persons"})
    tiles = [_tile("persons", persons["id"])]
    assert (await put(f"dashboards/{board['id']}", 1, name="Board", tiles=tiles)).status_code == 200
    viewer, analyst = await asyncio.gather(guest("viewer"), guest("analyst"))
    path = f"{project}/dashboards/{board['id']}/tiles/persons/result"
    assert (await viewer.client.get(path)).json()["permission"] == "persons:read"
    assert (await viewer.client.get(path, params={"format": "csv"})).status_code == 403
    assert (await analyst.client.get(path)).status_code == 200


async def test_who_writes_in_the_project_sees_no_persons_by_a_grant_for_a_dashboard(
    shop: Person, project: str, save: Save, join: Join
) -> None:
    persons, figures = await save(name="Persons", query={"kind": "persons"}), await save()
    tiles = [_tile("persons", persons["id"]), _tile("buyers", figures["id"]) | {"y": 5}]
    board = await save("dashboards", name="Of persons", tiles=tiles)
    writing = {"name": "own writer", "permissions": ["project:read", "data:query", "insights:write"]}
    await shop.client.post(f"{shop.path}/roles", json=writing)
    writer = await join(shop, "own writer")
    number = int(project.rsplit("/", 1)[1])
    body = {"project_id": number, "dashboard_id": board["id"], "user_id": writer.id, "role": "analyst"}
    assert (await shop.client.post(f"{shop.path}/grants", json=body)).status_code == 201
    path = f"{project}/dashboards/{board['id']}/tiles"
    assert (await writer.client.get(f"{path}/persons/result")).json()["permission"] == "persons:read"
    assert (await writer.client.get(f"{path}/buyers/result")).status_code == 200


async def test_nothing_is_granted_for_a_dashboard_of_another_project(
    shop: Person, board: dict[str, Any], modelled: Any, join: Join
) -> None:
    person = await join(shop, None)
    for project_id, dashboard_id in ((modelled.kathmandu.id, board["id"]), (modelled.berlin.id, board["asked"])):
        body = {"project_id": project_id, "dashboard_id": dashboard_id, "user_id": person.id, "role": "viewer"}
        response = await shop.client.post(f"{shop.path}/grants", json=body)
        assert response.status_code == 404, response.text


async def test_annotations_are_found_by_time_and_by_what_they_are_about(
    shop: Person, project: str, save: Save, board: dict[str, Any]
) -> None:
    one = await save("annotations", text="Sale", at="2021-03-01T00:00:00Z", until="2021-03-03T00:00:00Z")
    two = await save("annotations", text="Outage", at="2021-03-02T12:00:00+02:00", about_id=board["id"])
    three = await save("annotations", text="Later", at="2021-03-04T00:00:00Z", about_id=board["asked"])

    async def found(**query: Any) -> list[int]:
        response = await shop.client.get(f"{project}/annotations", params=query)
        return [each["id"] for each in response.json()["annotations"]]

    march = {"since": "2021-03-01T00:00:00Z", "until": "2021-04-01T00:00:00Z"}
    assert await found(**march) == [three["id"], two["id"], one["id"]]
    assert await found(**march, about_id=board["id"]) == [two["id"], one["id"]]
    assert await found(**march, limit=1, before=three["id"]) == [two["id"]]
    assert await found(since="2021-03-02T23:59:59Z", until="2021-03-03T00:00:00Z") == [one["id"]]
    assert await found(since="2021-03-03T00:00:00Z", until="2021-03-04T00:00:00Z") == [], "neither end is in it"


async def test_an_annotation_goes_forward_in_time_and_is_about_what_is_there(
    shop: Person, project: str, save: Save, put: Put
) -> None:
    at = "2021-03-01T00:00:00Z"
    folder = await save("folders", name="Folder")
    for said in ({"until": at}, {"at": "2021-03-01T00:00:00"}, {"about_id": folder["id"]}, {"text": " "}):
        body = {"text": "Sale", "at": at} | said
        assert (await shop.client.post(f"{project}/annotations", json=body)).status_code == 422, said
    made = await save("annotations", text="Sale", at=at)
    assert (await put(f"annotations/{made['id']}", 1, text="Sale", at="2021-05-01T00:00:00Z")).json()["version"] == 2
    assert (await put(f"folders/{made['id']}", 2, name="Sale")).status_code == 404, "it is no folder"
