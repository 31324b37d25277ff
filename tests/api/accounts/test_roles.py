"""Who may do what in an organisation and its projects."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy.orm import Session

from core import metadata
from core.metadata.organisations import invite
from core.metadata.permissions import BUILT_IN
from engine.accounts import PASSWORD, Installation, Person, new_email, signed_up
from runtime.instance import Instance

Join = Callable[..., Awaitable[Person]]


async def _project(by: Person, name: str = "Shop") -> int:
    made = await by.client.post(f"{by.path}/projects", json={"name": name, "timezone": "Europe/Berlin"})
    assert made.status_code == 201, made.text
    return int(made.json()["id"])


async def _code(by: Person, method: str, path: str, **body: object) -> str:
    response = await by.client.request(method, path, json=body or None)
    return "fine" if response.is_success else str(response.json()["code"])


async def test_a_role_allows_what_it_says_in_all_projects(owner: Person, join: Join) -> None:
    project = await _project(owner)
    allowed: dict[str, list[str]] = {}
    for role in ("admin", "analyst", "viewer"):
        member = await join(owner, role)
        tries = {
            "keys:manage": ("GET", f"/v1/projects/{project}/api-keys"),
            "members:read": ("GET", f"{owner.path}/members"),
            "audit:read": ("GET", f"{owner.path}/audit-log"),
            "organisation:manage": ("PATCH", owner.path),
        }
        codes = {name: await _code(member, *asked, **_body(name)) for name, asked in tries.items()}
        assert set(codes.values()) <= {"fine", "permission_missing"}
        allowed[role] = [name for name, code in codes.items() if code == "fine"]
    assert allowed == {
        role: [name for name in ("keys:manage", "members:read", "audit:read", "organisation:manage") if name in granted]
        for role, granted in BUILT_IN.items()
        if role != "owner"
    }


def _body(name: str) -> dict[str, object]:
    return {"name": "Shop"} if name == "organisation:manage" else {}


async def test_without_a_role_a_member_sees_what_is_granted_alone(owner: Person, join: Join) -> None:
    first, second = await _project(owner, "One"), await _project(owner, "Two")
    member = await join(owner, None)

    async def seen() -> list[int]:
        return [each["id"] for each in (await member.client.get("/v1/projects")).json()["projects"]]

    assert await seen() == []
    body = {"project_id": first, "user_id": member.id, "role": "analyst"}
    grant = (await owner.client.post(f"{owner.path}/grants", json=body)).json()
    assert await seen() == [first]
    assert (await owner.client.post(f"{owner.path}/grants", json=body)).json()["code"] == "grant_exists"
    assert (await member.client.get(f"/v1/projects/{second}/event-names")).json()["code"] == "project_not_found"
    assert (await owner.client.delete(f"{owner.path}/grants/{grant['id']}")).status_code == 204
    assert await seen() == []


async def test_a_team_has_what_was_granted_to_it(owner: Person, join: Join) -> None:
    project = await _project(owner)
    member = await join(owner, None)
    team = (await owner.client.post(f"{owner.path}/teams", json={"name": "Growth"})).json()["id"]
    assert await _code(owner, "POST", f"{owner.path}/teams", name="Growth") == "name_taken"
    body = {"project_id": project, "team_id": team, "role": "viewer"}
    assert (await owner.client.post(f"{owner.path}/grants", json=body)).status_code == 201
    in_team = f"{owner.path}/teams/{team}/members/{member.id}"
    assert (await member.client.get("/v1/projects")).json()["projects"] == []
    for _ in range(2):
        assert (await owner.client.put(in_team)).status_code == 204
    assert [each["id"] for each in (await member.client.get("/v1/projects")).json()["projects"]] == [project]
    assert (await owner.client.get(f"{owner.path}/teams")).json()["teams"][0]["members"] == [member.id]
    assert (await owner.client.delete(in_team)).status_code == 204
    assert (await member.client.get("/v1/projects")).json()["projects"] == []
    assert (await owner.client.put(in_team)).status_code == 204
    assert (await owner.client.delete(f"{owner.path}/teams/{team}")).status_code == 204
    assert (await member.client.get("/v1/projects")).json()["projects"] == []


async def test_a_role_of_ones_own_is_made_changed_and_deleted(owner: Person, join: Join) -> None:
    project = await _project(owner)
    body = {"name": "support", "permissions": ["project:read", "persons:read"]}
    assert (await owner.client.post(f"{owner.path}/roles", json=body)).status_code == 201
    assert await _code(owner, "POST", f"{owner.path}/roles", **body) == "name_taken"
    member = await join(owner, "support")
    assert await _code(member, "GET", f"/v1/projects/{project}/event-names") == "permission_missing"
    changed = {"permissions": ["project:read", "keys:manage"]}
    assert (await owner.client.put(f"{owner.path}/roles/support", json=changed)).status_code == 200
    assert await _code(member, "GET", f"/v1/projects/{project}/api-keys") == "fine"
    assert await _code(owner, "DELETE", f"{owner.path}/roles/support") == "in_use"
    assert await _code(owner, "PUT", f"{owner.path}/roles/viewer", permissions=[]) == "built_in_role"
    assert await _code(owner, "DELETE", f"{owner.path}/roles/viewer") == "built_in_role"
    unknown = await owner.client.post(f"{owner.path}/roles", json={"name": "x", "permissions": ["world:rule"]})
    assert unknown.status_code == 422


async def test_nobody_gives_or_takes_more_than_he_has(owner: Person, join: Join) -> None:
    project = await _project(owner)
    admin, viewer = await join(owner, "admin"), await join(owner, "viewer")
    roles = f"{owner.path}/roles"
    everything = sorted(BUILT_IN["owner"])
    assert await _code(owner, "POST", roles, name="second", permissions=everything) == "fine"
    for method, path, body in (
        ("POST", f"{owner.path}/invitations", {"email": "eve@example.com", "role": "owner"}),
        ("PUT", f"{owner.path}/members/{admin.id}/role", {"role": "owner"}),
        ("PUT", f"{owner.path}/members/{owner.id}/role", {"role": "viewer"}),
        ("DELETE", f"{owner.path}/members/{owner.id}", {}),
        ("POST", roles, {"name": "god", "permissions": everything}),
        ("PUT", f"{roles}/second", {"permissions": ["project:read"]}),
        ("DELETE", f"{roles}/second", {}),
        ("POST", f"{owner.path}/grants", {"project_id": project, "user_id": admin.id, "role": "second"}),
    ):
        assert await _code(admin, method, path, **body) == "too_powerful", path
    for method, path, body in (
        ("POST", f"{owner.path}/invitations", {"email": "eve@example.com", "role": "viewer"}),
        ("PUT", f"{owner.path}/members/{viewer.id}/role", {"role": "admin"}),
        ("POST", roles, {"name": "mine", "permissions": ["project:read"]}),
        ("POST", f"{owner.path}/grants", {"project_id": project, "user_id": viewer.id, "role": "analyst"}),
        ("POST", f"{owner.path}/teams", {"name": "Mine"}),
    ):
        assert await _code(viewer, method, path, **body) == "permission_missing", path
    assert await _code(viewer, "DELETE", f"{owner.path}/members/{admin.id}") == "too_powerful"
    granted = {"project_id": project, "role": "second"}
    team = (await owner.client.post(f"{owner.path}/teams", json={"name": "Gods"})).json()["id"]
    assert (await owner.client.post(f"{owner.path}/grants", json=granted | {"team_id": team})).status_code == 201
    assert await _code(admin, "PUT", f"{owner.path}/teams/{team}/members/{admin.id}") == "too_powerful"


async def test_an_organisation_keeps_an_owner(owner: Person, join: Join) -> None:
    mine = f"{owner.path}/members/{owner.id}"
    assert await _code(owner, "DELETE", mine) == "last_owner"
    assert await _code(owner, "PUT", f"{mine}/role", role="admin") == "last_owner"
    second = await join(owner, "owner")
    theirs = f"{owner.path}/members/{second.id}"
    codes = await asyncio.gather(_code(owner, "DELETE", mine), _code(second, "DELETE", theirs))
    assert sorted(codes) == ["fine", "last_owner"]


async def test_whoever_is_removed_sees_nothing_from_the_next_request_on(owner: Person, join: Join) -> None:
    project = await _project(owner)
    member = await join(owner, "admin")
    assert await _code(member, "GET", f"/v1/projects/{project}/api-keys") == "fine"
    assert await _code(owner, "DELETE", f"{owner.path}/members/{member.id}") == "fine"
    assert await _code(member, "GET", f"/v1/projects/{project}/api-keys") == "project_not_found"
    assert await _code(member, "GET", f"{owner.path}/members") == "organisation_not_found"
    assert (await member.client.get("/v1/me")).json()["organisations"] == []


async def test_whoever_joined_has_no_further_invitation(
    owner: Person, installation: Installation, runtime: Instance
) -> None:
    email = new_email()
    engine = metadata.connect(runtime.database_url)
    with Session(engine) as session, session.begin():
        tokens = [
            invite(session, owner.organisation, email, None, invited_by=None, is_mailed=False)[1] for _ in range(2)
        ]
    engine.dispose()
    await signed_up(installation, tokens[1], email, owner.organisation)
    assert (await owner.client.get(f"{owner.path}/invitations")).json()["invitations"] == []
    refused = await installation.browser().post("/v1/invitations/look-up", json={"invitation": tokens[0]})
    assert refused.json()["code"] == "link_invalid"


async def test_everybody_may_leave(owner: Person, join: Join) -> None:
    member = await join(owner, "viewer")
    assert await _code(member, "DELETE", f"{owner.path}/members/{member.id}") == "fine"
    assert (await member.client.get("/v1/organisations")).json()["organisations"] == []


async def test_an_organisation_is_reached_from_its_networks_alone(
    owner: Person, join: Join, installation: Installation
) -> None:
    project = await _project(owner)
    key = (
        await owner.client.post(f"/v1/projects/{project}/api-keys", json={"name": "k", "scopes": ["data:query"]})
    ).json()["key"]
    member = await join(owner, "admin")
    assert await _code(owner, "PATCH", owner.path, allowed_networks=["192.0.2.0/24"]) == "locked_out"
    assert await _code(owner, "PATCH", owner.path, allowed_networks=["192.0.2.0/33"]) == "invalid_network"
    assert await _code(owner, "PATCH", owner.path, allowed_networks=[owner.address, "2001:db8::/32"]) == "fine"
    assert await _code(owner, "GET", f"/v1/projects/{project}/api-keys") == "fine"
    assert await _code(member, "GET", f"/v1/projects/{project}/api-keys") == "address_not_allowed"
    assert await _code(member, "GET", f"{owner.path}/members") == "address_not_allowed"
    assert (await member.client.get("/v1/projects")).json()["projects"] == []
    elsewhere = installation.browser(authorization=f"Bearer {key}")
    refused = await elsewhere.get(f"/v1/projects/{project}/insights/defined")
    assert refused.json()["code"] == "address_not_allowed"
    assert await _code(owner, "PATCH", owner.path, allowed_networks=[]) == "fine"
    assert (await elsewhere.get(f"/v1/projects/{project}/insights/defined")).status_code == 200


@pytest.mark.parametrize("body", [{}, {"name": "Shop", "owner": True}, {"name": ""}, {"name": "a\u0000b"}])
async def test_a_change_of_nothing_or_of_the_unknown_is_refused(owner: Person, body: dict[str, object]) -> None:
    assert (await owner.client.patch(owner.path, json=body)).status_code == 422


async def test_nobody_takes_back_an_invitation_to_more_than_he_has(owner: Person, join: Join) -> None:
    admin = await join(owner, "admin")
    body = {"email": new_email(), "role": "owner"}
    sent = (await owner.client.post(f"{owner.path}/invitations", json=body)).json()
    assert await _code(admin, "DELETE", f"{owner.path}/invitations/{sent['id']}") == "too_powerful"
    assert await _code(admin, "POST", f"{owner.path}/invitations", email=body["email"], role="viewer") == "fine"
    listed = (await owner.client.get(f"{owner.path}/invitations")).json()["invitations"]
    assert {each["role"] for each in listed} == {"owner", "viewer"}


@pytest.mark.parametrize("how", ["deleted", "removed", "role", "permissions"])
async def test_who_may_not_invite_any_more_gets_nobody_in_whom_he_invited(
    owner: Person, join: Join, installation: Installation, how: str
) -> None:
    role = {"name": "host", "permissions": ["members:read", "members:manage"]}
    await owner.client.post(f"{owner.path}/roles", json=role)
    host = await join(owner, "host")
    email = new_email()
    sent = await host.client.post(f"{owner.path}/invitations", json={"email": email, "role": None})
    assert sent.status_code == 201
    member = f"{owner.path}/members/{host.id}"
    done = {
        "deleted": lambda: host.client.post("/v1/me/deletion", json={"password": PASSWORD}),
        "removed": lambda: owner.client.delete(member),
        "role": lambda: owner.client.put(f"{member}/role", json={"role": "viewer"}),
        "permissions": lambda: owner.client.put(
            f"{owner.path}/roles/host", json={"permissions": ["members:read", "project:read"]}
        ),
    }
    assert (await done[how]()).status_code < 300
    token = {"invitation": installation.token_mailed(email)}
    assert (await installation.browser().post("/v1/invitations/look-up", json=token)).json()["code"] == "link_invalid"
    asked = {"action": "invitation.revoked"}
    (told,) = (await owner.client.get(f"{owner.path}/audit-log", params=asked)).json()["entries"]
    assert (told["target_id"], told["details"]["email"]) == (str(sent.json()["id"]), email)


async def test_whoever_was_removed_in_another_process_changes_nothing_any_more(
    install: Callable[..., Any], installation: Installation, owner: Person, join: Join
) -> None:
    admin = await join(owner, "admin")
    project = (await owner.client.post(f"{owner.path}/projects", json={"name": "Shop"})).json()["id"]
    async with install(installation.settings.model_copy(update={"key_cache_seconds": 60})) as other:
        client = other.browser()
        client.cookies.update(admin.client.cookies)
        client.headers["x-csrf-token"] = admin.client.headers["x-csrf-token"]
        assert (await client.get(owner.path)).status_code == 200
        assert (await owner.client.delete(f"{owner.path}/members/{admin.id}")).status_code == 200
        tries = [
            client.post(f"{owner.path}/invitations", json={"email": new_email(), "role": "admin"}),
            client.post(f"/v1/projects/{project}/api-keys", json={"name": "k", "scopes": ["data:query"]}),
            client.put(f"{owner.path}/members/{admin.id}/role", json={"role": "owner"}),
        ]
        assert [(await each).status_code for each in tries] == [404] * 3


async def test_a_role_that_an_invitation_had_can_be_deleted(owner: Person, join: Join) -> None:
    await owner.client.post(f"{owner.path}/roles", json={"name": "support", "permissions": ["project:read"]})
    member = await join(owner, "support")
    await owner.client.put(f"{owner.path}/members/{member.id}/role", json={"role": "viewer"})
    assert await _code(owner, "DELETE", f"{owner.path}/roles/support") == "fine"


async def test_a_member_invites_so_many_a_day(
    install: Callable[..., Any], installation: Installation, owner: Person, runtime: Instance
) -> None:
    async with install(installation.settings.model_copy(update={"invitations_per_day": 2})) as strict:
        client = strict.browser()
        client.cookies.update(owner.client.cookies)
        client.headers["x-csrf-token"] = owner.client.headers["x-csrf-token"]
        sent = [{"email": new_email(), "role": "viewer"} for _ in range(4)]
        asked = [client.post(f"{owner.path}/invitations", json=body) for body in sent]
        statuses = [response.status_code for response in await asyncio.gather(*asked)]
        assert sorted(statuses) == [201, 201, 429, 429]
        refused = await client.post(f"{owner.path}/invitations", json=sent[0])
        assert refused.json()["code"] == "too_many_invitations"
        assert 86_000 < int(refused.headers["retry-after"]) <= 86_401
        engine = metadata.connect(runtime.database_url)
        with engine.begin() as connection:
            yesterday = "update invitations set created_at = now() - interval '25 hours' where invited_by = %s"
            connection.exec_driver_sql(yesterday, (owner.id,))
        engine.dispose()
        assert (await client.post(f"{owner.path}/invitations", json=sent[0])).status_code == 201


async def test_organisations_that_cannot_be_reached_from_somewhere_are_not_named_there(
    owner: Person, installation: Installation
) -> None:
    assert (await owner.client.patch(owner.path, json={"allowed_networks": [f"{owner.address}/32"]})).status_code == 204
    elsewhere = installation.browser()
    elsewhere.cookies.update(owner.client.cookies)
    assert (await elsewhere.get("/v1/me")).json()["organisations"] == []
    assert (await elsewhere.get("/v1/organisations")).json()["organisations"] == []
    assert len((await owner.client.get("/v1/me")).json()["organisations"]) == 1
