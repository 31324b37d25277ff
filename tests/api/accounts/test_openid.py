"""Signing in by a real OpenID provider, and every way to get in without it."""

import asyncio
import json
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from sqlalchemy.orm import Session

from api.settings import ApiSettings
from core import metadata
from core.metadata.accounts import Organisation
from core.metadata.domains import give_domain, take_domain
from core.metadata.organisations import invite, role_named
from engine.accounts import PASSWORD, Installation, Person, signed_up
from engine.openid_provider import CLIENT_ID, CLIENT_SECRET, OpenIdProvider, openid_provider, query_of
from runtime.instance import Instance

Join = Callable[..., Awaitable[Person]]
NewOwner = Callable[..., Awaitable[Person]]


@pytest.fixture
def account_settings(account_settings: ApiSettings) -> ApiSettings:
    """Let providers be reached over http, on this machine."""
    return account_settings.model_copy(update={"identity_providers_over_http": True})


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenIdProvider]:
    """Run one provider for all tests: its key takes a while."""
    with openid_provider(str(tmp_path_factory.mktemp("openid") / "key.pem")) as provider:
        yield provider


@pytest.fixture
def provider(running: OpenIdProvider) -> OpenIdProvider:
    """Return it, honest again."""
    running.forged.clear()
    running.forge = None
    return running


@pytest.fixture
def domain(runtime: Instance, owner: Person) -> str:
    """Give a domain that nobody has to the owner's organisation."""
    return give(runtime, owner.organisation)


def give(runtime: Instance, organisation: int, domain: str | None = None) -> str:
    """Give an organisation a domain, a new one unless it is said."""
    domain = domain or f"d{uuid4().hex[:12]}.example.com"
    engine = metadata.connect(runtime.database_url)
    with Session(engine) as session, session.begin():
        given = give_domain(session, session.get_one(Organisation, organisation), domain)
    engine.dispose()
    return given


def take(runtime: Instance, domain: str) -> None:
    """Take a domain away."""
    engine = metadata.connect(runtime.database_url)
    with Session(engine) as session, session.begin():
        take_domain(session, domain)
    engine.dispose()


async def added(owner: Person, provider: OpenIdProvider, **said: Any) -> int:
    """Add the provider to an organisation, and return its number there."""
    body = {
        "kind": "oidc",
        "name": "Login",
        "issuer": provider.issuer,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
    }
    response = await owner.client.post(f"{owner.path}/identity-providers", json=body | said)
    assert response.status_code == 201, response.text
    provider.redirect_uris.append(response.json()["redirect_uri"])
    return int(response.json()["id"])


async def begun(browser: httpx.AsyncClient, number: int, **asked: str) -> str:
    """Begin a visit, and return the provider's address."""
    response = await browser.get(f"/v1/sign-in/providers/{number}/start", params=asked)
    assert response.status_code == 303, response.text
    return response.headers["location"]


async def visited(browser: httpx.AsyncClient, provider: OpenIdProvider, number: int, subject: str) -> httpx.Response:
    """Sign in at the provider, and come back."""
    address = await begun(browser, number)
    return await browser.get(await provider.sign_in(address, subject))


def code_of(response: httpx.Response) -> str:
    """Return what a refusal is called."""
    return "fine" if response.status_code < 400 else str(response.json()["code"])


async def invited(owner: Person, email: str, role: str = "analyst") -> None:
    """Invite somebody."""
    response = await owner.client.post(f"{owner.path}/invitations", json={"email": email, "role": role})
    assert response.status_code == 201, response.text


async def test_whoever_was_invited_signs_in_by_the_provider_and_has_an_account(
    owner: Person, installation: Installation, provider: OpenIdProvider, domain: str
) -> None:
    number = await added(owner, provider)
    provider.add("grace", email=f"grace@{domain}")
    await invited(owner, f"grace@{domain}")
    browser = installation.browser()
    address = await begun(browser, number, return_to="/dashboards?id=7")
    arrived = await browser.get(await provider.sign_in(address, "grace"))
    assert (arrived.status_code, arrived.headers["location"]) == (303, "http://127.0.0.1:7100/dashboards?id=7")
    me = (await browser.get("/v1/me")).json()
    assert (me["email"], me["name"], me["is_email_verified"]) == (f"grace@{domain}", "Grace Hopper", True)
    assert [(each["id"], each["role"]) for each in me["organisations"]] == [(owner.organisation, "analyst")]
    again = installation.browser()
    assert code_of(await visited(again, provider, number, "grace")) == "fine"
    assert (await again.get("/v1/me")).json()["id"] == me["id"]
    log = (await owner.client.get(f"{owner.path}/audit-log")).json()["entries"]
    assert [each["action"] for each in log[:4]] == [
        "session.opened",
        "session.opened",
        "identity.linked",
        "invitation.accepted",
    ]


