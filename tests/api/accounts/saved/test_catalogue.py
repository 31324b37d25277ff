"""What people say of events and properties stands beside what was sent."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from engine.accounts import Person

Put = Callable[..., Awaitable[httpx.Response]]
Join = Callable[..., Awaitable[Person]]


async def _events(person: Person, project: str, **query: Any) -> list[dict[str, Any]]:
    response = await person.client.get(f"{project}/catalogue/events", params=query)
    assert response.status_code == 200, response.text
    return response.json()["events"]


async def test_events_are_listed_by_name_with_their_counts(shop: Person, project: str, modelled: Any) -> None:
    sent = Counter(event.name for event in modelled.berlin.events)
    listed = {each["event"]: each for each in await _events(shop, project) if each["events"]}
    assert {name: each["events"] for name, each in listed.items()} == sent
    assert all((each["version"], each["is_hidden"]) == (0, False) for each in listed.values())
    assert list(listed) == sorted(listed)
    answer = (await shop.client.get(f"{project}/catalogue/events", params={"limit": 2})).json()
    following = await _events(shop, project, limit=100, after=answer["next"])
    assert [each["event"] for each in [*answer["events"], *following] if each["events"]] == sorted(sent)
    assert answer["meta"]["sources"] == [f"{modelled.database}.dim_events"]


async def test_a_description_stands_with_its_event_and_has_versions(shop: Person, project: str, put: Put) -> None:
    said = {"event": "cart", "description": "It was looked at.", "tags": ["checkout"], "owner_id": shop.id}
    made = await put("catalogue/events", 0, **said, is_verified=True)
    assert (made.status_code, made.headers["etag"]) == (200, '"1"')
    (entry,) = await _events(shop, project, tag="checkout", is_verified=True, owner_id=shop.id)
    assert entry["events"] > 0
    assert entry["description"] == "It was looked at."
    late = await put("catalogue/events", 0, event="cart")
    assert (late.status_code, late.json()["version"]) == (412, 1)
    assert (await put("catalogue/events", 1, event="cart", is_hidden=True)).json()["version"] == 2
    assert "cart" not in [each["event"] for each in await _events(shop, project, is_hidden=False)]
    undo = f"{project}/saved/{entry['description_id']}/undo"
    assert (await shop.client.post(undo, headers={"if-match": '"2"'})).json()["version"] == 3
    (entry,) = await _events(shop, project, search="CART", is_verified=True)
    assert (entry["version"], entry["is_hidden"], entry["tags"]) == (3, False, ["checkout"])
    assert entry["description_id"] not in [
        each["id"] for each in (await shop.client.get(f"{project}/saved")).json()["saved"]
    ]
    assert (await shop.client.delete(f"{project}/saved/{entry['description_id']}")).status_code == 404


async def test_an_event_that_was_never_sent_is_described_too(shop: Person, project: str, put: Put) -> None:
    name = "planned/éclair 💶"
    assert (await put("catalogue/events", 0, event=name, description="From May on.")).status_code == 200
    (entry,) = await _events(shop, project, search="planned/É")
    assert (entry["event"], entry["events"], entry["first_seen_date"]) == (name, 0, None)


async def test_of_two_who_describe_it_first_one_is_told(put: Put) -> None:
    at_once = [put("catalogue/events", 0, event="raced", description=str(each)) for each in range(4)]
    assert sorted(answer.status_code for answer in await asyncio.gather(*at_once)) == [200, 412, 412, 412]


async def test_properties_of_events_and_traits_are_told_apart(shop: Person, project: str, put: Put) -> None:
    async def listed(**query: Any) -> dict[str, dict[str, Any]]:
        answer = (await shop.client.get(f"{project}/catalogue/properties", params=query)).json()
        return {each["property"]: each for each in answer["properties"]}

    sent, traits = await listed(), await listed(source="person")
    assert sent
    assert traits
    name = next(iter(sent))
    assert (await put("catalogue/properties", 0, property=name, description="Ours")).status_code == 200
    assert (await put("catalogue/properties", 0, property=name, source="person")).status_code == 200
    of_group = await put("catalogue/properties", 0, property=name, source="group")
    assert of_group.status_code == 422, "of which groups?"
    assert (await listed())[name]["description"] == "Ours"
    assert (await listed(source="person"))[name]["description"] == ""
    assert (await listed(source="person"))[name]["version"] == 1
    assert name not in await listed(event="never sent"), "of one event those that it has"


async def test_the_owner_is_a_member_and_a_viewer_describes_nothing(
    shop: Person, project: str, put: Put, join: Join
) -> None:
    stranger = await put("catalogue/events", 0, event="owned", owner_id=2**31 - 1)
    assert stranger.json()["errors"][0]["pointer"] == "/owner_id"
    viewer = await join(shop, "viewer")
    refused = await put("catalogue/events", 0, viewer, event="owned")
    assert (refused.status_code, refused.json()["permission"]) == (403, "insights:write")
    assert await _events(viewer, project, limit=1)
