"""API keys and write keys of a project."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from sqlalchemy import text

from core import metadata
from core.clock import utc_now
from engine.accounts import Installation, Person
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
    assert (await program.get("/v1/projects")).json()["code"] == "api_key_invalid"
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
