"""What is saved has versions, a trash, folders and favourites, and is told in the audit log."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from engine.accounts import Installation, Person

Save = Callable[..., Awaitable[dict[str, Any]]]
Put = Callable[..., Awaitable[httpx.Response]]
Join = Callable[..., Awaitable[Person]]


def _seen(version: int) -> dict[str, str]:
    return {"if-match": f'"{version}"'}


async def _names(client: httpx.AsyncClient, project: str, **query: Any) -> list[str]:
    response = await client.get(f"{project}/saved", params=query)
    assert response.status_code == 200, response.text
    return [each["name"] for each in response.json()["saved"]]


async def test_a_saved_question_is_answered_as_the_question_itself(shop: Person, project: str, save: Save) -> None:
    made = await save()
    saved = (await shop.client.get(f"{project}/saved-insights/{made['id']}/result", params={"explain": True})).json()
    asked = (await shop.client.post(f"{project}/query", json=made["query"])).json()
    assert saved["data"] == asked["data"]
    assert saved["meta"]["sql"] == asked["meta"]["sql"]
    assert saved["meta"]["plan"]
    assert asked["meta"]["cached"]


async def test_who_has_an_answer_is_not_sent_it_again_and_who_wants_a_file_gets_one(
    shop: Person, project: str, save: Save
) -> None:
    path = f"{project}/saved-insights/{(await save())['id']}/result"
    etag = (await shop.client.get(path)).headers["etag"]
    again = await shop.client.get(path, headers={"if-none-match": etag})
    assert (again.status_code, again.content) == (304, b"")
    file = await shop.client.get(path, params={"format": "csv"})
    assert file.headers["content-type"].startswith("text/csv")
    assert file.text.count("\r\n") > 1


async def test_a_question_is_checked_when_it_is_saved(shop: Person, project: str) -> None:
    path = f"{project}/saved-insights"
    wrong: list[tuple[Any, str]] = [
        ({"kind": "trend", "last": 7}, "/query/series"),
        ({"kind": "lifecycle", "last": 7, "events": {"where": [{"cohort": "cohort_none"}]}}, "/query/events/where/0"),
        ({"kind": "nothing"}, "/query"),
        ({"kind": "events", "last": 1, "events": "x" * 70_000}, ""),
        ({"kind": "events", "last": 1, "events": {"where": [[]] * 6_000}}, "/query"),
    ]
    for query, pointer in wrong:
        response = await shop.client.post(path, json={"name": "Wrong", "query": query})
        assert response.status_code in {413, 422}, response.text
        if response.status_code == 422:
            assert response.json()["errors"][0]["pointer"].startswith(pointer), response.text
    nan = '{"name": "Wrong", "query": {"kind": "lifecycle", "last": NaN}}'
    response = await shop.client.post(path, content=nan, headers={"content-type": "application/json"})
    assert response.status_code == 422, response.text


async def test_who_changes_something_says_which_version_he_saw(
    shop: Person, project: str, save: Save, put: Put
) -> None:
    made = await save()
    path = f"saved-insights/{made['id']}"
    body = {"name": "Customers", "query": made["query"]}
    changed = await put(path, 1, **body)
    assert (changed.status_code, changed.headers["etag"], changed.json()["version"]) == (200, '"2"', 2)
    late = await put(path, 1, name="Other", query=made["query"])
    assert (late.status_code, late.json()["code"], late.json()["version"]) == (412, "changed_meanwhile", 2)
    for headers in ({}, {"if-match": "*"}, {"if-match": "2"}, {"if-match": '"9999999999"'}):
        without = await shop.client.put(f"{project}/{path}", json=body, headers=headers)
        assert (without.status_code, without.json()["code"]) == (428, "version_missing")
    assert (await put(path, 2, **body)).json()["version"] == 2, "what changes nothing is no version"


async def test_of_two_who_change_the_same_version_at_once_one_is_told(save: Save, put: Put) -> None:
    made = await save()
    at_once = [put(f"saved-insights/{made['id']}", 1, name=f"N{each}", query=made["query"]) for each in range(4)]
    assert sorted(answer.status_code for answer in await asyncio.gather(*at_once)) == [200, 412, 412, 412]


async def test_every_version_tells_who_changed_what_and_can_be_restored(
    shop: Person, project: str, save: Save, put: Put
) -> None:
    made = await save(description="First")
    path = f"{project}/saved/{made['id']}"
    await put(f"saved-insights/{made['id']}", 1, name="Second", query=made["query"], tags=["b", "a", "b"])
    versions = (await shop.client.get(f"{path}/versions")).json()
    told = [(each["version"], each["actor_name"], each["changed"]) for each in versions["versions"]]
    assert told[0] == (2, shop.email, ["description", "name", "tags"])
    assert (told[1][0], told[1][2]) == (1, ["description", "materialised", "name", "query", "tags"]), (
        "all that there is is new"
    )
    page = (await shop.client.get(f"{path}/versions", params={"limit": 1})).json()
    assert page["next"] == 2
    assert (await shop.client.get(f"{path}/versions", params={"before": 2})).json()["versions"][0]["version"] == 1
    first = (await shop.client.get(f"{path}/versions/1")).json()["content"]
    assert first["description"] == "First"
    restored = await shop.client.post(f"{path}/versions/1/restore", headers=_seen(2))
    assert restored.json() == {"id": made["id"], "version": 3, "restored_from": 1}
    shown = (await shop.client.get(f"{project}/saved-insights/{made['id']}")).json()
    assert (shown["name"], shown["description"], shown["tags"]) == ("Buyers", "First", [])
    assert (await shop.client.post(f"{path}/versions/9/restore", headers=_seen(3))).status_code == 404
    assert (await shop.client.post(f"{path}/versions/2/restore", headers=_seen(2))).status_code == 412


async def test_undo_goes_back_edit_by_edit(shop: Person, project: str, save: Save, put: Put) -> None:
    made = await save(name="A")
    insight = f"saved-insights/{made['id']}"
    undo = f"{project}/saved/{made['id']}/undo"

    async def name() -> str:
        return (await shop.client.get(f"{project}/{insight}")).json()["name"]

    for version, to in enumerate("BC", start=1):
        assert (await put(insight, version, name=to, query=made["query"])).status_code == 200
    assert (await shop.client.post(undo, headers=_seen(3))).json()["restored_from"] == 2
    assert await name() == "B"
    assert (await put(insight, 4, name="D", query=made["query"])).status_code == 200
    for version, before in ((5, "B"), (6, "A")):
        assert (await shop.client.post(undo, headers=_seen(version))).status_code == 200
        assert await name() == before
    at_the_first = await shop.client.post(undo, headers=_seen(7))
    assert (at_the_first.status_code, at_the_first.json()["code"]) == (409, "nothing_to_undo")


async def test_the_latest_versions_are_kept(
    shop: Person, project: str, save: Save, serve: Any, account_settings: Any
) -> None:
    key = {"name": "k", "scopes": ["data:query", "insights:write"]}
    token = (await shop.client.post(f"{project}/api-keys", json=key)).json()["key"]
    made = await save(name="1")
    path = f"{project}/saved/{made['id']}"
    async with serve(account_settings.model_copy(update={"saved_versions": 3})) as (program, _):
        program.headers["authorization"] = f"Bearer {token}"
        for seen in range(1, 5):
            body = {"name": str(seen + 1), "query": made["query"]}
            changed = await program.put(f"{project}/saved-insights/{made['id']}", json=body, headers=_seen(seen))
            assert changed.status_code == 200, changed.text
        versions = (await program.get(f"{path}/versions")).json()["versions"]
        assert [each["version"] for each in versions] == [5, 4, 3]
        assert (await program.get(f"{path}/versions/2")).status_code == 404
        assert (await program.post(f"{path}/undo", headers=_seen(5))).json()["restored_from"] == 4
        at_the_oldest = await program.post(f"{path}/undo", headers=_seen(6))
        assert (at_the_oldest.status_code, at_the_oldest.json()["code"]) == (409, "nothing_to_undo")


async def test_what_is_deleted_is_in_the_trash_until_it_is_taken_out(shop: Person, project: str, save: Save) -> None:
    made = await save(name="Gone")
    path = f"{project}/saved/{made['id']}"
    assert (await shop.client.delete(path)).status_code == 204
    assert (await shop.client.delete(path)).status_code == 404
    for address in (f"{project}/saved-insights/{made['id']}", f"{project}/saved-insights/{made['id']}/result"):
        assert (await shop.client.get(address)).status_code == 404
    assert "Gone" not in await _names(shop.client, project)
    (found,) = [
        each
        for each in (await shop.client.get(f"{project}/saved", params={"trash": True})).json()["saved"]
        if each["id"] == made["id"]
    ]
    assert (found["deleted_by"], found["kind"]) == (shop.email, "insight")
    recover = f"{project}/trash/{made['id']}/recover"
    assert (await shop.client.post(recover)).status_code == 200
    assert (await shop.client.post(recover)).status_code == 404
    assert "Gone" in await _names(shop.client, project)


async def test_who_deletes_what_he_saw_deletes_nothing_that_was_changed_since(
    shop: Person, project: str, save: Save, put: Put
) -> None:
    made = await save()
    await put(f"saved-insights/{made['id']}", 1, name="Customers", query=made["query"])
    path = f"{project}/saved/{made['id']}"
    late = await shop.client.delete(path, headers={"if-match": '"1"'})
    assert (late.status_code, late.json()["code"], late.json()["version"]) == (412, "changed_meanwhile", 2)
    for none in ("*", "2", '"9999999999"'):
        without = await shop.client.delete(path, headers={"if-match": none})
        assert (without.status_code, without.json()["code"]) == (428, "version_missing")
    assert (await shop.client.get(f"{project}/saved-insights/{made['id']}")).json()["name"] == "Customers"
    assert (await shop.client.delete(path, headers={"if-match": '"2"'})).status_code == 204


async def test_folders_and_what_is_in_them_are_told_apart_by_their_ids(shop: Person, project: str, save: Save) -> None:
    outer = await save("folders", name="Twins")
    one, other = [await save("folders", name="Q3", folder_id=outer["id"]) for _ in range(2)]
    made = await save(name="Filed", folder_id=other["id"])
    assert await _names(shop.client, project, folder_id=outer["id"]) == ["Q3", "Q3"]
    assert await _names(shop.client, project, folder_id=one["id"]) == []
    assert await _names(shop.client, project, folder_id=other["id"]) == [made["name"]]


async def test_folders_hold_things_and_other_folders_but_never_themselves(
    shop: Person, project: str, save: Save, put: Put
) -> None:
    outer = await save("folders", name="Outer")
    inner = await save("folders", name="Inner", folder_id=outer["id"])
    made = await save(name="Filed", folder_id=inner["id"])
    assert await _names(shop.client, project, folder_id=inner["id"]) == ["Filed"]
    for within in (inner["id"], outer["id"]):
        looped = await put(f"folders/{outer['id']}", 1, name="Outer", folder_id=within)
        assert (looped.status_code, looped.json()["errors"][0]["pointer"]) == (422, "/folder_id")
    for wrong in (made["id"], 2**31 - 1):
        response = await shop.client.post(f"{project}/folders", json={"name": "Lost", "folder_id": wrong})
        assert response.status_code == 422, response.text
    full = await shop.client.delete(f"{project}/saved/{inner['id']}")
    assert (full.status_code, full.json()["code"]) == (409, "in_use")
    for each in (made, inner):
        assert (await shop.client.delete(f"{project}/saved/{each['id']}")).status_code == 204
    recovered = (await shop.client.post(f"{project}/trash/{made['id']}/recover")).json()
    assert recovered["version"] == 2
    shown = (await shop.client.get(f"{project}/saved-insights/{made['id']}")).json()
    assert shown["folder_id"] is None, "its folder is in the trash still"


async def test_lists_go_on_by_cursor_and_choose_by_kind_tag_and_name(shop: Person, project: str, save: Save) -> None:
    for name in ("Percent 50%", "Percent 500", "Other"):
        await save(name=name, tags=["cursor", name[:3]])
    first = (await shop.client.get(f"{project}/saved", params={"tag": "cursor", "limit": 2})).json()
    assert [each["name"] for each in first["saved"]] == ["Other", "Percent 500"]
    following = await _names(shop.client, project, tag="cursor", limit=2, before=first["next"])
    assert following == ["Percent 50%"]
    assert await _names(shop.client, project, tag="cursor", search="50%") == ["Percent 50%"]
    assert await _names(shop.client, project, tag="cursor", kind="dashboard") == []
    assert (await shop.client.get(f"{project}/saved", params={"knd": "insight"})).status_code == 422


async def test_favourites_are_ones_own(shop: Person, project: str, save: Save, join: Join) -> None:
    made = await save(name="Liked")
    viewer = await join(shop, "viewer")
    favourite = f"{project}/saved/{made['id']}/favourite"
    for _ in range(2):
        assert (await viewer.client.put(favourite)).status_code == 204
    assert await _names(viewer.client, project, favourites=True) == ["Liked"]
    assert await _names(shop.client, project, favourites=True) == []
    for _ in range(2):
        assert (await viewer.client.delete(favourite)).status_code == 204
    assert await _names(viewer.client, project, favourites=True) == []
    assert (await viewer.client.put(f"{project}/saved/{2**31 - 1}/favourite")).status_code == 404


async def test_a_viewer_sees_what_is_saved_and_changes_nothing(
    shop: Person, project: str, save: Save, join: Join
) -> None:
    made = await save()
    persons = await save(name="Persons", query={"kind": "persons"})
    viewer = await join(shop, "viewer")
    path = f"{project}/saved-insights/{made['id']}"
    assert (await viewer.client.get(f"{path}/result")).status_code == 200
    secret = await viewer.client.get(f"{project}/saved-insights/{persons['id']}/result")
    assert (secret.status_code, secret.json()["permission"]) == (403, "persons:read")
    body = {"name": "Mine", "query": made["query"]}
    for method, address in (
        ("POST", f"{project}/saved-insights"),
        ("PUT", path),
        ("DELETE", f"{project}/saved/{made['id']}"),
        ("POST", f"{project}/saved/{made['id']}/undo"),
        ("POST", f"{project}/saved/{made['id']}/versions/1/restore"),
        ("POST", f"{project}/trash/{made['id']}/recover"),
        ("POST", f"{project}/saved/{made['id']}/links"),
        ("POST", f"{project}/folders"),
        ("POST", f"{project}/annotations"),
        ("POST", f"{project}/dashboards"),
    ):
        response = await viewer.client.request(method, address, json=body, headers=_seen(1))
        assert (response.status_code, response.json()["permission"]) == (403, "insights:write"), (method, address)


async def test_another_project_of_the_same_people_has_none_of_it(shop: Person, save: Save, modelled: Any) -> None:
    made = await save()
    other = f"/v1/projects/{modelled.kathmandu.id}"
    assert (await shop.client.get(f"{other}/saved-insights/{made['id']}")).status_code == 404
    assert (await shop.client.delete(f"{other}/saved/{made['id']}")).status_code == 404
    tile = {"kind": "insight", "id": "t", "x": 0, "y": 0, "width": 1, "height": 1, "insight_id": made["id"]}
    named = await shop.client.post(f"{other}/dashboards", json={"name": "Theirs", "tiles": [tile]})
    assert named.json()["errors"][0]["pointer"] == "/tiles/0/insight_id"
    assert made["id"] not in [each["id"] for each in (await shop.client.get(f"{other}/saved")).json()["saved"]]


async def test_a_key_that_may_write_saves_and_stands_in_the_versions(
    installation: Installation, shop: Person, project: str
) -> None:
    key = {"name": "k", "scopes": ["data:query", "insights:write"]}
    made_key = (await shop.client.post(f"{project}/api-keys", json=key)).json()
    program = installation.browser(authorization=f"Bearer {made_key['key']}")
    made = await program.post(f"{project}/folders", json={"name": "By a program"})
    assert made.json()["created_by"] == made_key["prefix"]
    (version,) = (await program.get(f"{project}/saved/{made.json()['id']}/versions")).json()["versions"]
    assert (version["actor_kind"], version["actor_id"]) == ("api_key", made_key["id"])
    assert (await program.put(f"{project}/saved/{made.json()['id']}/favourite")).status_code == 401
    assert (await program.post(f"{project}/saved/{made.json()['id']}/links", json={})).status_code in {401, 422}


async def test_changes_and_answers_stand_in_the_audit_log(shop: Person, project: str, save: Save, put: Put) -> None:
    made = await save(name="Logged")
    await put(f"saved-insights/{made['id']}", 1, name="Logged again", query=made["query"])
    await shop.client.get(f"{project}/saved-insights/{made['id']}/result")
    await shop.client.delete(f"{project}/saved/{made['id']}")
    log = (await shop.client.get(f"{shop.path}/audit-log", params={"limit": 20, "actor": shop.email})).json()["entries"]
    told = [each for each in log if (each["target_kind"], each["target_id"]) == ("insight", str(made["id"]))]
    assert [each["action"] for each in told] == ["insight.deleted", "insight.changed", "insight.created"]
    assert told[1]["details"] == {"name": "Logged again", "version": 2, "changed": ["name"]}
    read = [each["details"]["path"] for each in log if each["action"] == "data.read"]
    assert f"{project}/saved-insights/{made['id']}/result" in read


@pytest.mark.parametrize("name", ["", "   ", "x" * 201, "nul\0"])
async def test_a_name_that_is_none_is_refused(shop: Person, project: str, name: str) -> None:
    assert (await shop.client.post(f"{project}/folders", json={"name": name})).status_code == 422
