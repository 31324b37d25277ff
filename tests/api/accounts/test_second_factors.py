"""Second factors and programs that sign in."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from pyotp.totp import TOTP
from sqlalchemy import text

from api.accounts import sessions
from core import metadata
from engine.accounts import PASSWORD, Installation, Person
from runtime.instance import Instance


async def _enabled(owner: Person) -> tuple[TOTP, list[str]]:
    """Give somebody a second factor; return it and the recovery codes."""
    offered = (await owner.client.post("/v1/me/second-factor", json={"password": PASSWORD})).json()
    assert f"secret={offered['secret']}" in offered["uri"]
    totp = TOTP(offered["secret"])
    response = await owner.client.post("/v1/me/second-factor/confirm", json={"code": _code(totp, -30)})
    assert response.status_code == 200, response.text
    return totp, response.json()["codes"]


def _code(totp: TOTP, seconds: int = 0) -> str:
    return totp.at(int(time.time()) + seconds)


async def _sign_in(installation: Installation, email: str, **more: str) -> str:
    body = {"email": email, "password": PASSWORD} | more
    response = await installation.browser().post("/v1/sign-in", json=body)
    return "fine" if response.status_code == 204 else response.json()["code"]


async def test_a_second_factor_is_asked_for_once_it_is_confirmed(owner: Person, installation: Installation) -> None:
    assert (await owner.client.post("/v1/me/second-factor", json={"password": PASSWORD})).status_code == 200
    assert await _sign_in(installation, owner.email) == "fine"
    totp, _ = await _enabled(owner)
    assert (await owner.client.get("/v1/me")).json()["has_second_factor"]
    assert await _sign_in(installation, owner.email) == "second_factor_needed"
    assert await _sign_in(installation, owner.email, code="000000") == "code_invalid"
    assert await _sign_in(installation, owner.email, password="wrong" * 4, code=_code(totp)) == "sign_in_failed"
    assert await _sign_in(installation, owner.email, code=_code(totp)) == "fine"


async def test_a_code_works_once_however_many_try_it_at_once(owner: Person, installation: Installation) -> None:
    totp, _ = await _enabled(owner)
    code = _code(totp)
    tries = [_sign_in(installation, owner.email, code=code) for _ in range(4)]
    assert sorted(await asyncio.gather(*tries)) == ["code_invalid"] * 3 + ["fine"]


async def test_a_recovery_code_stands_in_once(owner: Person, installation: Installation) -> None:
    _, codes = await _enabled(owner)
    assert len(set(codes)) == 10
    tries = [_sign_in(installation, owner.email, code=codes[0].upper()) for _ in range(3)]
    assert sorted(await asyncio.gather(*tries)) == ["code_invalid"] * 2 + ["fine"]
    assert await _sign_in(installation, owner.email, code=codes[1]) == "fine"


async def test_new_recovery_codes_replace_the_old_ones(owner: Person, installation: Installation) -> None:
    totp, codes = await _enabled(owner)
    proof = {"password": PASSWORD, "code": _code(totp)}
    renewed = (await owner.client.post("/v1/me/second-factor/recovery-codes", json=proof)).json()["codes"]
    assert await _sign_in(installation, owner.email, code=codes[0]) == "code_invalid"
    assert await _sign_in(installation, owner.email, code=renewed[0]) == "fine"


async def test_it_is_taken_away_by_password_and_code_alone(owner: Person, installation: Installation) -> None:
    totp, codes = await _enabled(owner)
    for body in ({"password": "wrong" * 4, "code": codes[0]}, {"password": PASSWORD, "code": "000000"}):
        assert (await owner.client.post("/v1/me/second-factor/remove", json=body)).status_code == 401
    body = {"password": PASSWORD, "code": _code(totp)}
    assert (await owner.client.post("/v1/me/second-factor/remove", json=body)).status_code == 204
    # The owner hears of it, should it not have been him.
    await installation.app.state.resources.outbox.close()
    assert "takes the password alone now" in installation.last_mail(owner.email)
    assert await _sign_in(installation, owner.email) == "fine"
    assert (await owner.client.post("/v1/me/second-factor/remove", json=body)).json()["code"] == "second_factor_state"


async def test_whoever_has_the_password_guesses_few_codes_a_day_from_wherever_he_does(
    install: Callable[..., Any], installation: Installation, owner: Person
) -> None:
    totp, codes = await _enabled(owner)
    known = owner.client.cookies["radixinsight-device"]
    async with install(installation.settings.model_copy(update={"code_attempts": 3})) as strict:
        tries = [_sign_in(strict, owner.email, code=f"00000{number}") for number in range(5)]
        assert sorted(await asyncio.gather(*tries)) == ["code_invalid"] * 3 + ["too_many_attempts"] * 2
        # Not even with a right one, nor as a program.
        assert await _sign_in(strict, owner.email, code=_code(totp)) == "too_many_attempts"
        body = {"email": owner.email, "password": PASSWORD, "code": _code(totp)}
        refused = await strict.browser().post("/v1/tokens", json=body)
        assert (refused.status_code, int(refused.headers["retry-after"]) > 80_000) == (429, True)
        # The owner gets in with a browser of his, and there guesses are few too.
        browser = strict.browser(cookie=f"radixinsight-device={known}")
        guesses = [await browser.post("/v1/sign-in", json=body | {"code": "wrong"}) for _ in range(2)]
        assert [each.json()["code"] for each in guesses] == ["code_invalid"] * 2
        assert (await browser.post("/v1/sign-in", json=body)).status_code == 204
        # And with a recovery code anywhere, of which somebody may try as many as he likes.
        assert await _sign_in(strict, owner.email, code="aaaaa-aaaaa") == "code_invalid"
        assert await _sign_in(strict, owner.email, code=codes[0]) == "fine"


async def test_a_new_password_lets_the_owner_in_whose_codes_somebody_used_up(
    install: Callable[..., Any], installation: Installation, owner: Person
) -> None:
    totp, _ = await _enabled(owner)
    async with install(installation.settings.model_copy(update={"code_attempts": 2})) as strict:
        for _ in range(2):
            await _sign_in(strict, owner.email, code="000000")
        new = "another horse battery staple"
        browser = await strict.browser_of_new_password(owner.email, new)
        body = {"email": owner.email, "password": new, "code": _code(totp)}
        assert (await strict.browser().post("/v1/sign-in", json=body)).status_code == 429
        assert (await browser.post("/v1/sign-in", json=body)).status_code == 204


@pytest.mark.parametrize("code", ["000000", "aaaaa-aaaaa"])
async def test_the_owner_hears_once_a_day_of_codes_that_were_wrong(
    owner: Person, installation: Installation, code: str
) -> None:
    await _enabled(owner)
    told: list[int] = []
    for _ in range(7):
        assert await _sign_in(installation, owner.email, code=code) == "code_invalid"
        await installation.app.state.resources.outbox.close()
        mails = [path.read_text() for path in installation.mails.glob("*.eml")]
        told.append(sum(owner.email in mail and "tries codes of your second factor" in mail for mail in mails))
    assert told == [0, 0, 0, 0, 1, 1, 1]


async def test_codes_are_not_guessed_in_a_session_either(
    install: Callable[..., Any], installation: Installation, owner: Person
) -> None:
    totp, _ = await _enabled(owner)
    async with install(installation.settings.model_copy(update={"code_attempts": 2})) as strict:
        browser = strict.browser(
            cookie=f"radixinsight={owner.client.cookies['radixinsight']}",
            **{"x-csrf-token": owner.client.headers["x-csrf-token"]},
        )
        body = {"password": PASSWORD, "code": "000000"}
        paths = ("/v1/me/second-factor/recovery-codes", "/v1/me/second-factor/remove", "/v1/me/deletion")
        codes = [(await browser.post(path, json=body)).json()["code"] for path in paths]
        assert codes == ["code_invalid"] * 2 + ["too_many_attempts"]
        late = await browser.post("/v1/me/deletion", json=body | {"code": _code(totp)})
    assert late.json()["code"] == "too_many_attempts"


async def test_the_secret_is_stored_encrypted(owner: Person, runtime: Instance) -> None:
    totp, codes = await _enabled(owner)
    engine = metadata.connect(runtime.database_url)
    with engine.connect() as connection:
        stored = [str(connection.execute(text(f"select * from {t}")).all()) for t in ("users", "recovery_codes")]
    engine.dispose()
    assert totp.secret not in stored[0]
    assert not [code for code in codes if code in stored[1]]


async def test_a_program_gets_an_access_token_and_renews_it(owner: Person, installation: Installation) -> None:
    program = installation.browser()
    first = (await program.post("/v1/tokens", json={"email": owner.email, "password": PASSWORD})).json()
    assert "set-cookie" not in (await program.get("/v1/me")).headers
    headers = {"authorization": f"Bearer {first['access_token']}"}
    assert (await program.get("/v1/me", headers=headers)).json()["email"] == owner.email
    # No cookie, no forgery: a program needs no CSRF token.
    assert (await program.patch("/v1/me", headers=headers, json={"name": "Bot"})).status_code == 204
    second = (await program.post("/v1/tokens/refresh", json={"refresh_token": first["refresh_token"]})).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert (await program.get("/v1/me", headers=headers)).status_code == 200


async def test_a_refresh_token_that_is_sent_twice_at_once_is_exchanged_for_the_same_one(
    owner: Person, installation: Installation
) -> None:
    program = installation.browser()
    first = (await program.post("/v1/tokens", json={"email": owner.email, "password": PASSWORD})).json()
    body = {"refresh_token": first["refresh_token"]}
    both = await asyncio.gather(*(program.post("/v1/tokens/refresh", json=body) for _ in range(2)))
    (token,) = {response.json()["refresh_token"] for response in both}
    third = await program.post("/v1/tokens/refresh", json={"refresh_token": token})
    assert third.json()["refresh_token"] not in {token, first["refresh_token"]}


async def test_a_refresh_token_that_is_used_again_later_ends_the_session(
    owner: Person, installation: Installation, runtime: Instance
) -> None:
    program = installation.browser()
    first = (await program.post("/v1/tokens", json={"email": owner.email, "password": PASSWORD})).json()
    second = (await program.post("/v1/tokens/refresh", json={"refresh_token": first["refresh_token"]})).json()
    engine = metadata.connect(runtime.database_url)
    with engine.begin() as connection:
        set_back = "update sessions set rotated_at = now() - interval '31 seconds' where user_id = %s"
        connection.exec_driver_sql(set_back, (owner.id,))
    engine.dispose()
    for token in (first["refresh_token"], second["refresh_token"]):
        refused = await program.post("/v1/tokens/refresh", json={"refresh_token": token})
        assert refused.json()["code"] == "session_ended"
    headers = {"authorization": f"Bearer {second['access_token']}"}
    assert (await program.get("/v1/me", headers=headers)).json()["code"] == "session_ended"


async def test_any_refresh_token_that_was_replaced_ends_the_session_and_one_that_was_never_given_ends_none(
    owner: Person, installation: Installation
) -> None:
    program = installation.browser()
    tokens = (await program.post("/v1/tokens", json={"email": owner.email, "password": PASSWORD})).json()
    given = [tokens["refresh_token"]]
    for _ in range(3):
        tokens = (await program.post("/v1/tokens/refresh", json={"refresh_token": given[-1]})).json()
        given.append(tokens["refresh_token"])
    headers = {"authorization": f"Bearer {tokens['access_token']}"}
    guessed = await program.post("/v1/tokens/refresh", json={"refresh_token": given[0][:-1] + "~"})
    assert guessed.json()["code"] == "session_ended"
    assert (await program.get("/v1/me", headers=headers)).status_code == 200
    for token in (given[0], given[-1]):
        refused = await program.post("/v1/tokens/refresh", json={"refresh_token": token})
        assert refused.json()["code"] == "session_ended"
    assert (await program.get("/v1/me", headers=headers)).json()["code"] == "session_ended"


async def test_a_session_ends_when_it_was_exchanged_too_often(
    owner: Person, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of three exchanges two are remembered: the latest is the session's own.
    monkeypatch.setattr(sessions, "MOST_EXCHANGES", 2)
    program = installation.browser()
    answer = await program.post("/v1/tokens", json={"email": owner.email, "password": PASSWORD})
    for _ in range(3):
        answer = await program.post("/v1/tokens/refresh", json={"refresh_token": answer.json()["refresh_token"]})
        assert answer.status_code == 200
    answer = await program.post("/v1/tokens/refresh", json={"refresh_token": answer.json()["refresh_token"]})
    assert answer.json()["code"] == "session_ended"


async def test_forged_access_tokens_open_nothing(owner: Person, installation: Installation) -> None:
    program = installation.browser()
    tokens = (await program.post("/v1/tokens", json={"email": owner.email, "password": PASSWORD})).json()
    real = tokens["access_token"]
    claims = jwt.decode(real, options={"verify_signature": False})
    header, body, signature = real.split(".")
    forged = [
        jwt.encode(claims, "x" * 32, algorithm="HS256"),
        jwt.encode(claims, "", algorithm="none"),
        jwt.encode(claims | {"exp": int(time.time()) + 10**6}, "s" * 40, algorithm="HS256"),
        f"{header}.{body}.",
        f"{header}.{body}.{signature[::-1]}",
        f"{header[::-1]}.{body}.{signature}",
        "..",
        tokens["refresh_token"],
    ]
    for token in forged:
        response = await program.get("/v1/me", headers={"authorization": f"Bearer {token}"})
        assert response.status_code == 401, token
    # What a browser holds is no bearer token, and what a program holds no cookie.
    cookie = {"authorization": f"Bearer {owner.client.cookies['radixinsight']}"}
    assert (await program.get("/v1/me", headers=cookie)).status_code == 401


async def test_what_a_program_holds_is_no_cookie(owner: Person, installation: Installation) -> None:
    program = installation.browser()
    tokens = (await program.post("/v1/tokens", json={"email": owner.email, "password": PASSWORD})).json()
    program.cookies.set("radixinsight", tokens["refresh_token"])
    assert (await program.get("/v1/me")).json()["code"] == "session_ended"
