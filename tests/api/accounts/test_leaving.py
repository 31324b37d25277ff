"""Deleting accounts and organisations, and what stays of them."""

from collections.abc import Awaitable, Callable

from pyotp.totp import TOTP

from engine.accounts import PASSWORD, Installation, Person

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
