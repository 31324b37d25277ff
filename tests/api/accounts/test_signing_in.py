"""Signing up, in and out; sessions of browsers."""

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import text

from api.accounts import recovery
from api.accounts.passwords import Passwords
from core import metadata
from engine.accounts import PASSWORD, Installation, Person, new_email, signed_up
from runtime.instance import Instance

Join = Callable[..., Awaitable[Person]]


def _execute(runtime: Instance, statement: str, **values: Any) -> None:
    engine = metadata.connect(runtime.database_url)
    with engine.begin() as connection:
        connection.execute(text(statement), values)
    engine.dispose()


@pytest.mark.parametrize("depth", [700, 3000])
async def test_a_body_however_deep_is_a_wrong_one(installation: Installation, depth: int) -> None:
    deep = b'{"email":' + b'{"a":' * depth + b'"x"' + b"}" * depth + b"}"
    refused = await installation.browser().post(
        "/v1/sign-in", content=deep, headers={"content-type": "application/json"}
    )
    assert refused.status_code == 422


async def test_nobody_signs_up_without_an_invitation(installation: Installation) -> None:
    body = {"invitation": "ri_" + "0" * 40, "name": "Eve", "password": PASSWORD}
    response = await installation.browser().post("/v1/sign-up", json=body)
    assert (response.status_code, response.json()["code"]) == (404, "link_invalid")
    assert "set-cookie" not in response.headers


async def test_an_invitation_makes_one_account_for_its_own_address(owner: Person, installation: Installation) -> None:
    email = new_email()
    await owner.client.post(f"{owner.path}/invitations", json={"email": email.upper(), "role": "analyst"})
    token = installation.token_mailed(email)
    shown = await installation.browser().post("/v1/invitations/look-up", json={"invitation": token})
    assert (shown.json()["email"], shown.json()["organisation"]) == (email, "Shop")
    member = await signed_up(installation, token, email, owner.organisation)
    me = (await member.client.get("/v1/me")).json()
    assert (me["email"], me["is_email_verified"], me["organisations"][0]["role"]) == (email, True, "analyst")
    again = await installation.browser().post(
        "/v1/sign-up", json={"invitation": token, "name": "Eve", "password": PASSWORD}
    )
    assert again.json()["code"] == "link_invalid"


async def test_of_two_who_use_one_invitation_at_once_one_gets_in(owner: Person, installation: Installation) -> None:
    email = new_email()
    await owner.client.post(f"{owner.path}/invitations", json={"email": email, "role": "viewer"})
    body = {"invitation": installation.token_mailed(email), "name": "Eve", "password": PASSWORD}
    tries = [installation.browser().post("/v1/sign-up", json=body) for _ in range(4)]
    statuses = sorted(response.status_code for response in await asyncio.gather(*tries))
    assert statuses[0] == 204
    assert set(statuses[1:]) <= {404, 409}


async def test_an_invitation_ends_when_it_is_taken_back_replaced_or_too_old(
    owner: Person, installation: Installation, runtime: Instance
) -> None:
    async def code(token: str) -> str:
        response = await installation.browser().post("/v1/invitations/look-up", json={"invitation": token})
        return str(response.json().get("code", "fine"))

    email = new_email()
    first = (await owner.client.post(f"{owner.path}/invitations", json={"email": email, "role": "viewer"})).json()
    replaced = installation.token_mailed(email)
    second = (await owner.client.post(f"{owner.path}/invitations", json={"email": email, "role": "viewer"})).json()
    latest = installation.token_mailed(email)
    assert first["id"] != second["id"]
    assert (await code(replaced), await code(latest)) == ("link_invalid", "fine")
    _execute(runtime, "update invitations set expires_at = now() where id = :id", id=second["id"])
    assert await code(latest) == "link_invalid"
    _execute(runtime, "update invitations set expires_at = now() + interval '1 day' where id = :id", id=second["id"])
    assert (await owner.client.delete(f"{owner.path}/invitations/{second['id']}")).status_code == 204
    assert await code(latest) == "link_invalid"


