"""API keys and write keys of a project."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from core import metadata
from core.clock import utc_now
from engine.accounts import PASSWORD, Installation, Person
from runtime.instance import Instance

Join = Callable[..., Awaitable[Person]]


async def _project(by: Person) -> str:
    made = await by.client.post(f"{by.path}/projects", json={"name": "Shop"})
    return f"/v1/projects/{made.json()['id']}"


async def test_a_key_reads_what_its_scopes_say_until_it_is_revoked(owner: Person, installation: Installation) -> None:
    project = await _project(owner)
    made = (await owner.client.post(f"{project}/api-keys", json={"name": "r", "scopes": ["data:query"]})).json()
    program = installation.browser(authorization=f"Bearer {made['key']}")
    assert (await program.get(f"{project}/insights/defined")).status_code == 200
    other = (await owner.client.post(f"{project}/api-keys", json={"name": "p", "scopes": ["persons:read"]})).json()
    reader = installation.browser(authorization=f"Bearer {other['key']}")
    refused = (await reader.get(f"{project}/insights/defined")).json()
    assert (refused["code"], refused["permission"]) == ("permission_missing", "data:query")
    listed = (await owner.client.get(f"{project}/api-keys")).json()["keys"]
    assert [(each["name"], each["scopes"], each["created_by"]) for each in listed] == [
        ("r", ["data:query"], owner.id),
        ("p", ["persons:read"], owner.id),
    ]
    assert made["key"] not in str(listed)
    assert listed[0]["last_used_at"] is not None
    assert (await owner.client.delete(f"{project}/api-keys/{made['id']}")).status_code == 204
    assert (await program.get(f"{project}/insights/defined")).json()["code"] == "api_key_invalid"


async def test_a_key_expires(owner: Person, installation: Installation, runtime: Instance) -> None:
    project = await _project(owner)
    body = {"name": "r", "scopes": ["data:query"], "expires_at": (utc_now() + timedelta(hours=1)).isoformat()}
    made = (await owner.client.post(f"{project}/api-keys", json=body)).json()
    program = installation.browser(authorization=f"Bearer {made['key']}")
    assert (await program.get("/v1/projects")).status_code == 200
    engine = metadata.connect(runtime.database_url)
    with engine.begin() as connection:
        connection.execute(text("update api_keys set expires_at = now() where id = :id"), {"id": made["id"]})
    engine.dispose()
    refused = (await program.get("/v1/projects")).json()
    assert (refused["code"], "has expired" in refused["detail"]) == ("api_key_invalid", True)
    past = body | {"expires_at": utc_now().isoformat()}
    assert (await owner.client.post(f"{project}/api-keys", json=past)).json()["code"] == "expiry_past"
    local = body | {"expires_at": "2099-01-01T00:00:00"}
    assert (await owner.client.post(f"{project}/api-keys", json=local)).status_code == 422


async def test_a_keeper_of_keys_makes_none_that_may_more_than_he(owner: Person, join: Join) -> None:
    project = await _project(owner)
    permissions = ["project:read", "keys:manage", "data:query"]
    await owner.client.post(f"{owner.path}/roles", json={"name": "keeper", "permissions": permissions})
    keeper = await join(owner, "keeper")
    body = {"name": "r", "scopes": ["data:query", "sql:query"]}
    refused = (await keeper.client.post(f"{project}/api-keys", json=body)).json()
    assert (refused["code"], refused["permissions"]) == ("too_powerful", ["sql:query"])
    manages = await keeper.client.post(f"{project}/api-keys", json={"name": "r", "scopes": ["keys:manage"]})
    assert manages.status_code == 422


async def test_an_api_key_manages_nothing(owner: Person, installation: Installation) -> None:
    project = await _project(owner)
    made = (await owner.client.post(f"{project}/api-keys", json={"name": "r", "scopes": ["data:query"]})).json()
    program = installation.browser(authorization=f"Bearer {made['key']}")
    for path in (
        f"{project}/api-keys",
        f"{project}/write-keys",
        f"{owner.path}/members",
        "/v1/me",
        "/v1/organisations",
    ):
        response = await program.get(path)
        assert response.json()["code"] in {"sign_in_needed", "permission_missing"}, path


async def test_a_write_key_is_made_with_its_origins_and_revoked(owner: Person) -> None:
    project = await _project(owner)
    body = {"name": "web", "allowed_origins": ["https://Shop.example"], "events_per_second": 50}
    made = (await owner.client.post(f"{project}/write-keys", json=body)).json()
    assert made["key"].startswith("wk_")
    assert (made["allowed_origins"], made["events_per_second"]) == (["https://shop.example"], 50)
    wrong = await owner.client.post(f"{project}/write-keys", json=body | {"allowed_origins": ["shop"]})
    assert wrong.json()["code"] == "invalid_origin"
    assert (await owner.client.delete(f"{project}/write-keys/{made['id']}")).status_code == 204
    (listed,) = (await owner.client.get(f"{project}/write-keys")).json()["keys"]
    assert listed["revoked_at"] is not None


async def test_projects_are_made_and_changed(owner: Person) -> None:
    project = await _project(owner)
    changed = await owner.client.patch(project, json={"timezone": "Asia/Kathmandu", "week_start": 7})
    assert (changed.json()["timezone"], changed.json()["week_start"]) == ("Asia/Kathmandu", 7)
    wrong = await owner.client.patch(project, json={"name": "New", "timezone": "Mars/Olympus"})
    assert wrong.json()["code"] == "invalid_project"
    (listed,) = (await owner.client.get("/v1/projects")).json()["projects"]
    assert (listed["name"], listed["timezone"]) == ("Shop", "Asia/Kathmandu")


async def _made_by(member: Person, project: str) -> tuple[dict[str, Any], int]:
    """Let somebody make a key and share a dashboard by link."""
    key = (await member.client.post(f"{project}/api-keys", json={"name": "r", "scopes": ["data:query"]})).json()
    dashboard = (await member.client.post(f"{project}/dashboards", json={"name": "Sales", "tiles": []})).json()["id"]
    expiry = {"expires_at": (utc_now() + timedelta(days=1)).isoformat()}
    link = await member.client.post(f"{project}/saved/{dashboard}/links", json=expiry)
    return key, int(link.json()["id"])


@pytest.mark.parametrize("query", ["", "?revoke=true"])
async def test_what_a_removed_member_made_is_named_and_ends_if_that_is_asked_for(
    owner: Person, join: Join, installation: Installation, query: str
) -> None:
    project = await _project(owner)
    admin = await join(owner, "admin")
    key, link = await _made_by(admin, project)
    mine, _ = await _made_by(owner, project)
    gone = await admin.client.post(f"{project}/api-keys", json={"name": "old", "scopes": ["data:query"]})
    await admin.client.delete(f"{project}/api-keys/{gone.json()['id']}")
    revoke = bool(query)
    said = (await owner.client.delete(f"{owner.path}/members/{admin.id}{query}")).json()
    assert said["revoked"] is revoke
    assert [(each["id"], each["prefix"]) for each in said["api_keys"]] == [(key["id"], key["prefix"])]
    assert [each["id"] for each in said["links"]] == [link]
    (told,) = (await owner.client.get(f"{owner.path}/audit-log", params={"action": "member.removed"})).json()["entries"]
    assert (told["details"]["api_keys"], told["details"]["links"]) == ([key["prefix"]], [link])
    program = installation.browser(authorization=f"Bearer {key['key']}")
    assert (await program.get("/v1/projects")).status_code == (401 if revoke else 200)
    links = [each["id"] for each in (await owner.client.get(f"{project}/links")).json()["links"]]
    assert (link in links) is not revoke
    revoked = (await owner.client.get(f"{owner.path}/audit-log", params={"action": "api_key.revoked"})).json()[
        "entries"
    ]
    assert len(revoked) == 1 + revoke
    own = installation.browser(authorization=f"Bearer {mine['key']}")
    assert (await own.get("/v1/projects")).status_code == 200


async def test_whoever_may_make_no_keys_revokes_none_of_others(owner: Person, join: Join) -> None:
    permissions = ["members:read", "members:manage"]
    await owner.client.post(f"{owner.path}/roles", json={"name": "host", "permissions": permissions})
    host, member = await join(owner, "host"), await join(owner, None)
    path = f"{owner.path}/members/{member.id}"
    refused = await host.client.delete(path, params={"revoke": True})
    assert (refused.status_code, refused.json()["permissions"]) == (403, ["insights:write", "keys:manage"])
    assert (await host.client.delete(path)).status_code == 200


async def test_what_somebody_made_in_another_organisation_stays(
    owner: Person, new_owner: Callable[..., Awaitable[Person]], installation: Installation
) -> None:
    other = await new_owner("Other")
    key, _ = await _made_by(owner, await _project(owner))
    sent = await other.client.post(f"{other.path}/invitations", json={"email": owner.email, "role": "admin"})
    assert sent.status_code == 201
    joined = {"invitation": installation.token_mailed(owner.email)}
    assert (await owner.client.post("/v1/invitations/accept", json=joined)).status_code == 200
    theirs, _ = await _made_by(owner, await _project(other))
    removed = await other.client.delete(f"{other.path}/members/{owner.id}", params={"revoke": True})
    assert [each["id"] for each in removed.json()["api_keys"]] == [theirs["id"]]
    program = installation.browser(authorization=f"Bearer {key['key']}")
    assert (await program.get("/v1/projects")).status_code == 200


async def test_a_key_that_outlives_its_makers_rights_is_listed_as_such(owner: Person, join: Join) -> None:
    project = await _project(owner)
    role = {"name": "keeper", "permissions": ["project:read", "keys:manage", "data:query"]}
    await owner.client.post(f"{owner.path}/roles", json=role)
    granted = {"project_id": int(project.rpartition("/")[2]), "role": "keeper"}
    roles = {"narrowed": "keeper", "removed": "keeper", "deleted": "keeper", "ungranted": None, "out of the team": None}
    people = {name: await join(owner, role) for name, role in roles.items()}
    team = (await owner.client.post(f"{owner.path}/teams", json={"name": "Growth"})).json()["id"]
    in_team = f"{owner.path}/teams/{team}/members/{people['out of the team'].id}"
    await owner.client.put(in_team)
    await owner.client.post(f"{owner.path}/grants", json=granted | {"team_id": team})
    grant = await owner.client.post(f"{owner.path}/grants", json=granted | {"user_id": people["ungranted"].id})
    for name, person in (("kept", owner), *people.items()):
        made = await person.client.post(f"{project}/api-keys", json={"name": name, "scopes": ["data:query"]})
        assert (made.status_code, made.json()["outlives_maker"]) == (201, False)

    async def outliving() -> list[tuple[str, int]]:
        keys = (await owner.client.get(f"{project}/api-keys")).json()["keys"]
        return [(each["name"], each["created_by"]) for each in keys if each["outlives_maker"]]

    assert await outliving() == []
    await owner.client.put(f"{owner.path}/members/{people['narrowed'].id}/role", json={"role": None})
    await owner.client.delete(f"{owner.path}/members/{people['removed'].id}")
    await people["deleted"].client.post("/v1/me/deletion", json={"password": PASSWORD})
    await owner.client.delete(f"{owner.path}/grants/{grant.json()['id']}")
    await owner.client.delete(in_team)
    assert await outliving() == [(name, person.id) for name, person in people.items()]