async def test_nobody_gets_in_uninvited_unless_the_organisation_says_so(
    owner: Person, installation: Installation, provider: OpenIdProvider, domain: str
) -> None:
    number = await added(owner, provider)
    provider.add("uninvited", email=f"u@{domain}")
    refused = await visited(installation.browser(), provider, number, "uninvited")
    assert (refused.status_code, code_of(refused)) == (403, "not_admitted")
    path = f"{owner.path}/identity-providers/{number}"
    changed = await owner.client.patch(path, json={"admits_uninvited": True, "role": "viewer"})
    assert changed.status_code == 204, changed.text
    browser = installation.browser()
    assert code_of(await visited(browser, provider, number, "uninvited")) == "fine"
    assert (await browser.get("/v1/me")).json()["organisations"][0]["role"] == "viewer"


@pytest.mark.parametrize(
    "claims",
    [
        {"email_verified": False},
        {"email_verified": None},
        {"email": "ceo@other.example.com"},
        {"email": "ceo@other.example.com x@DOMAIN"},
        {"email": "x@other.example.com@DOMAIN"},
        {"email": "x@sub.DOMAIN"},
        {"email": None},
    ],
)
async def test_an_address_that_is_not_proved_or_not_of_the_domain_opens_nothing(
    owner: Person, installation: Installation, provider: OpenIdProvider, domain: str, claims: dict[str, Any]
) -> None:
    number = await added(owner, provider, admits_uninvited=True)
    said = {"email": f"x@{domain}"} | claims
    told = {
        name: value.replace("DOMAIN", domain) if name == "email" and value else value for name, value in said.items()
    }
    provider.add("odd", **{name: value for name, value in told.items() if value is not None})
    if "email_verified" in claims and claims["email_verified"] is None:
        del provider.people["odd"]["email_verified"]
    assert code_of(await visited(installation.browser(), provider, number, "odd")) == "not_admitted"


async def test_a_provider_cannot_take_over_the_account_of_another_organisation(
    owner: Person, installation: Installation, provider: OpenIdProvider, new_owner: NewOwner, domain: str
) -> None:
    victim = await new_owner("Victim")
    number = await added(owner, provider, admits_uninvited=True)
    provider.add("evil", email=victim.email)
    assert code_of(await visited(installation.browser(), provider, number, "evil")) == "not_admitted"
    assert domain not in victim.email


async def test_a_session_by_a_provider_is_good_for_its_organisation_alone(
    owner: Person, installation: Installation, provider: OpenIdProvider, new_owner: NewOwner, runtime: Instance
) -> None:
    other, domain = await new_owner("Other"), give(runtime, owner.organisation)
    email = f"both@{domain}"
    await invited(other, email)
    member = await signed_up(installation, installation.token_mailed(email), email, other.organisation)
    await invited(owner, email)
    number = await added(owner, provider)
    provider.add("both", email=email)
    browser = installation.browser()
    assert code_of(await visited(browser, provider, number, "both")) == "fine"
    assert [each["id"] for each in (await browser.get("/v1/me")).json()["organisations"]] == [owner.organisation]
    assert (await browser.get(other.path)).status_code == 404
    # By his password he sees both.
    seen = (await member.client.get("/v1/me")).json()["organisations"]
    assert {each["id"] for each in seen} == {owner.organisation, other.organisation}
    take(runtime, domain)
    assert code_of(await visited(installation.browser(), provider, number, "both")) == "not_admitted"


