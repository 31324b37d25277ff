"""Deleting accounts and organisations, and what stays of them."""

import time
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from pyotp.totp import TOTP
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from api.accounts.attempts import Attempts
from api.accounts.purging import purge
from core import metadata
from core.clock import utc_now
from core.metadata.accounts import AuditEntry
from core.metadata.exports import Export
from core.metadata.projects import find_write_key
from engine.accounts import PASSWORD, Installation, Person
from runtime.instance import Instance

Join = Callable[..., Awaitable[Person]]
NewOwner = Callable[..., Awaitable[Person]]


async def test_whoever_deletes_his_account_is_gone_and_the_log_still_names_him(
    owner: Person, join: Join, installation: Installation
) -> None:
    member = await join(owner, "analyst")
    wrong = await member.client.post("/v1/me/deletion", json={"password": "wrong" * 4})
    assert wrong.json()["code"] == "sign_in_failed"
    gone = await member.client.post("/v1/me/deletion", json={"password": PASSWORD})
    assert gone.status_code == 204
    assert (await member.client.get("/v1/me")).status_code == 401
    again = await installation.browser().post("/v1/sign-in", json={"email": member.email, "password": PASSWORD})
    assert again.json()["code"] == "sign_in_failed"
    members = (await owner.client.get(f"{owner.path}/members")).json()["members"]
    assert [each["email"] for each in members] == [owner.email]
    log = (await owner.client.get(f"{owner.path}/audit-log", params={"actor": member.email})).json()["entries"]
    assert log[0]["action"] == "user.deleted"
    await installation.app.state.resources.outbox.close()
    assert "was deleted" in installation.last_mail(member.email)


async def test_the_only_owner_stays_until_somebody_else_is_one(owner: Person, join: Join) -> None:
    refused = await owner.client.post("/v1/me/deletion", json={"password": PASSWORD})
    assert (refused.status_code, refused.json()["code"]) == (409, "only_owner")
    await join(owner, "owner")
    assert (await owner.client.post("/v1/me/deletion", json={"password": PASSWORD})).status_code == 204


async def test_an_account_with_a_second_factor_is_deleted_with_a_code_alone(owner: Person, join: Join) -> None:
    member = await join(owner, "viewer")
    offered = (await member.client.post("/v1/me/second-factor", json={"password": PASSWORD})).json()
    totp = TOTP(offered["secret"])
    confirmed = await member.client.post("/v1/me/second-factor/confirm", json={"code": totp.now()})
    body = {"password": PASSWORD}
    assert (await member.client.post("/v1/me/deletion", json=body)).json()["code"] == "second_factor_needed"
    code = confirmed.json()["codes"][0]
    assert (await member.client.post("/v1/me/deletion", json=body | {"code": code})).status_code == 204


