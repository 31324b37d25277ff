"""Every change and every access to data leaves an entry that nobody can change."""

import asyncio
import csv
import io
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pyotp.totp import TOTP
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from core import metadata
from core.metadata.audit import Actor
from engine.accounts import PASSWORD, Installation, Person
from runtime.instance import Instance

Join = Callable[..., Awaitable[Person]]


async def _entries(owner: Person, **query: str | int) -> list[dict[str, Any]]:
    response = await owner.client.get(f"{owner.path}/audit-log", params=query)
    assert response.status_code == 200, response.text
    return response.json()["entries"]


async def test_changes_and_accesses_say_by_whom_when_and_from_where(
    owner: Person, join: Join, installation: Installation
) -> None:
    member = await join(owner, "viewer")
    made = (await owner.client.post(f"{owner.path}/projects", json={"name": "Shop"})).json()
    project = f"/v1/projects/{made['id']}"
    key = (await owner.client.post(f"{project}/api-keys", json={"name": "r", "scopes": ["data:query"]})).json()
    from_here = {"authorization": f"Bearer {key['key']}", "user-agent": "report/1"}
    program = installation.browser_at("10.250.250.251", **from_here)
    await program.get(f"{project}/insights/defined?x=1")
    await member.client.get(f"{project}/insights/defined")
    await owner.client.put(f"{owner.path}/members/{member.id}/role", json={"role": "analyst"})
    await installation.browser().post("/v1/sign-in", json={"email": owner.email, "password": "wrong" * 4})
    await installation.browser().post("/v1/sign-in", json={"email": owner.email, "password": PASSWORD})
    entries = await _entries(owner)
    assert sorted(str(each["action"]) for each in entries) == [
        "api_key.created",
        "data.read",
        "data.read",
        "invitation.accepted",
        "invitation.accepted",
        "invitation.made",
        "member.role_changed",
        "project.created",
        "session.opened",
        "session.refused",
    ]
    reads = {str(each["actor_name"]): each for each in entries if each["action"] == "data.read"}
    assert set(reads) == {key["prefix"], member.email}
    read = reads[key["prefix"]]
    assert (read["actor_kind"], read["actor_id"], read["user_agent"]) == ("api_key", key["id"], "report/1")
    assert read["address"] == "10.250.250.251"
    assert read["details"] == {
        "method": "GET",
        "path": f"{project}/insights/defined",
        "query": "x=1",
        "permission": "data:query",
    }
    (changed,) = (each for each in entries if each["action"] == "member.role_changed")
    assert changed["details"] == {"before": "viewer", "after": "analyst"}
    assert key["key"] not in str(entries)


async def test_a_document_that_shows_persons_is_noted_as_an_access_to_persons(owner: Person) -> None:
    made = (await owner.client.post(f"{owner.path}/projects", json={"name": "Shop"})).json()
    for asked in ({"kind": "persons"}, {"kind": "trend", "last": 1, "series": [{"name": "all_events"}]}):
        await owner.client.post(f"/v1/projects/{made['id']}/query", json=asked)
    noted = [each["details"] for each in await _entries(owner) if each["action"] == "data.read"]
    assert sorted(details["permission"] for details in noted) == ["data:query", "persons:read"]


async def test_what_is_refused_changes_nothing_and_is_no_entry(owner: Person) -> None:
    before = len(await _entries(owner))
    await owner.client.delete(f"{owner.path}/members/{owner.id}")
    await owner.client.post(f"{owner.path}/roles", json={"name": "viewer", "permissions": []})
    assert len(await _entries(owner)) == before


async def test_entries_are_paged_and_filtered(owner: Person) -> None:
    for number in range(5):
        await owner.client.post(f"{owner.path}/teams", json={"name": f"Team {number}"})
    first = (await owner.client.get(f"{owner.path}/audit-log", params={"limit": 4})).json()
    second = (await owner.client.get(f"{owner.path}/audit-log", params={"limit": 4, "before": first["next"]})).json()
    ids = [each["id"] for each in first["entries"] + second["entries"]]
    assert ids == sorted(ids, reverse=True)
    assert second["next"] is None
    assert len(await _entries(owner, action="team.created")) == 5
    assert len(await _entries(owner, actor=owner.email)) == 6
    assert await _entries(owner, actor="nobody") == []
    assert await _entries(owner, since="2099-01-01T00:00:00Z") == []


@pytest.mark.parametrize("form", ["csv", "ndjson"])
async def test_the_log_can_be_taken_out_which_is_an_entry_itself(owner: Person, form: str) -> None:
    await owner.client.post(f"{owner.path}/teams", json={"name": "=cmd()"})
    response = await owner.client.get(f"{owner.path}/audit-log/export", params={"format": form})
    assert response.status_code == 200
    rows = (
        list(csv.DictReader(io.StringIO(response.text)))
        if form == "csv"
        else [json.loads(line) for line in response.text.splitlines()]
    )
    assert [row["action"] for row in rows] == ["invitation.accepted", "team.created", "audit_log.exported"]
    assert rows[1]["target_id"] == ("'=cmd()" if form == "csv" else "=cmd()")
    assert len(await _entries(owner, action="audit_log.exported")) == 1


@pytest.mark.parametrize(
    "statement", ["update audit_log set action = 'x'", "delete from audit_log", "truncate audit_log"]
)
def test_postgresql_itself_keeps_the_entries(runtime: Instance, statement: str) -> None:
    engine = metadata.connect(runtime.database_url)
    with engine.connect() as connection, pytest.raises(DBAPIError, match="never changed"):
        connection.execute(text(statement))
    engine.dispose()


