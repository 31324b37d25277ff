"""Nobody guesses for long."""

from collections.abc import Callable
from typing import Any

import pytest
from pyotp.totp import TOTP

from api.access.principals import Client
from api.accounts.attempts import Attempts
from api.accounts.secrets import Secrets
from engine.accounts import PASSWORD, Installation, Person, new_email


async def test_a_password_cannot_be_guessed_for_long(owner: Person, installation: Installation) -> None:
    browser = installation.browser()
    wrong = {"email": owner.email, "password": "wrong" * 4}
    codes = [(await browser.post("/v1/sign-in", json=wrong)).json()["code"] for _ in range(12)]
    assert codes == ["sign_in_failed"] * 10 + ["too_many_attempts"] * 2
    late = await browser.post("/v1/sign-in", json=wrong | {"password": PASSWORD})
    assert late.status_code == 429
    assert 0 < int(late.headers["retry-after"]) <= 900
    # Whoever guesses does not lock the owner out elsewhere.
    assert (await installation.browser().post("/v1/sign-in", json=wrong | {"password": PASSWORD})).status_code == 204


async def test_attempts_from_many_networks_at_one_account_are_bounded(
    install: Callable[..., Any], installation: Installation, owner: Person
) -> None:
    async with install(installation.settings.model_copy(update={"sign_in_attempts": 2})) as strict:
        body = {"email": owner.email, "password": "wrong" * 4}
        codes = [(await strict.browser().post("/v1/sign-in", json=body)).json()["code"] for _ in range(11)]
    assert codes.count("too_many_attempts") >= 1
    assert codes[-1] == "too_many_attempts"


async def test_one_network_cannot_try_many_accounts(install: Callable[..., Any], installation: Installation) -> None:
    async with install(installation.settings.model_copy(update={"address_attempts": 3})) as strict:
        browser = strict.browser()
        bodies = [{"email": new_email(), "password": PASSWORD} for _ in range(5)]
        codes = [(await browser.post("/v1/sign-in", json=body)).json()["code"] for body in bodies]
    assert codes == ["sign_in_failed"] * 3 + ["too_many_attempts"] * 2


async def test_a_right_password_forgets_the_wrong_ones(owner: Person, installation: Installation) -> None:
    browser = installation.browser()
    for _ in range(3):
        for _ in range(9):
            wrong = {"email": owner.email, "password": "wrong" * 4}
            assert (await browser.post("/v1/sign-in", json=wrong)).status_code == 401
        right = {"email": owner.email, "password": PASSWORD}
        assert (await browser.post("/v1/sign-in", json=right)).status_code == 204


async def test_a_network_of_version_six_counts_as_one(installation: Installation) -> None:
    attempts = Attempts(
        installation.settings.model_copy(update={"address_attempts": 2}), Secrets(installation.settings)
    )
    seen: list[str] = []
    for number in range(3):
        try:
            await attempts.sign_in(new_email(), Client(f"2001:db8:5:{id(attempts) % 9999}::{number}", None), None)
            seen.append("fine")
        except Exception as error:  # noqa: BLE001 - its name is what is compared
            seen.append(type(error).__name__)
    await attempts.close()
    assert seen == ["fine", "fine", "TooManyAttemptsError"]


async def test_without_valkey_the_process_counts(install: Callable[..., Any], installation: Installation) -> None:
    update = {"redis_url": type(installation.settings.redis_url)("redis://127.0.0.1:1/0"), "sign_in_attempts": 2}
    async with install(installation.settings.model_copy(update=update)) as alone:
        browser = alone.browser()
        body = {"email": new_email(), "password": PASSWORD}
        codes = [(await browser.post("/v1/sign-in", json=body)).json()["code"] for _ in range(3)]
    assert codes == ["sign_in_failed"] * 2 + ["too_many_attempts"]


async def test_mails_cannot_be_asked_for_without_end(owner: Person, installation: Installation) -> None:
    browser = installation.browser()
    statuses = [(await browser.post("/v1/password-resets", json={"email": owner.email})).status_code for _ in range(6)]
    assert statuses == [202] * 5 + [429]