async def test_whoever_comes_by_a_provider_does_nothing_to_his_account_and_in_other_organisations(
    owner: Person, installation: Installation, provider: OpenIdProvider, new_owner: NewOwner, runtime: Instance
) -> None:
    other, domain = await new_owner("Other"), give(runtime, owner.organisation)
    email = f"two@{domain}"
    await invited(other, email, "admin")
    member = await signed_up(installation, installation.token_mailed(email), email, other.organisation)
    await invited(owner, email, "admin")
    number = await added(owner, provider)
    provider.add("two", email=email)
    browser = installation.browser()
    assert code_of(await visited(browser, provider, number, "two")) == "fine"
    browser.headers["x-csrf-token"] = (await browser.get("/v1/me")).json()["csrf_token"]
    mine = {each["id"]: each for each in (await member.client.get("/v1/me/sessions")).json()["sessions"]}
    (seen,) = (await browser.get("/v1/me/sessions")).json()["sessions"]
    assert seen["is_current"]
    await invited(await new_owner("Third"), email)
    third = installation.token_mailed(email)
    proof = {"password": PASSWORD}
    refused: list[tuple[str, str, dict[str, Any]]] = [
        ("PATCH", "/v1/me", {"name": "Renamed"}),
        ("POST", "/v1/me/password", {"current": PASSWORD, "new": "another horse battery staple"}),
        ("POST", "/v1/me/deletion", proof),
        ("POST", "/v1/me/second-factor", proof),
        ("POST", "/v1/me/second-factor/confirm", {"code": "123456"}),
        ("POST", "/v1/me/second-factor/recovery-codes", proof | {"code": "123456"}),
        ("POST", "/v1/me/second-factor/remove", proof | {"code": "123456"}),
        ("POST", "/v1/email-verifications", {}),
        ("POST", "/v1/invitations/accept", {"invitation": third}),
        *(("DELETE", f"/v1/me/sessions/{each}", {}) for each in mine if each != seen["id"]),
    ]
    for method, path, body in refused:
        response = await browser.request(method, path, json=body)
        assert (response.status_code, code_of(response)) == (403, "password_sign_in_needed"), path
    made = (await other.client.post(f"{other.path}/projects", json={"name": "Theirs"})).json()["id"]
    key = {"name": "k", "scopes": ["data:query"]}
    assert code_of(await browser.post(f"/v1/projects/{made}/api-keys", json=key)) == "project_not_found"
    assert code_of(await member.client.get("/v1/me")) == "fine"
    own = (await browser.post(f"{owner.path}/projects", json={"name": "Own"})).json()["id"]
    assert code_of(await browser.post(f"/v1/projects/{own}/api-keys", json=key)) == "fine"
    # What he does is told in that organisation alone.
    assert (await browser.post("/v1/sign-out")).status_code == 204
    for path, told in ((owner.path, {"session.opened", "session.ended"}), (other.path, set[str]())):
        by = owner if path == owner.path else other
        log = (await by.client.get(f"{path}/audit-log", params={"actor": email})).json()["entries"]
        assert {each["action"] for each in log if each["action"].startswith("session.")} == told


async def test_tokens_of_a_session_by_a_provider_are_worth_no_more_than_it(
    owner: Person, installation: Installation, provider: OpenIdProvider, domain: str, runtime: Instance
) -> None:
    number = await added(owner, provider)
    email = f"token@{domain}"
    await invited(owner, email)
    member = await signed_up(installation, installation.token_mailed(email), email, owner.organisation)
    tokens = (await member.client.post("/v1/tokens", json={"email": email, "password": PASSWORD})).json()
    engine = metadata.connect(runtime.database_url)
    with engine.begin() as connection:
        given = "update sessions set provider_id = %s where user_id = %s and kind = 'program'"
        connection.exec_driver_sql(given, (number, member.id))
    engine.dispose()
    renewed = await installation.browser().post("/v1/tokens/refresh", json={"refresh_token": tokens["refresh_token"]})
    for token in (tokens["access_token"], renewed.json()["access_token"]):
        program = installation.browser(authorization=f"Bearer {token}")
        assert code_of(await program.patch("/v1/me", json={"name": "Renamed"})) == "password_sign_in_needed"
        assert code_of(await program.get(owner.path)) == "fine"