async def test_rights_can_be_changed_while_the_codes_of_somebody_who_deletes_his_account_are_counted(
    owner: Person, join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = await join(owner, "viewer")
    offered = (await member.client.post("/v1/me/second-factor", json={"password": PASSWORD})).json()
    totp = TOTP(offered["secret"])
    before = {"code": totp.at(int(time.time()) - 30)}
    assert (await member.client.post("/v1/me/second-factor/confirm", json=before)).status_code == 200
    demand, invited = Attempts.demand_code, list[int]()

    async def demand_slowly(attempts: Attempts, user_id: int, *, is_known: bool) -> None:
        late = {"email": "late@example.com", "role": "viewer"}
        invited.append((await owner.client.post(f"{owner.path}/invitations", json=late)).status_code)
        await demand(attempts, user_id, is_known=is_known)

    monkeypatch.setattr(Attempts, "demand_code", demand_slowly)
    body = {"password": PASSWORD, "code": totp.now()}
    assert (await member.client.post("/v1/me/deletion", json=body)).status_code == 204
    assert invited == [201]


async def test_a_closed_organisation_is_reached_by_nobody_and_its_log_is_kept(
    owner: Person, join: Join, installation: Installation, runtime: Instance
) -> None:
    project = (await owner.client.post(f"{owner.path}/projects", json={"name": "Shop"})).json()["id"]
    asked = {"name": "k", "scopes": ["data:query"]}
    key = (await owner.client.post(f"/v1/projects/{project}/api-keys", json=asked)).json()["key"]
    write_key = (await owner.client.post(f"/v1/projects/{project}/write-keys", json={"name": "w"})).json()["key"]
    admin = await join(owner, "admin")
    await owner.client.post(f"{owner.path}/invitations", json={"email": "late@example.com", "role": "viewer"})
    path = f"{owner.path}/closing"
    assert (await admin.client.post(path, json={"name": "Shop"})).json()["code"] == "permission_missing"
    assert (await owner.client.post(path, json={"name": "shop"})).json()["code"] == "wrong_name"
    tile = {"kind": "text", "id": "t", "x": 0, "y": 0, "width": 1, "height": 1, "text": "Hello"}
    board = (await owner.client.post(f"/v1/projects/{project}/dashboards", json={"name": "B", "tiles": [tile]})).json()
    shared = {"expires_at": (utc_now() + timedelta(days=1)).isoformat()}
    link = (await owner.client.post(f"/v1/projects/{project}/saved/{board['id']}/links", json=shared)).json()
    opening = {"token": link["url"].partition("#shared=")[2]}
    view = (await installation.browser().post("/v1/shared/open", json=opening)).json()["access_token"]
    export = (await owner.client.post(f"/v1/projects/{project}/exports", json={"kind": "persons"})).json()
    assert (await owner.client.post(path, json={"name": "Shop"})).status_code == 204
    assert (await installation.browser().post("/v1/shared/open", json=opening)).json()["code"] == "link_unknown"
    looking = installation.browser(authorization=f"Bearer {view}")
    assert (await looking.get("/v1/shared")).json()["code"] == "link_unknown"
    for person in (owner, admin):
        assert (await person.client.get(owner.path)).status_code == 404
        assert (await person.client.get("/v1/me")).json()["organisations"] == []
    refused = await installation.browser(authorization=f"Bearer {key}").get("/v1/projects")
    assert refused.json()["code"] == "api_key_invalid"
    late = {"invitation": installation.token_mailed("late@example.com")}
    assert (await installation.browser().post("/v1/invitations/look-up", json=late)).json()["code"] == "link_invalid"
    engine = metadata.connect(runtime.database_url)
    with Session(engine) as session:
        assert find_write_key(session, write_key) is None
        assert session.get_one(Export, export["id"]).state == "cancelled"
        actions = session.scalars(select(AuditEntry.action).where(AuditEntry.organisation_id == owner.organisation))
        assert {"project.created", "organisation.closed"} <= set(actions)
    engine.dispose()


async def test_closing_one_organisation_takes_nothing_from_another(owner: Person, new_owner: NewOwner) -> None:
    other = await new_owner("Other")
    await other.client.post(f"{other.path}/teams", json={"name": "Growth"})
    assert (await owner.client.post(f"{owner.path}/closing", json={"name": "Shop"})).status_code == 204
    assert len((await other.client.get(f"{other.path}/members")).json()["members"]) == 1
    assert len((await other.client.get(f"{other.path}/teams")).json()["teams"]) == 1


async def test_what_ended_long_ago_is_forgotten_and_nothing_else(
    owner: Person, installation: Installation, runtime: Instance
) -> None:
    await owner.client.post(f"{owner.path}/invitations", json={"email": "old@example.com", "role": "viewer"})
    await owner.client.post(f"{owner.path}/invitations", json={"email": "new@example.com", "role": "viewer"})
    for _ in range(2):
        await installation.browser().post("/v1/sign-in", json={"email": owner.email, "password": PASSWORD})
        await installation.browser().post("/v1/password-resets", json={"email": owner.email})
    await installation.app.state.resources.outbox.close()
    engine = metadata.connect(runtime.database_url)
    with engine.begin() as connection:
        for statement in (
            "update invitations set expires_at = now() - interval '91 days' where email = 'old@example.com'",
            (
                "update sessions set revoked_at = now() - interval '31 days' where id = "
                "(select max(id) from sessions where user_id = :id)"
            ),
            (
                "update email_tokens set expires_at = now() - interval '8 days' where id = "
                "(select max(id) from email_tokens where user_id = :id)"
            ),
        ):
            connection.execute(text(statement), {"id": owner.id} if ":id" in statement else {})
    left = {
        "sessions": "select count(*) from sessions where user_id = :id",
        "links": "select count(*) from email_tokens where user_id = :id",
        "invitations": "select count(*) from invitations where invited_by = :id",
    }

    def counted() -> dict[str, int]:
        with engine.connect() as connection:
            return {name: connection.scalar(text(each), {"id": owner.id}) or 0 for name, each in left.items()}

    before = counted()
    purged = await purge(installation.app.state.resources.database)
    assert {name: count - before[name] for name, count in counted().items()} == dict.fromkeys(left, -1)
    assert min(purged[name] for name in left) >= 1
    assert (await owner.client.get("/v1/me")).status_code == 200
    engine.dispose()