async def test_whoever_guesses_locks_no_browser_out_with_which_the_owner_signed_in(
    install: Callable[..., Any], installation: Installation, owner: Person
) -> None:
    right = {"email": owner.email, "password": PASSWORD}
    wrong = right | {"password": "wrong" * 4}
    async with install(installation.settings.model_copy(update={"sign_in_attempts": 2})) as strict:
        for _ in range(10):
            await strict.browser().post("/v1/sign-in", json=wrong)
        assert (await strict.browser().post("/v1/sign-in", json=right)).status_code == 429
        known = strict.browser()
        known.cookies.set("radixinsight-device", owner.client.cookies["radixinsight-device"])
        assert (await known.post("/v1/sign-in", json=right)).status_code == 204
        # It is no way to guess without end either.
        codes = [(await known.post("/v1/sign-in", json=wrong)).json()["code"] for _ in range(3)]
    assert codes == ["sign_in_failed", "sign_in_failed", "too_many_attempts"]


async def test_however_many_browsers_are_known_their_attempts_are_bounded_together(
    install: Callable[..., Any], installation: Installation, owner: Person
) -> None:
    right = {"email": owner.email, "password": PASSWORD}
    known = [installation.browser() for _ in range(3)]
    for browser in known:
        assert (await browser.post("/v1/sign-in", json=right)).status_code == 204
    assert len({browser.cookies["radixinsight-device"] for browser in known}) == 3
    async with install(installation.settings.model_copy(update={"sign_in_attempts": 3})) as strict:
        codes: list[str] = []
        for browser in known:
            device = f"radixinsight-device={browser.cookies['radixinsight-device']}"
            tries = [strict.browser(cookie=device) for _ in range(3)]
            body = right | {"password": "wrong" * 4}
            codes += [(await each.post("/v1/sign-in", json=body)).json()["code"] for each in tries]
    assert codes == ["sign_in_failed"] * 6 + ["too_many_attempts"] * 3


@pytest.mark.parametrize("changed", ["password", "second factor"])
async def test_a_browser_is_known_until_its_owner_changes_how_he_proves_himself(
    install: Callable[..., Any], installation: Installation, owner: Person, changed: str
) -> None:
    stolen, own = owner.client.cookies["radixinsight-device"], PASSWORD
    if changed == "password":
        own = "another horse battery staple"
        body = {"current": PASSWORD, "new": own}
        assert (await owner.client.post("/v1/me/password", json=body)).status_code == 204
    else:
        secret = (await owner.client.post("/v1/me/second-factor", json={"password": PASSWORD})).json()["secret"]
        body = {"code": TOTP(secret).now()}
        assert (await owner.client.post("/v1/me/second-factor/confirm", json=body)).status_code == 200
    async with install(installation.settings.model_copy(update={"sign_in_attempts": 1})) as strict:
        for _ in range(5):
            await strict.browser().post("/v1/sign-in", json={"email": owner.email, "password": "wrong" * 4})
        codes: list[str] = []
        for device in (stolen, owner.client.cookies["radixinsight-device"]):
            browser = strict.browser(cookie=f"radixinsight-device={device}")
            response = await browser.post("/v1/sign-in", json={"email": owner.email, "password": own})
            codes.append("fine" if response.status_code == 204 else response.json()["code"])
    # The browser in which he changed it is known on.
    assert codes == ["too_many_attempts", "fine" if changed == "password" else "second_factor_needed"]


async def test_a_browser_is_known_for_the_account_that_signed_in_with_it_alone(
    install: Callable[..., Any], installation: Installation, owner: Person, join: Callable[..., Any]
) -> None:
    member = await join(owner, "viewer")
    mine = member.client.cookies["radixinsight-device"]
    number, _, proof = mine.partition(".")
    async with install(installation.settings.model_copy(update={"sign_in_attempts": 2})) as strict:
        for _ in range(10):
            await strict.browser().post("/v1/sign-in", json={"email": owner.email, "password": "wrong" * 4})
        for device in (mine, f"{number}x.{proof}", f"{number}.", "nonsense", "."):
            browser = strict.browser(cookie=f"radixinsight-device={device}")
            refused = await browser.post("/v1/sign-in", json={"email": owner.email, "password": PASSWORD})
            assert refused.status_code == 429, device


async def test_a_mailed_link_gets_an_owner_in_whom_others_lock_out(
    install: Callable[..., Any], installation: Installation, owner: Person
) -> None:
    async with install(installation.settings.model_copy(update={"sign_in_attempts": 2})) as strict:
        for _ in range(10):
            await strict.browser().post("/v1/sign-in", json={"email": owner.email, "password": "wrong" * 4})
        new = "another horse battery staple"
        browser = await strict.browser_of_new_password(owner.email, new)
        signed_in = await browser.post("/v1/sign-in", json={"email": owner.email, "password": new})
    assert signed_in.status_code == 204