async def test_whoever_has_no_password_gets_one_by_mail_and_with_it_the_account(
    owner: Person, installation: Installation, provider: OpenIdProvider, domain: str
) -> None:
    number = await added(owner, provider, admits_uninvited=True, role="viewer")
    email = f"none@{domain}"
    provider.add("none", email=email)
    assert code_of(await visited(installation.browser(), provider, number, "none")) == "fine"
    browser = await installation.browser_of_new_password(email, PASSWORD)
    assert (await browser.post("/v1/sign-in", json={"email": email, "password": PASSWORD})).status_code == 204
    browser.headers["x-csrf-token"] = (await browser.get("/v1/me")).json()["csrf_token"]
    assert (await browser.patch("/v1/me", json={"name": "Own"})).status_code == 204
    assert code_of(await visited(installation.browser(), provider, number, "none")) == "fine"
    assert len((await browser.get("/v1/me/sessions")).json()["sessions"]) == 2


async def test_an_account_that_somebody_made_with_an_unproved_address_becomes_its_owners(
    owner: Person, installation: Installation, provider: OpenIdProvider, domain: str, runtime: Instance
) -> None:
    email = f"late@{domain}"
    engine = metadata.connect(runtime.database_url)
    with Session(engine) as session, session.begin():
        role = role_named(session, owner.organisation, "admin")
        _, token = invite(session, owner.organisation, email, role, invited_by=None, is_mailed=False)
    engine.dispose()
    squatter = await signed_up(installation, token, email, owner.organisation)
    project = (await owner.client.post(f"{owner.path}/projects", json={"name": "Shop"})).json()["id"]
    asked = {"name": "k", "scopes": ["data:query"]}
    key = (await squatter.client.post(f"/v1/projects/{project}/api-keys", json=asked)).json()
    await invited(squatter, f"friend@{domain}")
    number = await added(owner, provider)
    provider.add("late", email=email)
    browser = installation.browser()
    assert code_of(await visited(browser, provider, number, "late")) == "fine"
    assert (await browser.get("/v1/me")).json()["id"] == squatter.id
    assert code_of(await squatter.client.get("/v1/me")) == "session_ended"
    again = await installation.browser().post("/v1/sign-in", json={"email": email, "password": PASSWORD})
    assert code_of(again) == "sign_in_failed"
    friend = {"invitation": installation.token_mailed(f"friend@{domain}")}
    looked = await installation.browser().post("/v1/invitations/look-up", json=friend)
    assert code_of(looked) == "link_invalid"
    log = (await owner.client.get(f"{owner.path}/audit-log", params={"actor": email})).json()["entries"]
    told = {each["action"]: each for each in log[:7]}
    assert {"account.taken_back", "session.ended", "invitation.revoked", "email.verified"} <= set(told)
    assert told["account.taken_back"]["details"] == {"provider": "Login", "keys_made_before": [key["prefix"]]}


async def test_two_first_visits_at_once_make_one_account(
    owner: Person, installation: Installation, provider: OpenIdProvider, domain: str
) -> None:
    number = await added(owner, provider, admits_uninvited=True)
    provider.add("twice", email=f"twice@{domain}")
    browsers = [installation.browser() for _ in range(3)]
    backs = [await provider.sign_in(await begun(browser, number), "twice") for browser in browsers]
    arrived = await asyncio.gather(*(browser.get(back) for browser, back in zip(browsers, backs, strict=True)))
    assert [code_of(each) for each in arrived] == ["fine"] * 3
    assert len({(await browser.get("/v1/me")).json()["id"] for browser in browsers}) == 1


async def test_an_office_behind_one_address_can_sign_in(
    owner: Person, installation: Installation, provider: OpenIdProvider
) -> None:
    number = await added(owner, provider)
    office = installation.browser()
    statuses = {(await office.get(f"/v1/sign-in/providers/{number}/start")).status_code for _ in range(60)}
    assert statuses == {303}


async def test_an_address_that_went_to_somebody_else_at_the_provider_does_not_open_the_account(
    owner: Person, installation: Installation, provider: OpenIdProvider, domain: str
) -> None:
    number = await added(owner, provider)
    email = f"info@{domain}"
    await invited(owner, email)
    provider.add("first", email=email)
    provider.add("second", email=email)
    assert code_of(await visited(installation.browser(), provider, number, "first")) == "fine"
    assert code_of(await visited(installation.browser(), provider, number, "second")) == "not_admitted"


