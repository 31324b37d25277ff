"""Saved cohorts: documents that name one are answered as if it stood there written out."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import httpx
import pytest

from engine.accounts import Installation, Person
from tests.api.accounts.saved.conftest import TREND

Save = Callable[..., Awaitable[dict[str, Any]]]
Put = Callable[..., Awaitable[httpx.Response]]
BUYERS: dict[str, Any] = {"did": {"event": "purchase", "at_least": 3}}
SEEN = {"kind": "trend", "from": "2025-03-01", "to": "2025-04-01", "total": True}


def _who(*criteria: Any) -> dict[str, Any]:
    return {"kind": "cohort", "who": list(criteria)}


def _named(name: str) -> dict[str, str]:
    return {"cohort": name}


def _persons_in(*conditions: Any) -> dict[str, Any]:
    return SEEN | {"series": [{"name": "seen", "measure": "persons", "where": list(conditions)}]}


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """Return the name of a cohort that no other test has."""
    return f"cohort_{abs(hash(request.node.name)) % 10**12}"


@pytest.fixture
def ask(shop: Person, project: str) -> Callable[[Any], Awaitable[httpx.Response]]:
    """Return a way to ask a document."""

    async def asked(document: Any) -> httpx.Response:
        return await shop.client.post(f"{project}/query", json=document)

    return asked


Ask = Callable[[Any], Awaitable[httpx.Response]]


def _fault(response: httpx.Response) -> tuple[str, str]:
    assert response.status_code == 422, response.text
    (error,) = response.json()["errors"]
    return error["pointer"], error["message"]


async def test_a_saved_cohort_chooses_persons_as_its_criteria_do(save: Save, ask: Ask, name: str) -> None:
    await save("cohorts", name=name, query=_who(BUYERS))
    members = (await ask(_who(BUYERS))).json()["data"]
    assert 0 < members["size"] < (await ask({"kind": "persons"})).json()["data"]["size"]
    for document in (_who(_named(name)), {"kind": "persons", "who": [_named(name)]}):
        assert (await ask(document)).json()["data"] == members
    none = (await ask(_who({"none": [_named(name)]}))).json()["data"]["size"]
    assert none == (await ask(_who({"none": [BUYERS]}))).json()["data"]["size"]
    answer = (await ask(_persons_in(_named(name)))).json()
    assert 0 < answer["data"]["lines"][0]["points"][0]["figures"]["seen"] <= members["size"]
    assert name not in answer["meta"]["sql"], "it has no table"
    assert "having count() >= " in answer["meta"]["sql"]
    assert "purchase" in answer["meta"]["parameters"].values()
    events = {"kind": "events", "from": "2025-03-01", "to": "2025-04-01", "events": {"where": [_named(name)]}}
    listed = (await ask(events)).json()["data"]["events"]
    assert {each["person_number"] for each in listed} <= {each["person_number"] for each in members["persons"]}


@pytest.fixture
async def keeping(serve: Any, account_settings: Any) -> AsyncGenerator[httpx.AsyncClient]:
    """Return a client of an API that believes for long that nothing changed, and so keeps its answers."""
    update = {"data_version_seconds": 60, "landing_seconds": 60}
    async with serve(account_settings.model_copy(update=update)) as (client, _):
        yield client


async def test_a_cohort_that_was_changed_gives_no_answer_of_before(
    save: Save, put: Put, keeping: httpx.AsyncClient, modelled: Any, name: str
) -> None:
    made = await save("cohorts", name=name, query=_who(BUYERS))
    path = f"/v1/projects/{modelled.berlin.id}/query"

    async def seen() -> tuple[float, bool]:
        answer = await keeping.post(path, json=_persons_in(_named(name)), headers=modelled.berlin.headers)
        return answer.json()["data"]["lines"][0]["points"][0]["figures"]["seen"], answer.json()["meta"]["cached"]

    few, _ = await seen()
    assert await seen() == (few, True)
    changed = await put(f"cohorts/{made['id']}", 1, name=name, query=_who({"did": "catalog"}))
    assert changed.status_code == 200, changed.text
    many, is_cached = await seen()
    assert many > few
    assert not is_cached


async def test_cohorts_are_made_of_others_but_never_of_themselves(save: Save, put: Put, ask: Ask, name: str) -> None:
    inner = await save("cohorts", name=f"{name}_in", query=_who(BUYERS))
    await save("cohorts", name=name, query=_who({"any": [_named(f"{name}_in"), _named(f"{name}_in")]}))
    size = (await ask(_who(BUYERS))).json()["data"]["size"]
    assert (await ask(_who(_named(name)))).json()["data"]["size"] == size
    looped = await put(f"cohorts/{inner['id']}", 1, name=f"{name}_in", query=_who(BUYERS, _named(name)))
    assert _fault(looped) == ("/query/who/1/cohort", f"{name}_in would be made of itself")
    itself = await put(f"cohorts/{inner['id']}", 1, name=f"{name}_in", query=_who({"all": [_named(f"{name}_in")]}))
    assert _fault(itself)[0] == "/query/who/0/all/0/cohort"


async def test_of_two_moves_that_would_close_a_circle_one_is_refused(save: Save, put: Put, name: str) -> None:
    made = [await save("cohorts", name=f"{name}_{side}", query=_who(BUYERS)) for side in "ab"]
    changes = [
        put(f"cohorts/{made[0]['id']}", 1, name=f"{name}_a", query=_who(_named(f"{name}_b"))),
        put(f"cohorts/{made[1]['id']}", 1, name=f"{name}_b", query=_who(_named(f"{name}_a"))),
    ]
    assert sorted(answer.status_code for answer in await asyncio.gather(*changes)) == [200, 422]


async def test_a_cohort_that_is_gone_is_named_at_its_place(
    shop: Person, project: str, save: Save, put: Put, name: str
) -> None:
    async def ask(document: Any) -> httpx.Response:
        return await shop.client.post(f"{project}/query", json=document)

    inner = await save("cohorts", name=f"{name}_in", query=_who(BUYERS))
    await save("cohorts", name=name, query=_who(_named(f"{name}_in")))
    insight = await save(query=_persons_in({"any": [_named(name)]}))
    result = f"{project}/saved-insights/{insight['id']}/result"
    assert (await shop.client.get(result)).status_code == 200
    assert (await put(f"cohorts/{inner['id']}", 1, name=f"{name}_new", query=_who(BUYERS))).status_code == 200
    pointer, message = _fault(await shop.client.get(result))
    assert pointer == "/series/0/where/0/any/0/cohort"
    assert message.startswith(f"cohort {name} was saved, but it is made of {name}_in, which is neither defined nor")
    assert _fault(await ask(_who(_named(f"{name}_in"))))[0] == "/who/0/cohort"
    await shop.client.delete(f"{project}/saved/{inner['id']}")
    assert _fault(await ask(_who(_named(f"{name}_new"))))[1] == (
        f"no cohort {name}_new is defined or saved for this project"
    )


async def test_a_name_is_had_once(shop: Person, project: str, save: Save, name: str) -> None:
    await save("cohorts", name=name, query=_who(BUYERS))
    again = {"name": name, "query": _who({"did": "catalog"})}
    assert _fault(await shop.client.post(f"{project}/cohorts", json=again)) == (
        "/name",
        f"there is a cohort {name} already",
    )
    at_once = [shop.client.post(f"{project}/cohorts", json=again | {"name": f"{name}_raced"}) for _ in range(3)]
    assert sorted(answer.status_code for answer in await asyncio.gather(*at_once)) == [201, 422, 422]


async def test_a_name_is_free_again_when_its_cohort_is_deleted(
    shop: Person, project: str, save: Save, put: Put, name: str
) -> None:
    made = await save("cohorts", name=name, query=_who(BUYERS))
    again = {"name": name, "query": _who({"did": "catalog"})}
    assert (await shop.client.delete(f"{project}/saved/{made['id']}")).status_code == 204
    other = await save("cohorts", **again)
    recover = f"{project}/trash/{made['id']}/recover"
    taken = await shop.client.post(recover)
    assert (taken.status_code, taken.json()["code"]) == (409, "in_use")
    assert (await put(f"cohorts/{other['id']}", 1, **again | {"name": f"{name}_other"})).status_code == 200
    assert (await shop.client.post(recover)).status_code == 200
    asked = await shop.client.post(f"{project}/query", json=_who(_named(name)))
    assert "having count() >= " in asked.json()["meta"]["sql"]
    back = await shop.client.post(f"{project}/saved/{other['id']}/undo", headers={"if-match": '"2"'})
    assert (back.status_code, back.json()["code"]) == (409, "in_use"), "the name that it had is taken by now"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"query": TREND}, "/query/kind"),
        ({"query": _who(BUYERS) | {"limit": 3}}, "/query/limit"),
        ({"query": _who({"did": {"event": "x", "at_leest": 2}})}, "/query/who/0/did/at_leest"),
        ({"query": {"kind": "cohort", "who": []}}, "/query/who"),
        ({"query": _who(BUYERS, _named("cohort_wrong"))}, "/query/who/1/cohort"),
    ],
)
async def test_what_is_no_cohort_is_not_saved(shop: Person, project: str, body: Any, pointer: str) -> None:
    response = await shop.client.post(f"{project}/cohorts", json={"name": "cohort_wrong"} | body)
    assert _fault(response)[0] == pointer


@pytest.mark.parametrize("name", ["buyers", "cohort_", "cohort_A", "cohort_x; drop table x", "cohort_" + "x" * 51])
async def test_a_cohort_is_called_so_that_documents_can_name_it(shop: Person, project: str, name: str) -> None:
    response = await shop.client.post(f"{project}/cohorts", json={"name": name, "query": _who(BUYERS)})
    assert response.status_code == 422, response.text


async def test_cohorts_written_out_are_no_more_than_a_document_may_be(
    shop: Person, project: str, save: Save, ask: Ask, name: str
) -> None:
    below = f"{name}_0"
    await save("cohorts", name=below, query=_who(BUYERS))
    # Each is twice what the one before is: written out they would be as many as sand.
    for level in range(1, 5):
        await save("cohorts", name=f"{name}_{level}", query=_who({"any": [_named(below)] * 2}))
        below = f"{name}_{level}"
    assert (await ask(_who({"any": [_named(f"{name}_3")]}))).status_code == 200
    deeper = await shop.client.post(f"{project}/cohorts", json={"name": f"{name}_5", "query": _who(_named(below))})
    assert "5 levels" in _fault(deeper)[1]
    wide = await ask(_persons_in({"any": [_named(below)] * 9}))
    assert _fault(wide) == ("", "with its saved cohorts it has 279 conditions, more than 100")
    long = _who({"trait": "tier", "value": ["x" * 900] * 40})
    await save("cohorts", name=f"{name}_long", query=long)
    assert "characters" in _fault(await ask(_who(_named(f"{name}_long"), _named(f"{name}_long"))))[1]


async def test_no_other_project_has_it(
    installation: Installation, save: Save, modelled: Any, shop: Person, name: str
) -> None:
    made = await save("cohorts", name=name, query=_who(BUYERS))
    other = f"/v1/projects/{modelled.kathmandu.id}"
    asked = await shop.client.post(f"{other}/query", json=_who(_named(name)))
    assert _fault(asked)[0] == "/who/0/cohort"
    assert (await shop.client.get(f"{other}/cohorts/{made['id']}")).status_code == 404
    same = await shop.client.post(f"{other}/cohorts", json={"name": name, "query": _who({"did": "catalog"})})
    assert same.status_code == 201, "each project has names of its own"
    program = installation.browser(**modelled.berlin.headers)
    size = (await program.post(f"/v1/projects/{modelled.berlin.id}/query", json=_who(_named(name)))).json()
    assert (
        size["data"]
        == (await program.post(f"/v1/projects/{modelled.berlin.id}/query", json=_who(BUYERS))).json()["data"]
    )