async def test_whoever_has_an_account_joins_by_accepting(
    owner: Person, installation: Installation, new_owner: Callable[..., Awaitable[Person]]
) -> None:
    other = await new_owner("Other")
    await owner.client.post(f"{owner.path}/invitations", json={"email": other.email, "role": "viewer"})
    token = installation.token_mailed(other.email)
    refused = await installation.browser().post(
        "/v1/sign-up", json={"invitation": token, "name": "Ada", "password": PASSWORD}
    )
    assert refused.json()["code"] == "account_exists"
    stranger = await owner.client.post("/v1/invitations/accept", json={"invitation": token})
    assert stranger.json()["code"] == "link_invalid"
    joined = await other.client.post("/v1/invitations/accept", json={"invitation": token})
    assert joined.json() == {"organisation_id": owner.organisation}
    roles = {each["id"]: each["role"] for each in (await other.client.get("/v1/me")).json()["organisations"]}
    assert roles == {other.organisation: "owner", owner.organisation: "viewer"}


async def test_the_cookie_can_be_read_by_no_script_and_is_sent_to_no_other_site(
    owner: Person, installation: Installation
) -> None:
    response = await installation.browser().post("/v1/sign-in", json={"email": owner.email, "password": PASSWORD})
    cookie = response.headers["set-cookie"]
    assert response.status_code == 204
    assert cookie.startswith("radixinsight=rs_")
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(cookie.split("; "))


async def test_over_https_the_cookie_is_bound_to_the_host(
    install: Callable[..., Any], installation: Installation, owner: Person
) -> None:
    settings = installation.settings.model_copy(update={"public_url": "https://insight.example"})
    async with install(settings) as secure:
        response = await secure.browser().post("/v1/sign-in", json={"email": owner.email, "password": PASSWORD})
    assert response.headers["set-cookie"].startswith("__Host-radixinsight=rs_")
    assert "Secure" in response.headers["set-cookie"].split("; ")


async def test_a_wrong_password_and_an_unknown_address_look_the_same(owner: Person, installation: Installation) -> None:
    for email, password in ((owner.email, "wrong" * 4), (new_email(), PASSWORD)):
        response = await installation.browser().post("/v1/sign-in", json={"email": email, "password": password})
        assert (response.status_code, response.json()["code"]) == (401, "sign_in_failed")
        assert response.json()["detail"] == "The e-mail address or the password is wrong."


async def test_signing_out_ends_the_session_and_not_only_the_cookie(owner: Person, installation: Installation) -> None:
    stolen = installation.browser()
    stolen.cookies.update(owner.client.cookies)
    assert (await stolen.get("/v1/me")).status_code == 200
    assert (await owner.client.post("/v1/sign-out")).status_code == 204
    assert (await stolen.get("/v1/me")).json()["code"] == "session_ended"


async def test_sessions_are_listed_and_can_be_ended(owner: Person, installation: Installation) -> None:
    phone = installation.browser(**{"user-agent": "Phone"})
    await phone.post("/v1/sign-in", json={"email": owner.email, "password": PASSWORD})
    sessions = (await owner.client.get("/v1/me/sessions")).json()["sessions"]
    assert [(each["user_agent"], each["is_current"]) for each in sessions if each["user_agent"] == "Phone"] == [
        ("Phone", False)
    ]
    (there,) = [each["id"] for each in sessions if each["user_agent"] == "Phone"]
    assert (await owner.client.delete(f"/v1/me/sessions/{there}")).status_code == 204
    assert (await phone.get("/v1/me")).json()["code"] == "session_ended"
    assert (await owner.client.delete(f"/v1/me/sessions/{there}")).json()["code"] == "session_not_found"