async def test_only_the_browser_that_began_can_end_a_visit_and_only_once(
    owner: Person, installation: Installation, provider: OpenIdProvider, domain: str
) -> None:
    number = await added(owner, provider, admits_uninvited=True)
    provider.add("eve", email=f"eve@{domain}")
    eve, victim = installation.browser(), installation.browser()
    back = await provider.sign_in(await begun(eve, number), "eve")
    # Eve makes somebody follow the link, who would go on in her account.
    assert code_of(await victim.get(back)) == "sign_in_unknown"
    await begun(victim, number)
    assert code_of(await victim.get(back)) == "sign_in_unknown"
    assert code_of(await eve.get(back)) == "fine"
    assert code_of(await eve.get(back)) == "sign_in_unknown"


async def test_a_visit_takes_ten_minutes_at_most(
    owner: Person, installation: Installation, provider: OpenIdProvider, domain: str, runtime: Instance
) -> None:
    number = await added(owner, provider, admits_uninvited=True)
    provider.add("slow", email=f"slow@{domain}")
    browser = installation.browser()
    back = await provider.sign_in(await begun(browser, number), "slow")
    engine = metadata.connect(runtime.database_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("update pending_sign_ins set expires_at = now() where provider_id = %s", (number,))
    engine.dispose()
    assert code_of(await browser.get(back)) == "sign_in_unknown"


@pytest.mark.parametrize(
    "forged",
    [
        {"iss": "https://evil.example"},
        {"aud": ["somebody else"]},
        {"aud": [CLIENT_ID, "somebody else"], "azp": "somebody else"},
        {"nonce": "of another visit"},
        {"exp": 1_700_000_000},
        {"iat": 4_000_000_000},
        {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
        {"sub": ""},
    ],
    ids=lambda forged: next(iter(forged)),
)
async def test_an_id_token_that_is_not_of_this_provider_client_and_visit_does_not_count(
    owner: Person, installation: Installation, provider: OpenIdProvider, domain: str, forged: dict[str, Any]
) -> None:
    number = await added(owner, provider, admits_uninvited=True)
    provider.add("mallory", email=f"m@{domain}")
    provider.forged.update(forged)
    refused = await visited(installation.browser(), provider, number, "mallory")
    assert code_of(refused) == "provider_answer_invalid"


def _unsigned(claims: dict[str, Any]) -> str:
    head, body = (
        urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({"alg": "none"}, claims)
    )
    return f"{head}.{body}."


def _signed_by_another(claims: dict[str, Any]) -> str:
    return jwt.encode({"alg": "RS256", "kid": "one"}, claims, RSAKey.generate_key(2048))


def _signed_with_the_secret(claims: dict[str, Any]) -> str:
    return jwt.encode({"alg": "HS256", "kid": "one"}, claims, OctKey.import_key(CLIENT_SECRET))


@pytest.mark.parametrize("forge", [_unsigned, _signed_by_another, _signed_with_the_secret, str])
async def test_an_id_token_that_the_providers_key_did_not_sign_does_not_count(
    owner: Person,
    installation: Installation,
    provider: OpenIdProvider,
    domain: str,
    forge: Callable[[dict[str, Any]], str],
) -> None:
    number = await added(owner, provider, admits_uninvited=True)
    provider.add("forger", email=f"f@{domain}")
    provider.forge = forge
    assert code_of(await visited(installation.browser(), provider, number, "forger")) == "provider_answer_invalid"


async def test_the_code_of_one_visit_is_worth_nothing_in_another(
    owner: Person, installation: Installation, provider: OpenIdProvider, domain: str
) -> None:
    number = await added(owner, provider, admits_uninvited=True)
    provider.add("victim", email=f"victim@{domain}")
    eve = installation.browser()
    stolen = query_of(await provider.sign_in(await begun(installation.browser(), number), "victim"))["code"]
    state = query_of(await begun(eve, number))["state"]
    # The provider itself refuses: the verifier is that of another visit.
    response = await eve.get(f"/v1/sign-in/providers/{number}/callback", params={"state": state, "code": stolen})
    assert code_of(response) == "provider_answer_invalid"


async def test_a_provider_that_answers_for_another_is_found_out(
    owner: Person, installation: Installation, provider: OpenIdProvider, domain: str
) -> None:
    number = await added(owner, provider, admits_uninvited=True)
    other = await added(owner, provider, name="Other", admits_uninvited=True)
    provider.add("mixed", email=f"mixed@{domain}")
    for away, by, code in (
        ("&iss=https%3A%2F%2Fevil.example", number, "provider_answer_invalid"),
        ("", other, "sign_in_unknown"),
    ):
        browser = installation.browser()
        back = await provider.sign_in(await begun(browser, number), "mixed")
        assert code_of(await browser.get(back.replace(f"/{number}/", f"/{by}/") + away)) == code


@pytest.mark.parametrize(
    "path", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/a\nb", "", "evil"]
)
async def test_a_visit_comes_back_to_our_own_page_alone(
    owner: Person, installation: Installation, provider: OpenIdProvider, path: str
) -> None:
    number = await added(owner, provider)
    response = await installation.browser().get(f"/v1/sign-in/providers/{number}/start", params={"return_to": path})
    assert (response.status_code, code_of(response)) == (422, "return_path_invalid")


async def test_members_sign_in_by_the_provider_alone_where_that_is_demanded_and_owners_by_both(
    owner: Person, installation: Installation, provider: OpenIdProvider, domain: str, join: Join
) -> None:
    none = await owner.client.patch(owner.path, json={"demands_provider": True})
    assert code_of(none) == "no_provider"
    number = await added(owner, provider)
    email = f"member@{domain}"
    await invited(owner, email)
    member = await signed_up(installation, installation.token_mailed(email), email, owner.organisation)
    program = (await member.client.post("/v1/tokens", json={"email": email, "password": PASSWORD})).json()
    provider.add("member", email=email)
    assert (await owner.client.patch(owner.path, json={"demands_provider": True})).status_code == 204
    token = installation.browser(authorization=f"Bearer {program['access_token']}")
    for barred in (member.client, token):
        assert (await barred.get("/v1/me")).json()["organisations"] == []
        assert (await barred.get(owner.path)).status_code == 404
        assert (await barred.get("/v1/projects")).json()["projects"] == []
    browser = installation.browser()
    assert code_of(await visited(browser, provider, number, "member")) == "fine"
    assert (await browser.get(owner.path)).json()["demands_provider"] is True
    assert (await owner.client.get(owner.path)).status_code == 200
    # An owner who is one by a role of the same name is none.
    admin = await join(owner, "admin")
    assert (await admin.client.get(owner.path)).status_code == 404
    # Without a provider nobody could get in: then passwords count again.
    assert (await owner.client.delete(f"{owner.path}/identity-providers/{number}")).status_code == 204
    assert code_of(await browser.get("/v1/me")) == "session_ended"
    assert (await member.client.get(owner.path)).json()["demands_provider"] is False


async def test_the_secret_is_kept_encrypted_and_never_shown(
    owner: Person, provider: OpenIdProvider, runtime: Instance
) -> None:
    number = await added(owner, provider)
    path = f"{owner.path}/identity-providers"
    await owner.client.patch(f"{path}/{number}", json={"client_secret": "another secret of ours"})
    for shown in (await owner.client.get(path), await owner.client.get(f"{owner.path}/audit-log")):
        assert CLIENT_SECRET not in shown.text
        assert "another secret" not in shown.text
    engine = metadata.connect(runtime.database_url)
    with engine.connect() as connection:
        kept = connection.exec_driver_sql("select client_secret from identity_providers where id = %s", (number,))
        assert b"another secret" not in bytes(kept.scalar_one())
    engine.dispose()


async def test_only_owners_manage_providers_and_only_real_ones_are_added(
    owner: Person, provider: OpenIdProvider, join: Join
) -> None:
    admin = await join(owner, "admin")
    path = f"{owner.path}/identity-providers"
    assert code_of(await admin.client.get(path)) == "permission_missing"
    body = {"kind": "oidc", "name": "X", "client_id": "x"}
    for issuer in (f"{provider.issuer}/", "http://127.0.0.1:1", f"{provider.issuer}/jwks"):
        refused = await owner.client.post(path, json=body | {"issuer": issuer})
        assert (refused.status_code, code_of(refused)) == (502, "provider_unavailable")
    refused = await owner.client.post(path, json=body | {"issuer": "file:///etc/passwd"})
    assert (refused.status_code, code_of(refused)) == (422, "provider_invalid")
    for wrong in ({"kind": "saml"}, {"kind": "oidc"}, {"kind": "saml", "metadata": "<x/>", "issuer": "y"}):
        assert (await owner.client.post(path, json={"name": "X"} | wrong)).status_code == 422


async def test_whoever_may_change_the_organisation_and_less_else_makes_himself_no_owner_by_a_provider(
    owner: Person, provider: OpenIdProvider, join: Join
) -> None:
    number = await added(owner, provider)
    role = {"name": "settings", "permissions": ["organisation:manage"]}
    assert (await owner.client.post(f"{owner.path}/roles", json=role)).status_code == 201
    member = await join(owner, "settings")
    path = f"{owner.path}/identity-providers"
    body = {"kind": "oidc", "name": "Mine", "issuer": provider.issuer, "client_id": CLIENT_ID}
    for refused in (
        await member.client.post(path, json=body),
        await member.client.patch(f"{path}/{number}", json={"client_secret": "mine"}),
        await member.client.patch(f"{path}/{number}", json={"admits_uninvited": True}),
    ):
        assert (refused.status_code, code_of(refused)) == (403, "too_powerful")
    # Nor does he take the organisation from its owners.
    assert code_of(await member.client.post(f"{owner.path}/closing", json={"name": "Shop"})) == "too_powerful"


async def test_over_http_no_provider_is_asked_unless_the_settings_say_so(
    install: Callable[..., Any], account_settings: ApiSettings, owner: Person, provider: OpenIdProvider
) -> None:
    strict = account_settings.model_copy(update={"identity_providers_over_http": False})
    async with install(strict) as running:
        client = running.browser()
        client.cookies.update(owner.client.cookies)
        body = {"kind": "oidc", "name": "X", "client_id": "x", "issuer": provider.issuer}
        headers = {"x-csrf-token": owner.client.headers["x-csrf-token"]}
        refused = await client.post(f"{owner.path}/identity-providers", json=body, headers=headers)
    assert (refused.status_code, code_of(refused)) == (422, "provider_invalid")
    assert "IDENTITY_PROVIDERS_OVER_HTTP" in refused.json()["detail"]


async def test_an_address_tells_its_providers_and_not_whether_it_has_an_account(
    owner: Person, installation: Installation, provider: OpenIdProvider, domain: str
) -> None:
    number = await added(owner, provider)
    browser = installation.browser()
    for email in (f"nobody@{domain}", f"Somebody@{domain.upper()}"):
        found = (await browser.post("/v1/sign-in/providers", json={"email": email})).json()["providers"]
        assert [(each["id"], each["name"], each["start"]) for each in found] == [
            (number, "Login", f"/v1/sign-in/providers/{number}/start")
        ]
    for email in ("x@elsewhere.example.com", owner.email, "nonsense"):
        assert (await browser.post("/v1/sign-in/providers", json={"email": email})).json() == {"providers": []}


async def test_a_domain_with_letters_beyond_ascii_is_the_same_however_it_is_written(
    owner: Person, installation: Installation, provider: OpenIdProvider, runtime: Instance
) -> None:
    name = f"münchen-{uuid4().hex[:8]}.example"
    ascii_name = give(runtime, owner.organisation, f"@{name.upper()}")
    assert ascii_name == name.encode("idna").decode()
    number = await added(owner, provider, admits_uninvited=True)
    found: list[int] = []
    for subject, domain in (("one", name), ("two", ascii_name.upper()), ("three", name.replace("ü", "u\u0308"))):
        provider.add(subject, email=f"{subject}@{domain}")
        assert code_of(await visited(installation.browser(), provider, number, subject)) == "fine", domain
        asked = await installation.browser().post("/v1/sign-in/providers", json={"email": f"x@{domain}"})
        found += [each["id"] for each in asked.json()["providers"]]
    assert found == [number] * 3
    # What looks alike is another domain: here with letters of Cyrillic.
    for domain in (name.replace("c", "\u0441"), name.replace("e", "\u0435"), name.replace("ü", "u"), f"sub.{name}"):
        provider.add("alike", email=f"alike@{domain}")
        assert code_of(await visited(installation.browser(), provider, number, "alike")) == "not_admitted", domain
        asked = await installation.browser().post("/v1/sign-in/providers", json={"email": f"x@{domain}"})
        assert asked.json() == {"providers": []}
    take(runtime, name)
    assert code_of(await visited(installation.browser(), provider, number, "one")) == "not_admitted"
