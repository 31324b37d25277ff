"""Of those who change what a project saved at once each finds what the one before left."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from engine.accounts import Person

Save = Callable[..., Awaitable[dict[str, Any]]]
Put = Callable[..., Awaitable[httpx.Response]]
_ROUNDS = 3


async def test_two_folders_are_not_put_into_each_other(save: Save, put: Put) -> None:
    for _ in range(_ROUNDS):
        one, other = await asyncio.gather(save("folders", name="One"), save("folders", name="Other"))
        moves = [
            put(f"folders/{one['id']}", 1, name="One", folder_id=other["id"]),
            put(f"folders/{other['id']}", 1, name="Other", folder_id=one["id"]),
        ]
        assert sorted(answer.status_code for answer in await asyncio.gather(*moves)) == [200, 422]


async def test_nothing_is_left_in_a_folder_that_is_deleted_meanwhile(shop: Person, project: str, save: Save) -> None:
    for _ in range(_ROUNDS):
        folder = (await save("folders", name="Emptied"))["id"]
        body = {"name": "Filed", "folder_id": folder}
        deleted, filed = await asyncio.gather(
            shop.client.delete(f"{project}/saved/{folder}"), shop.client.post(f"{project}/folders", json=body)
        )
        assert (deleted.status_code, filed.status_code) in {(204, 422), (409, 201)}


async def test_of_two_who_delete_the_same_one_finds_it_gone(shop: Person, project: str, save: Save) -> None:
    made = await save()
    both = [shop.client.delete(f"{project}/saved/{made['id']}") for _ in range(2)]
    assert sorted(answer.status_code for answer in await asyncio.gather(*both)) == [204, 404]


async def test_two_cohorts_are_not_made_of_each_other(save: Save, put: Put) -> None:
    def body(name: str, *who: dict[str, str]) -> dict[str, Any]:
        return {"name": name, "query": {"kind": "cohort", "who": who}}

    for number in range(_ROUNDS):
        names = [f"cohort_one_{number}", f"cohort_other_{number}"]
        one, other = [await save("cohorts", **body(name, {"did": "purchase"})) for name in names]
        changes = [
            put(f"cohorts/{one['id']}", 1, **body(names[0], {"cohort": names[1]})),
            put(f"cohorts/{other['id']}", 1, **body(names[1], {"cohort": names[0]})),
        ]
        assert sorted(answer.status_code for answer in await asyncio.gather(*changes)) == [200, 422]