async def test_nobody_ends_sessions_of_others(owner: Person, join: Join) -> None:
    member = await join(owner, "admin")
    (mine,) = (await owner.client.get("/v1/me/sessions")).json()["sessions"]
    assert (await member.client.delete(f"/v1/me/sessions/{mine['id']}")).json()["code"] == "session_not_found"
    assert (await owner.client.get("/v1/me")).status_code == 200


async def test_a_session_that_is_not_used_ends(owner: Person, runtime: Instance) -> None:
    _execute(runtime, "update sessions set expires_at = now() where user_id = :id", id=owner.id)
    assert (await owner.client.get("/v1/me")).json()["code"] == "session_ended"


async def test_a_token_is_renewed_each_hour_and_the_old_one_is_good_for_a_minute(
    owner: Person, installation: Installation, runtime: Instance
) -> None:
    before = owner.client.cookies["radixinsight"]
    _execute(runtime, "update sessions set rotated_at = now() - interval '61 minutes' where user_id = :id", id=owner.id)
    assert (await owner.client.get("/v1/me")).status_code == 200
    assert owner.client.cookies["radixinsight"] != before
    late = installation.browser()
    late.cookies.set("radixinsight", before)
    assert (await late.get("/v1/me")).status_code == 200
    assert (await owner.client.get("/v1/me")).status_code == 200
    _execute(runtime, "update sessions set rotated_at = now() - interval '61 seconds' where user_id = :id", id=owner.id)
    assert (await late.get("/v1/me")).json()["code"] == "session_ended"
    # Somebody kept a token that the browser has no more: the session is not safe.
    assert (await owner.client.get("/v1/me")).json()["code"] == "session_ended"


async def test_a_token_that_was_replaced_twice_ends_the_session_too(
    owner: Person, installation: Installation, runtime: Instance
) -> None:
    before = owner.client.cookies["radixinsight"]
    for _ in range(2):
        set_back = "update sessions set rotated_at = now() - interval '61 minutes' where user_id = :id"
        _execute(runtime, set_back, id=owner.id)
        for _ in range(2):
            assert (await owner.client.get("/v1/me")).status_code == 200
    late = installation.browser()
    late.cookies.set("radixinsight", before)
    assert (await late.get("/v1/me")).json()["code"] == "session_ended"
    _execute(runtime, "update sessions set rotated_at = now() where user_id = :id", id=owner.id)
    assert (await owner.client.get("/v1/me")).json()["code"] == "session_ended"


async def test_a_browser_whose_new_token_was_lost_on_its_way_stays_signed_in(
    owner: Person, installation: Installation, runtime: Instance
) -> None:
    old = owner.client.cookies["radixinsight"]
    lost: list[str] = []
    for passed in ("61 minutes", "61 seconds"):
        set_back = f"update sessions set rotated_at = now() - interval '{passed}' where user_id = :id"
        _execute(runtime, set_back, id=owner.id)
        browser = installation.browser()
        browser.headers["cookie"] = f"radixinsight={old}"
        answered = await browser.get("/v1/me")
        assert answered.status_code == 200
        lost.append(answered.cookies["radixinsight"])
    assert len({old, *lost}) == 3
    # Whoever caught the first of the two gets nowhere; with the second the browser goes on, and the old one is dead.
    for token, code in ((lost[0], "session_ended"), (lost[1], None), (old, None)):
        browser = installation.browser()
        browser.cookies.set("radixinsight", token)
        assert (await browser.get("/v1/me")).json().get("code") == code
    _execute(runtime, "update sessions set rotated_at = now() - interval '61 seconds' where user_id = :id", id=owner.id)
    for token in (old, lost[1]):
        browser = installation.browser()
        browser.cookies.set("radixinsight", token)
        assert (await browser.get("/v1/me")).json()["code"] == "session_ended"


