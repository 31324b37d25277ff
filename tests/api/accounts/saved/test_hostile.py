"""Whatever is sent, the answer says what is wrong with it, and lists can still be read."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from engine.accounts import Person

Save = Callable[..., Awaitable[dict[str, Any]]]


async def _post(person: Person, address: str, body: str) -> int:
    headers = {"content-type": "application/json"}
    return (await person.client.post(address, content=body.encode(), headers=headers)).status_code


@pytest.mark.parametrize("depth", [200, 800, 5_000])
async def test_what_is_nested_deep_is_refused(shop: Person, project: str, depth: int) -> None:
    nested = "[" * depth + "]" * depth
    assert await _post(shop, f"{project}/saved-insights", f'{{"name": "Deep", "query": {{"kind": {nested}}}}}') in {
        400,
        422,
    }
    assert await _post(shop, f"{project}/dashboards", f'{{"name": "Deep", "tiles": {nested}}}') in {400, 422}


@pytest.mark.parametrize(
    "at",
    [
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "0001-01-01T00:00:00Z",
        1e300,
        -62135596800,
        "-infinity",
    ],
)
async def test_an_instant_out_of_reach_is_refused(shop: Person, project: str, at: Any) -> None:
    for said in ({"at": at}, {"at": "2021-01-01T00:00:00Z", "until": at}):
        response = await shop.client.post(f"{project}/annotations", json={"text": "Far", **said})
        assert response.status_code == 422, response.text
    listed = await shop.client.get(f"{project}/annotations", params={"since": str(at), "until": str(at)})
    assert listed.status_code == 422, listed.text


@pytest.mark.parametrize("text", ["\0", "%_\\", "'; drop table saved_objects; --", "\ud800", "x" * 10_000, "\u202e"])
async def test_texts_of_all_kinds_do_nothing_but_not_fit(shop: Person, project: str, save: Save, text: str) -> None:
    for name in ("search", "tag", "kind", "folder_id", "before", "limit"):
        sent = {name: text.encode(errors="replace").decode()}
        response = await shop.client.get(f"{project}/saved", params=sent)
        assert response.status_code in {200, 422}, (name, response.text)
    for body in (
        {"name": text, "query": {"kind": "lifecycle", "last": 3}},
        {"name": "n", "description": text, "tags": [text], "query": {"kind": "lifecycle", "last": 3}},
        {"name": "n", "query": {"kind": "lifecycle", "last": 3, text: text}},
        {
            "name": "n",
            "query": {"kind": "lifecycle", "last": 3, "events": {"where": [{"property": "p", "value": text}]}},
        },
    ):
        assert await _post(shop, f"{project}/saved-insights", json.dumps(body)) in {201, 422}, body
    await save(name="Still here")
    listed = (await shop.client.get(f"{project}/saved", params={"search": "Still here"})).json()
    assert listed["saved"][0]["name"] == "Still here"


async def test_numbers_that_no_database_keeps_are_refused(shop: Person, project: str) -> None:
    for number in ("1e400", "NaN", "-Infinity", "9" * 5_000):
        query = f'{{"kind": "lifecycle", "last": 3, "events": {{"where": [{{"property": "p", "value": {number}}}]}}}}'
        assert await _post(shop, f"{project}/saved-insights", f'{{"name": "n", "query": {query}}}') in {400, 422}, (
            number
        )
        tile = f'{{"kind": "text", "id": "t", "x": {number}, "y": 0, "width": 1, "height": 1, "text": ""}}'
        assert await _post(shop, f"{project}/dashboards", f'{{"name": "n", "tiles": [{tile}]}}') in {400, 422}, number