async def test_what_postgresql_cannot_keep_stops_no_entry_of_others(owner: Person, installation: Installation) -> None:
    made = (await owner.client.post(f"{owner.path}/projects", json={"name": "Shop"})).json()
    project = f"/v1/projects/{made['id']}"
    odd = {"user-agent": "x" * 100_000}
    for path in ("a%00b", "%ED%A0%80", "x" * 5_000):
        await owner.client.get(f"{project}/insights/defined/{path}", headers=odd)
    trail = installation.app.state.resources.trail
    trail.note(Actor("user", owner.id, "nul\0"), "data.read", {}, organisation_id=owner.organisation)
    await owner.client.get(f"{project}/insights/defined")
    entries = await _entries(owner, action="data.read")
    assert len(entries) == 4
    assert max(len(str(each["user_agent"])) for each in entries) <= 500
    assert max(len(str(each["details"])) for each in entries) < 3_000


async def test_an_entry_is_written_once_however_many_write_and_leave(owner: Person, installation: Installation) -> None:
    trail = installation.app.state.resources.trail
    actor = Actor("user", owner.id, owner.email)
    for number in range(2_500):
        trail.note(actor, "data.read", {"number": number}, organisation_id=owner.organisation)
    leaving = [asyncio.create_task(trail.flush()) for _ in range(10)]
    await asyncio.sleep(0.005)
    for task in leaving[::2]:
        task.cancel()
    await asyncio.gather(*leaving, return_exceptions=True)
    response = await owner.client.get(f"{owner.path}/audit-log/export", params={"action": "data.read"})
    numbers = [json.loads(line)["details"]["number"] for line in response.text.splitlines()]
    assert sorted(numbers) == list(range(2_500))


async def test_a_wrong_second_factor_is_an_entry(owner: Person, installation: Installation) -> None:
    offered = (await owner.client.post("/v1/me/second-factor", json={"password": PASSWORD})).json()
    code = TOTP(offered["secret"]).now()
    await owner.client.post("/v1/me/second-factor/confirm", json={"code": code})
    body = {"email": owner.email, "password": PASSWORD, "code": "000000"}
    assert (await installation.browser().post("/v1/sign-in", json=body)).json()["code"] == "code_invalid"
    assert len(await _entries(owner, action="session.refused")) == 1


async def test_what_changes_nothing_is_no_entry(owner: Person, join: Join) -> None:
    member = await join(owner, "viewer")
    project = (await owner.client.post(f"{owner.path}/projects", json={"name": "Shop"})).json()["id"]
    before = len(await _entries(owner))
    await owner.client.patch(owner.path, json={"name": "Shop"})
    await owner.client.put(f"{owner.path}/members/{member.id}/role", json={"role": "viewer"})
    await owner.client.patch(f"/v1/projects/{project}", json={"name": "Shop"})
    assert len(await _entries(owner)) == before


async def test_a_question_is_kept_without_the_values_in_it(owner: Person) -> None:
    project = (await owner.client.post(f"{owner.path}/projects", json={"name": "Shop"})).json()["id"]
    where = {"trait": "email", "operator": "is", "value": "grace@secret.example"}
    asked = {"kind": "persons", "who": [{"events": "purchase", "where": [where]}], "search": "grace"}
    await owner.client.post(f"/v1/projects/{project}/query", json={"kind": "person", "user_id": "grace-hopper"})
    await owner.client.post(f"/v1/projects/{project}/query", json=asked)
    statement = "select count() /* grace@secret.example */ from fct_events where user_id = 'grace-hopper' and x = 4711"
    for _ in range(2):
        await owner.client.post(f"/v1/projects/{project}/sql", json={"sql": statement})
    await owner.client.post(f"/v1/projects/{project}/sql", json={"sql": "select 1, '" + "x" * 15_000})
    entries = await _entries(owner, action="data.read")
    details = [each["details"] for each in reversed(entries)]
    assert "grace" not in str(details)
    assert "4711" not in str(details)
    assert [each["permission"] for each in details][-3:] == ["sql:query"] * 3
    texts = [each["asked"]["text"] for each in details]
    assert texts[0] == '{"kind":"person","user_id":"…"}'
    assert texts[-3] == "select count ( ) from fct_events where user_id = … and x = …"
    assert texts[-1] == ""
    digests = [each["asked"]["digest"] for each in details]
    assert digests[-3] == digests[-2]
    assert len(set(digests)) == len(digests) - 1


async def test_long_questions_are_cut(owner: Person) -> None:
    project = (await owner.client.post(f"{owner.path}/projects", json={"name": "Shop"})).json()["id"]
    columns = ", ".join(f"column_{number}" for number in range(1_000))
    await owner.client.post(f"/v1/projects/{project}/sql", json={"sql": f"select {columns} from fct_events"})
    (entry,) = await _entries(owner, action="data.read")
    assert len(entry["details"]["asked"]["text"]) == 2_000


async def test_a_new_name_of_ones_own_is_an_entry(owner: Person) -> None:
    await owner.client.patch("/v1/me", json={"name": "Countess"})
    await owner.client.patch("/v1/me", json={"name": "Countess"})
    (entry,) = await _entries(owner, action="user.renamed")
    assert entry["details"] == {"before": "Ada", "after": "Countess"}