async def test_a_page_of_another_site_changes_nothing(owner: Person, installation: Installation) -> None:
    forged = installation.browser()
    forged.cookies.update(owner.client.cookies)
    for headers in ({}, {"x-csrf-token": "0" * 64}, {"x-csrf-token": ""}):
        response = await forged.post("/v1/sign-out", headers=headers)
        assert (response.status_code, response.json()["code"]) == (403, "csrf_token_invalid")
    form = await forged.post("/v1/sign-in", content='{"email":"a@b.example","password":"x"}')
    assert form.status_code == 422


async def test_no_operation_changes_anything_by_a_cookie_alone(owner: Person, installation: Installation) -> None:
    forged = installation.browser()
    forged.cookies.update(owner.client.cookies)
    tried: list[str] = []
    for path, operations in installation.app.openapi()["paths"].items():
        for method, operation in operations.items():
            if method != "get" and "security" in operation:
                address = re.sub(r"\{\w+\}", "1", path)
                response = await forged.request(method, address, json={})
                assert (response.status_code, response.json()["code"]) == (403, "csrf_token_invalid"), operation
                tried.append(operation["operationId"])
    assert len(tried) > 50
    assert (await owner.client.get("/v1/me")).status_code == 200


async def test_the_csrf_token_of_another_session_does_not_count(owner: Person, join: Join) -> None:
    member = await join(owner, "viewer")
    token = member.client.headers["x-csrf-token"]
    response = await owner.client.patch("/v1/me", json={"name": "Eve"}, headers={"x-csrf-token": token})
    assert response.json()["code"] == "csrf_token_invalid"


async def test_a_password_can_be_changed_and_all_other_sessions_end(owner: Person, installation: Installation) -> None:
    elsewhere = installation.browser()
    await elsewhere.post("/v1/sign-in", json={"email": owner.email, "password": PASSWORD})
    new = "a second password of mine"
    wrong = await owner.client.post("/v1/me/password", json={"current": "wrong" * 4, "new": new})
    assert wrong.json()["code"] == "sign_in_failed"
    weak = await owner.client.post("/v1/me/password", json={"current": PASSWORD, "new": "short"})
    assert weak.json()["code"] == "password_too_weak"
    done = await owner.client.post("/v1/me/password", json={"current": PASSWORD, "new": new})
    assert done.status_code == 204
    assert (await elsewhere.get("/v1/me")).json()["code"] == "session_ended"
    assert (await owner.client.get("/v1/me")).status_code == 200
    for password, status in ((PASSWORD, 401), (new, 204)):
        body = {"email": owner.email, "password": password}
        assert (await installation.browser().post("/v1/sign-in", json=body)).status_code == status
    await installation.app.state.resources.outbox.close()
    assert "was changed" in installation.last_mail(owner.email)


async def test_a_forgotten_password_is_replaced_by_a_mailed_link(owner: Person, installation: Installation) -> None:
    browser = installation.browser()
    assert (await browser.post("/v1/password-resets", json={"email": owner.email})).status_code == 202
    await installation.app.state.resources.outbox.close()
    token = installation.token_mailed(owner.email)
    weak = await browser.post("/v1/password-resets/complete", json={"token": token, "password": "short"})
    assert weak.json()["code"] == "password_too_weak"
    new = "a second password of mine"
    for expected in (204, 404):
        done = await browser.post("/v1/password-resets/complete", json={"token": token, "password": new})
        assert done.status_code == expected
    assert (await owner.client.get("/v1/me")).json()["code"] == "session_ended"
    assert (await browser.post("/v1/sign-in", json={"email": owner.email, "password": new})).status_code == 204
    assert (await browser.get("/v1/me")).json()["is_email_verified"]


async def test_nobody_learns_by_a_reset_who_has_an_account(installation: Installation) -> None:
    response = await installation.browser().post("/v1/password-resets", json={"email": new_email()})
    assert (response.status_code, response.content) == (202, b"")


