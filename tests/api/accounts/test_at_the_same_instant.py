"""Who loses a right at the very instant at which he gives it away."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from core.clock import utc_now
from core.metadata.engine import connect_async
from engine.accounts import PASSWORD, Installation, Person, new_email
from runtime.instance import Instance

Join = Callable[..., Awaitable[Person]]
# What a transaction was told once of others it is told again.
_LOOK_ANEW = text("select pg_stat_clear_snapshot()")
_WAITS = text("select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()")


@pytest.fixture
async def other(runtime: Instance) -> AsyncGenerator[AsyncConnection]:
    """Return a connection to PostgreSQL: what another process does at the same time."""
    engine = connect_async(runtime.database_url)
    async with engine.connect() as connection:
        yield connection
    await engine.dispose()


async def _waiting(other: AsyncConnection, *asked: asyncio.Task[httpx.Response]) -> None:
    """Return once all of these requests wait for what the other connection does."""
    for _ in range(200):
        await other.execute(_LOOK_ANEW)
        if any(each.done() for each in asked) or (await other.execute(_WAITS)).scalar_one() == len(asked):
            break
        await asyncio.sleep(0.01)
    assert [each.result().text for each in asked if each.done()] == []


async def _begin_to_invite(other: AsyncConnection, by: Person, organisation: int) -> None:
    """Do what `POST …/invitations` does, up to the moment before it is done."""
    await other.execute(text("select id from organisations where id = :id for no key update"), {"id": organisation})
    invitation = (
        "insert into invitations (organisation_id, email, token_hash, is_mailed, invited_by, expires_at) "
        "values (:id, 'eve@example.com', 'at-once-' || :by, true, :by, now() + interval '1 day')"
    )
    await other.execute(text(invitation), {"id": organisation, "by": by.id})


@pytest.fixture
async def keeper(owner: Person, join: Join) -> Person:
    """Return a member in a role of the organisation's own, who invites, makes keys and shares."""
    role = {
        "name": "keeper",
        "permissions": [
            *("project:read", "data:query", "data:export", "insights:write"),
            *("keys:manage", "members:read", "members:manage"),
        ],
    }
    assert (await owner.client.post(f"{owner.path}/roles", json=role)).status_code == 201
    return await join(owner, "keeper")


@pytest.fixture
async def project(owner: Person) -> str:
    """Return the address of a project."""
    made = await owner.client.post(f"{owner.path}/projects", json={"name": "Shop"})
    return f"/v1/projects/{made.json()['id']}"


async def test_what_was_taken_at_the_same_instant_is_not_given_away(
    owner: Person, keeper: Person, project: str, other: AsyncConnection
) -> None:
    made = await owner.client.post(f"{project}/dashboards", json={"name": "Sales", "tiles": []})
    links = f"{project}/saved/{made.json()['id']}/links"
    granted = {"project_id": int(project.rpartition("/")[2]), "user_id": keeper.id, "role": "keeper"}
    tries: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", f"{owner.path}/invitations", {"email": new_email(), "role": "keeper"}),
        ("PUT", f"{owner.path}/members/{keeper.id}/role", {"role": "viewer"}),
        ("POST", f"{owner.path}/grants", granted),
        ("POST", f"{owner.path}/roles", {"name": "mine", "permissions": ["data:query"]}),
        ("POST", f"{project}/api-keys", {"name": "k", "scopes": ["data:query"]}),
        ("POST", f"{project}/write-keys", {"name": "k"}),
        ("POST", links, {"expires_at": (utc_now() + timedelta(days=1)).isoformat()}),
    ]
    # What `PUT …/roles/keeper` does, up to the moment before it is done.
    held = {"id": owner.organisation}
    await other.execute(text("select id from organisations where id = :id for no key update"), held)
    narrowed = "update roles set permissions = '{project:read}' where organisation_id = :id and name = 'keeper'"
    await other.execute(text(narrowed), held)
    asked = [asyncio.create_task(keeper.client.request(method, path, json=body)) for method, path, body in tries]
    await _waiting(other, *asked)
    await other.commit()
    assert [(await each).json()["code"] for each in asked] == ["permission_missing"] * len(tries)


async def test_whoever_narrows_a_role_waits_for_what_its_holders_send_and_withdraws_it(
    owner: Person, keeper: Person, other: AsyncConnection
) -> None:
    await _begin_to_invite(other, keeper, owner.organisation)
    body = {"permissions": ["project:read"]}
    narrowing = asyncio.create_task(owner.client.put(f"{owner.path}/roles/keeper", json=body))
    await _waiting(other, narrowing)
    await other.commit()
    assert (await narrowing).status_code == 200
    assert (await owner.client.get(f"{owner.path}/invitations")).json()["invitations"] == []


