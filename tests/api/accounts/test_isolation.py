"""No operation gives or changes anything of another tenant, whatever ids, keys and tokens are tried."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.accounts import PASSWORD, Installation, Person
from engine.saml_provider import saml_provider

NewOwner = Callable[..., Awaitable[Person]]
# Operations whose path names no organisation and no project: they are about whoever asks, or by a link that he has.
_OF_ONESELF = (
    "/v1/exports",
    "/v1/me",
    "/v1/sign",
    "/v1/tokens",
    "/v1/password-resets",
    "/v1/email-verifications",
    "/v1/invitations",
    "/v1/shared",
)
MEMBERS: dict[str, Any] = {"kind": "cohort", "who": [{"did": "purchase"}]}
OF_VICTIM = {"cohort": "cohort_of_victim"}


def _operations(document: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (method.upper(), path)
        for path, operations in document["paths"].items()
        for method in operations
        if method in {"get", "post", "put", "patch", "delete"}
    ]


@pytest.fixture
async def victim(new_owner: NewOwner, tmp_path: Path) -> dict[str, Any]:
    """Return the ids of everything that another organisation has, and keys of it."""
    owner = await new_owner("Victim")
    project = (await owner.client.post(f"{owner.path}/projects", json={"name": "Secret"})).json()["id"]
    path = f"/v1/projects/{project}"
    key = (await owner.client.post(f"{path}/api-keys", json={"name": "k", "scopes": ["data:query"]})).json()
    write_key = (await owner.client.post(f"{path}/write-keys", json={"name": "w"})).json()
    team = (await owner.client.post(f"{owner.path}/teams", json={"name": "Secret"})).json()["id"]
    body = {"project_id": project, "team_id": team, "role": "viewer"}
    grant = (await owner.client.post(f"{owner.path}/grants", json=body)).json()["id"]
    mailed = {"email": "x@example.com", "role": "viewer"}
    invitation = (await owner.client.post(f"{owner.path}/invitations", json=mailed)).json()["id"]
    await owner.client.post(f"{owner.path}/roles", json={"name": "secret", "permissions": []})
    folder = (await owner.client.post(f"{path}/folders", json={"name": "Secret"})).json()
    who = {"kind": "cohort", "who": [{"did": "Secret"}]}
    cohort = (await owner.client.post(f"{path}/cohorts", json={"name": "cohort_of_victim", "query": who})).json()
    tile = {"kind": "text", "id": "tile", "x": 0, "y": 0, "width": 1, "height": 1, "text": "Secret"}
    dashboard = (await owner.client.post(f"{path}/dashboards", json={"name": "Secret", "tiles": [tile]})).json()
    expiry = {"expires_at": (datetime.now(UTC) + timedelta(days=1)).isoformat()}
    link = (await owner.client.post(f"{path}/saved/{dashboard['id']}/links", json=expiry)).json()
    (session,) = (await owner.client.get("/v1/me/sessions")).json()["sessions"]
    export = (await owner.client.post(f"{path}/exports", json={"kind": "persons"})).json()["id"]
    provider = {"kind": "saml", "name": "Secret", "metadata": saml_provider(tmp_path).metadata}
    provider_id = (await owner.client.post(f"{owner.path}/identity-providers", json=provider)).json()["id"]
    ids = {
        "provider_id": provider_id,
        "organisation_id": owner.organisation,
        "project_id": project,
        "user_id": owner.id,
        "team_id": team,
        "grant_id": grant,
        "invitation_id": invitation,
        "name": "secret",
        "session_id": session["id"],
        "object_id": dashboard["id"],
        "version": 1,
        "tile_id": "tile",
        "link_id": link["id"],
    }
    return {
        "owner": owner,
        "ids": ids,
        "api_key": key,
        "write_key": write_key,
        "export": export,
        "folder": folder["id"],
        "cohort": cohort["id"],
    }


async def test_another_tenants_ids_are_unknown_to_every_operation(
    installation: Installation, owner: Person, victim: dict[str, Any]
) -> None:
    made = (await owner.client.post(f"{owner.path}/projects", json={"name": "Mine"})).json()["id"]
    key = {"name": "k", "scopes": ["data:query"]}
    api_key = (await owner.client.post(f"/v1/projects/{made}/api-keys", json=key)).json()["key"]
    program = installation.browser(authorization=f"Bearer {api_key}")
    signed_in = {"email": owner.email, "password": PASSWORD}
    access = (await installation.browser().post("/v1/tokens", json=signed_in)).json()["access_token"]
    token = installation.browser(authorization=f"Bearer {access}")
    ids = victim["ids"] | {"key_id": victim["api_key"]["id"], "export_id": victim["export"]}
    tried = 0
    for method, path in _operations(installation.app.openapi()):
        if "{organisation_id}" not in path and "{project_id}" not in path:
            assert path.startswith((*_OF_ONESELF, "/v1/projects", "/v1/organisations", "/health", "/ready", "/metrics"))
            continue
        address = path.format(**ids)
        for who in (owner.client, program, token):
            response = await who.request(method, address, json={})
            assert response.status_code in {401, 404}, (method, path, response.text)
            assert "Secret" not in response.text
            tried += 1
    assert tried >= 3 * 25


async def test_ids_of_another_tenant_do_nothing_in_ones_own_organisation(owner: Person, victim: dict[str, Any]) -> None:
    mine = (await owner.client.post(f"{owner.path}/projects", json={"name": "Mine"})).json()["id"]
    team = (await owner.client.post(f"{owner.path}/teams", json={"name": "Mine"})).json()["id"]
    theirs = victim["ids"]
    expiry = {"expires_at": (datetime.now(UTC) + timedelta(days=1)).isoformat()}
    grants = f"{owner.path}/grants"
    tries: list[tuple[str, str, dict[str, Any]]] = [
        ("PUT", f"{owner.path}/members/{theirs['user_id']}/role", {"role": "viewer"}),
        ("DELETE", f"{owner.path}/members/{theirs['user_id']}", {}),
        ("DELETE", f"{owner.path}/invitations/{theirs['invitation_id']}", {}),
        ("PUT", f"{owner.path}/roles/secret", {"permissions": []}),
        ("DELETE", f"{owner.path}/roles/secret", {}),
        ("POST", f"{owner.path}/invitations", {"email": "y@example.com", "role": "secret"}),
        ("PATCH", f"{owner.path}/identity-providers/{theirs['provider_id']}", {"name": "Mine"}),
        ("DELETE", f"{owner.path}/identity-providers/{theirs['provider_id']}", {}),
        ("DELETE", f"{owner.path}/teams/{theirs['team_id']}", {}),
        ("PUT", f"{owner.path}/teams/{theirs['team_id']}/members/{owner.id}", {}),
        ("PUT", f"{owner.path}/teams/{team}/members/{theirs['user_id']}", {}),
        ("DELETE", f"{owner.path}/teams/{theirs['team_id']}/members/{theirs['user_id']}", {}),
        ("POST", grants, {"project_id": theirs["project_id"], "user_id": owner.id, "role": "viewer"}),
        ("POST", grants, {"project_id": mine, "user_id": theirs["user_id"], "role": "viewer"}),
        ("POST", grants, {"project_id": mine, "team_id": theirs["team_id"], "role": "viewer"}),
        ("DELETE", f"{grants}/{theirs['grant_id']}", {}),
        ("DELETE", f"/v1/projects/{mine}/api-keys/{victim['api_key']['id']}", {}),
        ("DELETE", f"/v1/projects/{mine}/write-keys/{victim['write_key']['id']}", {}),
        ("GET", f"/v1/projects/{mine}/exports/{victim['export']}", {}),
        ("DELETE", f"/v1/projects/{mine}/exports/{victim['export']}", {}),
        ("DELETE", f"/v1/me/sessions/{theirs['session_id']}", {}),
        (
            "POST",
            grants,
            {"project_id": mine, "dashboard_id": theirs["object_id"], "user_id": owner.id, "role": "viewer"},
        ),
        ("GET", f"/v1/projects/{mine}/dashboards/{theirs['object_id']}", {}),
        ("GET", f"/v1/projects/{mine}/dashboards/{theirs['object_id']}/tiles/tile/result", {}),
        ("GET", f"/v1/projects/{mine}/saved-insights/{theirs['object_id']}/result", {}),
        ("GET", f"/v1/projects/{mine}/saved/{theirs['object_id']}/versions", {}),
        ("GET", f"/v1/projects/{mine}/saved/{theirs['object_id']}/versions/1", {}),
        ("POST", f"/v1/projects/{mine}/saved/{theirs['object_id']}/versions/1/restore", {}),
        ("POST", f"/v1/projects/{mine}/saved/{theirs['object_id']}/undo", {}),
        ("POST", f"/v1/projects/{mine}/trash/{theirs['object_id']}/recover", {}),
        ("PUT", f"/v1/projects/{mine}/saved/{theirs['object_id']}/favourite", {}),
        ("PUT", f"/v1/projects/{mine}/dashboards/{theirs['object_id']}", {"name": "Taken"}),
        ("PUT", f"/v1/projects/{mine}/folders/{victim['folder']}", {"name": "Taken"}),
        ("GET", f"/v1/projects/{mine}/cohorts/{victim['cohort']}", {}),
        ("PUT", f"/v1/projects/{mine}/cohorts/{victim['cohort']}", {"name": "cohort_taken", "query": MEMBERS}),
        ("DELETE", f"/v1/projects/{mine}/saved/{theirs['object_id']}", {}),
        ("POST", f"/v1/projects/{mine}/saved/{theirs['object_id']}/links", expiry),
        ("DELETE", f"/v1/projects/{mine}/links/{theirs['link_id']}", {}),
    ]
    for method, path, body in tries:
        response = await owner.client.request(method, path, json=body, headers={"if-match": '"1"'})
        assert response.status_code == 404, (method, path, response.text)
    named = await owner.client.post(
        f"/v1/projects/{mine}/folders", json={"name": "In it", "folder_id": victim["folder"]}
    )
    assert named.status_code == 422
    asked = await owner.client.post(f"/v1/projects/{mine}/query", json={"kind": "cohort", "who": [OF_VICTIM]})
    assert (asked.status_code, asked.json()["errors"][0]["pointer"]) == (422, "/who/0/cohort")
    for path in ("members", "invitations", "roles", "teams", "grants", "identity-providers", "audit-log"):
        assert "ecret" not in (await owner.client.get(f"{owner.path}/{path}")).text
    for path in ("saved", "saved?trash=true", "links", "annotations"):
        assert "ecret" not in (await owner.client.get(f"/v1/projects/{mine}/{path}")).text
    still = victim["owner"]
    assert "Secret" in (await still.client.get(f"/v1/projects/{theirs['project_id']}/saved")).text
    assert (await still.client.get(f"{still.path}/teams")).json()["teams"][0]["name"] == "Secret"
    assert len((await still.client.get(f"{still.path}/grants")).json()["grants"]) == 1


async def test_without_anything_every_operation_of_a_tenant_is_closed(
    installation: Installation, victim: dict[str, Any]
) -> None:
    ids = victim["ids"] | {"key_id": victim["api_key"]["id"], "export_id": victim["export"]}
    cookie = {"cookie": "radixinsight=rs_" + "0" * 40}
    for method, path in _operations(installation.app.openapi()):
        if "{organisation_id}" in path or "{project_id}" in path or path.startswith("/v1/me"):
            for headers in ({}, {"authorization": "Basic eDp5"}, {"authorization": "Bearer "}, cookie):
                response = await installation.browser(**headers).request(method, path.format(**ids), json={})
                assert response.status_code == 401, (method, path, headers, response.text)