async def test_a_reset_takes_no_longer_where_there_is_an_account(
    owner: Person, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on, make_link = asyncio.Event(), recovery.make_link

    async def slowly(*arguments: Any) -> str:
        await goes_on.wait()
        return await make_link(*arguments)

    monkeypatch.setattr(recovery, "make_link", slowly)
    asked = installation.browser().post("/v1/password-resets", json={"email": owner.email})
    assert (await asyncio.wait_for(asked, 5)).status_code == 202
    goes_on.set()
    await installation.app.state.resources.outbox.close()
    assert "Choose a new password" in installation.last_mail(owner.email)


async def test_an_address_is_verified_by_a_mailed_link(owner: Person, installation: Installation) -> None:
    assert not (await owner.client.get("/v1/me")).json()["is_email_verified"]
    assert (await owner.client.post("/v1/email-verifications")).status_code == 202
    token = installation.token_mailed(owner.email)
    reset = {"token": token, "password": "a second password of mine"}
    assert (await owner.client.post("/v1/password-resets/complete", json=reset)).status_code == 404
    assert (await installation.browser().post("/v1/email-verifications/complete", json={"token": token})).is_success
    assert (await owner.client.get("/v1/me")).json()["is_email_verified"]


async def test_no_secret_is_stored_as_it_is(owner: Person, installation: Installation, runtime: Instance) -> None:
    await owner.client.post("/v1/email-verifications")
    secrets = [PASSWORD, owner.client.cookies["radixinsight"], installation.token_mailed(owner.email)]
    engine = metadata.connect(runtime.database_url)
    with engine.connect() as connection:
        rows = [
            str(connection.execute(text(f"select * from {table}")).all())
            for table in ("users", "sessions", "email_tokens", "invitations", "audit_log")
        ]
    engine.dispose()
    assert not [secret for secret in secrets if any(secret in row for row in rows)]


async def test_a_password_that_was_reset_meanwhile_is_not_replaced(
    owner: Person, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = installation.app.state.resources
    browser = installation.browser()
    await browser.post("/v1/password-resets", json={"email": owner.email})
    await held.outbox.close()
    token = installation.token_mailed(owner.email)
    is_hashing, is_reset, hashed = asyncio.Event(), asyncio.Event(), Passwords.hashed

    async def slowly(self: Passwords, password: str) -> str:
        if password.startswith("thief"):
            is_hashing.set()
            await is_reset.wait()
        return await hashed(self, password)

    monkeypatch.setattr(Passwords, "hashed", slowly)
    body = {"current": PASSWORD, "new": "thief of a password"}
    change = asyncio.create_task(owner.client.post("/v1/me/password", json=body))
    await is_hashing.wait()
    reset = {"token": token, "password": "a second password of mine"}
    assert (await browser.post("/v1/password-resets/complete", json=reset)).status_code == 204
    is_reset.set()
    assert (await change).json()["code"] == "session_ended"


@pytest.mark.parametrize("text", ["a\0b@example.com", "a\ud800b@example.com"])
async def test_text_that_no_database_keeps_is_refused(installation: Installation, text: str) -> None:
    for path in ("/v1/sign-in", "/v1/tokens", "/v1/password-resets"):
        body = json.dumps({"email": text} | ({} if path.endswith("resets") else {"password": "x"}))
        headers = {"content-type": "application/json"}
        response = await installation.browser().post(path, content=body, headers=headers)
        assert (response.status_code, response.json()["code"]) == (422, "invalid_request"), path


@pytest.mark.parametrize(
    "password",
    ["password1234", "qwertyuiop12", "123456789012345", "iloveyou2024", "Passw0rd!Passw0rd!"],
)
async def test_passwords_that_are_guessed_first_are_refused(owner: Person, password: str) -> None:
    body = {"current": PASSWORD, "new": password}
    assert (await owner.client.post("/v1/me/password", json=body)).json()["code"] == "password_too_weak"


async def test_a_password_of_the_greatest_length_is_looked_at_in_no_time(owner: Person) -> None:
    began = time.monotonic()
    body = {"current": PASSWORD, "new": "qwertz" * 42}
    await owner.client.post("/v1/me/password", json=body)
    assert time.monotonic() - began < 1