@pytest.mark.parametrize("how", ["removed", "deleted"])
async def test_whoever_leaves_takes_with_him_what_he_sent_at_the_same_instant(
    owner: Person, keeper: Person, other: AsyncConnection, how: str
) -> None:
    await _begin_to_invite(other, keeper, owner.organisation)
    leaving = asyncio.create_task(
        owner.client.delete(f"{owner.path}/members/{keeper.id}")
        if how == "removed"
        else keeper.client.post("/v1/me/deletion", json={"password": PASSWORD})
    )
    await _waiting(other, leaving)
    await other.commit()
    assert (await leaving).is_success
    assert (await owner.client.get(f"{owner.path}/invitations")).json()["invitations"] == []


async def test_whoever_narrows_a_role_is_not_passed_by_those_who_give_it_on(
    owner: Person, keeper: Person, other: AsyncConnection
) -> None:
    await other.execute(text("select id from organisations where id = :id for share"), {"id": owner.organisation})
    body = {"permissions": ["project:read"]}
    narrowing = asyncio.create_task(owner.client.put(f"{owner.path}/roles/keeper", json=body))
    await _waiting(other, narrowing)
    invited = {"email": new_email(), "role": None}
    inviting = asyncio.create_task(keeper.client.post(f"{owner.path}/invitations", json=invited))
    await _waiting(other, narrowing, inviting)
    await other.commit()
    assert [(await each).status_code for each in (narrowing, inviting)] == [200, 403]


async def test_whoever_joins_while_his_other_invitation_is_withdrawn_is_not_in_its_way(
    owner: Person, installation: Installation, other: AsyncConnection
) -> None:
    email = new_email()
    assert (await owner.client.post(f"{owner.path}/invitations", json={"email": email, "role": None})).is_success
    token = installation.token_mailed(email)
    former = (
        "insert into invitations (organisation_id, email, token_hash, is_mailed, expires_at) "
        "values (:id, :email, 'former-' || :id, true, now() + interval '1 day') returning id"
    )
    values = {"id": owner.organisation, "email": email}
    withdrawn = (await other.execute(text(former), values)).scalar_one()
    await other.commit()
    # What `DELETE …/members/…` of who sent both does, in between the two.
    await other.execute(text("select id from invitations where id = :id for update"), {"id": withdrawn})
    body = {"invitation": token, "name": "Eve", "password": PASSWORD}
    joined = await installation.browser().post("/v1/sign-up", json=body)
    assert joined.is_success, joined.text


async def test_whoever_joins_in_a_role_that_is_narrowed_is_not_in_its_way(
    owner: Person, keeper: Person, new_owner: Callable[..., Awaitable[Person]], other: AsyncConnection
) -> None:
    joining, email = await new_owner("Other"), new_email()
    invited = {"email": email, "role": "keeper"}
    assert (await keeper.client.post(f"{owner.path}/invitations", json=invited)).is_success
    # What `POST …/invitations/accept` does.
    await other.execute(text("select id from invitations where email = :email for update"), {"email": email})
    body = {"permissions": ["project:read"]}
    narrowing = asyncio.create_task(owner.client.put(f"{owner.path}/roles/keeper", json=body))
    await _waiting(other, narrowing)
    joined = (
        "insert into memberships (organisation_id, user_id, role_id) "
        "select organisation_id, :user, id from roles where organisation_id = :id and name = 'keeper'"
    )
    await other.execute(text(joined), {"id": owner.organisation, "user": joining.id})
    await other.commit()
    assert (await narrowing).status_code == 200


async def test_a_role_in_which_somebody_joins_is_in_use(owner: Person, other: AsyncConnection) -> None:
    await owner.client.post(f"{owner.path}/roles", json={"name": "guest", "permissions": []})
    invited = {"email": new_email(), "role": "guest"}
    assert (await owner.client.post(f"{owner.path}/invitations", json=invited)).is_success
    await other.execute(text("select id from invitations where email = :email for update"), invited)
    deleted = await owner.client.delete(f"{owner.path}/roles/guest")
    assert (deleted.status_code, deleted.json()["code"]) == (409, "in_use")


async def test_many_who_invite_and_narrow_at_once_lock_each_other_out_of_nothing(owner: Person, keeper: Person) -> None:
    body = {"permissions": ["project:read", "members:read"]}
    invited = [
        keeper.client.post(f"{owner.path}/invitations", json={"email": new_email(), "role": None}) for _ in range(6)
    ]
    *sent, narrowed = await asyncio.gather(*invited, owner.client.put(f"{owner.path}/roles/keeper", json=body))
    assert narrowed.status_code == 200
    assert {each.status_code for each in sent} <= {201, 403}
    assert (await owner.client.get(f"{owner.path}/invitations")).json()["invitations"] == []
