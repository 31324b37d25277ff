"""Signing in by a real SAML identity provider, and answers that it never gave."""

import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from saml2.saml import NAMEID_FORMAT_EMAILADDRESS, NAMEID_FORMAT_PERSISTENT, NAMEID_FORMAT_TRANSIENT
from saml2.xmldsig import SIG_RSA_SHA1
from sqlalchemy.orm import Session

from core import metadata
from core.metadata.accounts import Organisation
from core.metadata.domains import give_domain
from engine.accounts import Installation, Person
from engine.saml_provider import SamlProvider, saml_provider
from runtime.instance import Instance

Forge = Callable[[str], str]


@dataclass
class Login:
    """An organisation's provider, and what a browser does with it."""

    owner: Person
    installation: Installation
    provider: SamlProvider
    number: int
    domain: str

    @property
    def path(self) -> str:
        """Return the address of the provider here."""
        return f"/v1/sign-in/providers/{self.number}"

    async def begin(self, browser: httpx.AsyncClient, **asked: str) -> str:
        """Begin a visit, and return the provider's address."""
        response = await browser.get(f"{self.path}/start", params=asked)
        assert response.status_code == 303, response.text
        return response.headers["location"]

    async def post(self, form: dict[str, str]) -> httpx.Response:
        """Post an answer as the provider's page does: a browser sends no cookies with it."""
        return await self.installation.browser().post(f"{self.path}/acs", data=form)

    async def end(self, browser: httpx.AsyncClient, posted: httpx.Response) -> httpx.Response:
        """Follow the way that the answer to the post shows."""
        assert posted.status_code == 303, posted.text
        return await browser.get(posted.headers["location"].removeprefix("http://127.0.0.1:7100"))

    async def visit(self, browser: httpx.AsyncClient, subject: str, **attributes: str) -> httpx.Response:
        """Sign in."""
        form = self.provider.sign_in(await self.begin(browser), subject, **attributes)
        return await self.end(browser, await self.post(form))


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> SamlProvider:
    """Return a provider with one key for all tests."""
    return saml_provider(tmp_path_factory.mktemp("saml"))


@pytest.fixture
async def login(owner: Person, installation: Installation, runtime: Instance, provider: SamlProvider) -> Login:
    """Let the owner's organisation sign in by the provider, and each trust the other."""
    engine = metadata.connect(runtime.database_url)
    with Session(engine) as session, session.begin():
        where = session.get_one(Organisation, owner.organisation)
        domain = give_domain(session, where, f"d{uuid4().hex[:12]}.example.com")
    engine.dispose()
    body = {"kind": "saml", "name": "Login", "metadata": provider.metadata, "admits_uninvited": True, "role": "viewer"}
    added = await owner.client.post(f"{owner.path}/identity-providers", json=body)
    assert added.status_code == 201, added.text
    made = Login(owner, installation, provider, int(added.json()["id"]), domain)
    provider.trust((await installation.browser().get(f"{made.path}/metadata")).content)
    return made


def code_of(response: httpx.Response) -> str:
    """Return what a refusal is called."""
    return "fine" if response.status_code < 400 else str(response.json()["code"])


async def test_whoever_the_provider_knows_signs_in_and_comes_back_where_he_began(login: Login) -> None:
    browser = login.installation.browser()
    address = await login.begin(browser, return_to="/dashboards")
    form = login.provider.sign_in(address, "grace-1", mail=f"grace@{login.domain}", displayName="Grace Hopper")
    arrived = await login.end(browser, await login.post(form))
    assert (arrived.status_code, arrived.headers["location"]) == (303, "http://127.0.0.1:7100/dashboards")
    me = (await browser.get("/v1/me")).json()
    assert (me["email"], me["name"]) == (f"grace@{login.domain}", "Grace Hopper")
    assert [(each["id"], each["role"]) for each in me["organisations"]] == [(login.owner.organisation, "viewer")]
    again = login.installation.browser()
    assert code_of(await login.visit(again, "grace-1")) == "fine"
    assert (await again.get("/v1/me")).json()["id"] == me["id"]


async def test_a_name_id_that_is_an_address_is_enough(login: Login) -> None:
    browser, email = login.installation.browser(), f"ada@{login.domain}"
    assert code_of(await login.visit(browser, email, name_format=NAMEID_FORMAT_EMAILADDRESS)) == "fine"
    assert (await browser.get("/v1/me")).json()["email"] == email


async def test_our_metadata_ask_for_the_names_that_open_something(login: Login) -> None:
    found = (await login.installation.browser().get(f"{login.path}/metadata")).text
    forms = re.findall("<md:NameIDFormat>(.*?)</md:NameIDFormat>", found)
    assert forms == [NAMEID_FORMAT_PERSISTENT, NAMEID_FORMAT_EMAILADDRESS]


async def test_addresses_of_other_domains_open_nothing(login: Login) -> None:
    for email in (login.owner.email, f"x@sub.{login.domain}", f"x@{login.domain}.evil.example.com", "nonsense"):
        refused = await login.visit(login.installation.browser(), f"s-{email}", mail=email)
        assert code_of(refused) == "not_admitted", email


async def test_an_answer_opens_a_session_in_the_browser_that_asked_and_once(login: Login) -> None:
    eve, victim = login.installation.browser(), login.installation.browser()
    form = login.provider.sign_in(await login.begin(eve), "eve", mail=f"eve@{login.domain}")
    posted = await login.post(form)
    await login.begin(victim)
    assert code_of(await login.end(victim, posted)) == "sign_in_unknown"
    assert code_of(await login.post(form)) == "sign_in_unknown"
    assert code_of(await login.end(eve, posted)) == "fine"
    assert code_of(await login.end(eve, posted)) == "sign_in_unknown"
    assert code_of(await login.post(form)) == "sign_in_unknown"


async def test_nobody_arrives_before_the_provider_has_answered(login: Login) -> None:
    browser = login.installation.browser()
    state = httpx.URL(await login.begin(browser)).params["RelayState"]
    assert code_of(await browser.get(f"{login.path}/end", params={"state": state})) == "provider_answer_invalid"


async def test_the_answer_to_one_visit_is_none_to_another(login: Login) -> None:
    eve = login.installation.browser()
    stolen = login.provider.sign_in(await login.begin(login.installation.browser()), "victim", mail=f"v@{login.domain}")
    own = httpx.URL(await login.begin(eve)).params["RelayState"]
    refused = await login.post({"SAMLResponse": stolen["SAMLResponse"], "RelayState": own})
    assert code_of(refused) == "provider_answer_invalid"


async def test_the_response_around_a_stolen_assertion_cannot_be_made_to_fit(login: Login) -> None:
    eve = login.installation.browser()
    stolen = login.provider.sign_in(await login.begin(login.installation.browser()), "victim", mail=f"v@{login.domain}")
    own = login.provider.sign_in(await login.begin(eve), "eve", mail=f"e@{login.domain}")
    theirs, mine = (b64decode(form["SAMLResponse"]).decode() for form in (stolen, own))
    request = re.search(r'InResponseTo="([^"]+)"', mine)
    assert request is not None
    # Only the assertion is signed: what stands in the response around it is anybody's.
    forged = re.sub(r'InResponseTo="[^"]+"', f'InResponseTo="{request[1]}"', theirs, count=1)
    refused = await login.post({"SAMLResponse": b64encode(forged.encode()).decode(), "RelayState": own["RelayState"]})
    assert code_of(refused) == "provider_answer_invalid"


_ASSERTION = re.compile(r"<ns1:Assertion .*</ns1:Assertion>", re.DOTALL)
_SIGNATURE = re.compile(r"<ns2:Signature.*</ns2:Signature>", re.DOTALL)


def _evil(response: str) -> str:
    """Return the assertion as an attacker would have it, with no signature."""
    found = _ASSERTION.search(response)
    assert found is not None
    copy = _SIGNATURE.sub("", found[0])
    return re.sub(r' ID="[^"]+"', ' ID="evil"', copy, count=1).replace("mallory@", "ceo@").replace("mallory-1", "ceo-1")


def _no_signature(response: str) -> str:
    return _SIGNATURE.sub("", response)


def _changed(response: str) -> str:
    return response.replace("mallory@", "ceo@")


def _second_first(response: str) -> str:
    return _ASSERTION.sub(lambda found: _evil(response) + found[0], response)


def _second_last(response: str) -> str:
    return _ASSERTION.sub(lambda found: found[0] + _evil(response), response)


def _wrapped_in_extensions(response: str) -> str:
    """Move the signed assertion to where nobody looks, and put another in its place (signature wrapping)."""
    hidden = _ASSERTION.search(response)
    assert hidden is not None
    moved = _ASSERTION.sub(lambda _: _evil(response), response)
    return moved.replace("<ns0:Status>", f"<ns0:Extensions>{hidden[0]}</ns0:Extensions><ns0:Status>")


def _wrapped_in_the_signature(response: str) -> str:
    """Hide the signed assertion inside an object of the signature of another one."""
    whole, signature = _ASSERTION.search(response), _SIGNATURE.search(response)
    assert whole is not None
    assert signature is not None
    hidden = f"<ns2:Object>{_SIGNATURE.sub('', whole[0])}</ns2:Object>"
    carrying = signature[0].replace("</ns2:Signature>", f"{hidden}</ns2:Signature>")
    evil = _evil(response).replace("</ns1:Issuer>", f"</ns1:Issuer>{carrying}", 1)
    return _ASSERTION.sub(lambda _: evil, response)


def _same_id(response: str) -> str:
    return _second_first(response).replace('ID="evil"', re.search(r'ID="id-[^"]+"', response[600:])[0])  # pyright: ignore[reportOptionalSubscript]


def _entities(response: str) -> str:
    return response.replace(
        "<ns0:Response", '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><ns0:Response', 1
    ).replace("mallory-1", "&e;")


def _bomb(response: str) -> str:
    entities = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    doctype = f'<!DOCTYPE x [<!ENTITY a0 "ha">{entities}]>'
    return response.replace("<ns0:Response", f"{doctype}<ns0:Response", 1).replace("mallory-1", "&a11;")


def _another_document(_: str) -> str:
    return "<x/>"


def _nothing(_: str) -> str:
    return ""


@pytest.mark.parametrize(
    "forge",
    [
        _no_signature,
        _changed,
        _second_first,
        _second_last,
        _wrapped_in_extensions,
        _wrapped_in_the_signature,
        _same_id,
        _entities,
        _bomb,
        _another_document,
        _nothing,
    ],
)
async def test_a_forged_answer_opens_nothing(login: Login, forge: Forge) -> None:
    browser = login.installation.browser()
    form = login.provider.sign_in(await login.begin(browser), "mallory-1", mail=f"mallory@{login.domain}")
    forged = forge(b64decode(form["SAMLResponse"]).decode())
    refused = await login.post(form | {"SAMLResponse": b64encode(forged.encode()).decode()})
    assert (refused.status_code, code_of(refused)) == (401, "provider_answer_invalid")
    # The provider's own answer still counts: nobody can spoil a visit.
    assert code_of(await login.end(browser, await login.post(form))) == "fine"


async def test_a_comment_in_a_signed_address_does_not_cut_it(login: Login) -> None:
    """Comments are not signed: where one cuts the text, `ceo@shop.example<!---->.evil.example` becomes another's."""
    browser = login.installation.browser()
    address = await login.begin(browser)
    form = login.provider.sign_in(address, "mallory", mail=f"ceo@{login.domain}.evil.example.com")
    answer = b64decode(form["SAMLResponse"]).decode()
    assert f"@{login.domain}.evil" in answer
    cut = answer.replace(f"@{login.domain}.evil", f"@{login.domain}<!-- -->.evil")
    posted = await login.post(form | {"SAMLResponse": b64encode(cut.encode()).decode()})
    assert code_of(await login.end(browser, posted)) == "not_admitted"


async def test_another_providers_answer_opens_nothing(login: Login, tmp_path: Path) -> None:
    other = saml_provider(tmp_path)
    other.trust((await login.installation.browser().get(f"{login.path}/metadata")).content)
    form = other.sign_in(await login.begin(login.installation.browser()), "x", mail=f"x@{login.domain}")
    assert code_of(await login.post(form)) == "provider_answer_invalid"


async def test_old_algorithms_and_names_that_change_each_time_do_not_count(login: Login) -> None:
    for options in ({"algorithm": SIG_RSA_SHA1}, {"name_format": NAMEID_FORMAT_TRANSIENT}):
        address = await login.begin(login.installation.browser())
        form = login.provider.sign_in(address, "old", mail=f"old@{login.domain}", **options)
        assert code_of(await login.post(form)) == "provider_answer_invalid"


async def test_an_old_answer_does_not_count(login: Login, monkeypatch: pytest.MonkeyPatch) -> None:
    form = login.provider.sign_in(await login.begin(login.installation.browser()), "late", mail=f"l@{login.domain}")
    later = datetime.now(UTC) + timedelta(minutes=7)
    monkeypatch.setattr("api.federation.saml.utc_now", lambda: later)
    assert code_of(await login.post(form)) == "provider_answer_invalid"


async def test_an_answer_meant_for_another_service_does_not_count(login: Login) -> None:
    address = await login.begin(login.installation.browser())
    form = login.provider.sign_in(address, "x", audience="https://other.example.com", mail=f"x@{login.domain}")
    assert code_of(await login.post(form)) == "provider_answer_invalid"


async def test_what_is_posted_is_bounded(login: Login) -> None:
    for body, answer in (
        ("SAMLResponse=" + "x" * 600_000, (413, "body_too_large")),
        ("&".join(f"a{n}=1" for n in range(50)), (401, "provider_answer_invalid")),
        ("ü", (401, "provider_answer_invalid")),
    ):
        refused = await login.installation.browser().post(f"{login.path}/acs", content=body.encode())
        assert (refused.status_code, code_of(refused)) == answer


async def test_metadata_are_replaced_by_those_of_the_same_provider_alone(login: Login, tmp_path: Path) -> None:
    path = f"{login.owner.path}/identity-providers/{login.number}"
    same = saml_provider(tmp_path).metadata
    other = same.replace("https://idp.example.com/metadata", "https://evil.example/metadata")
    refused = await login.owner.client.patch(path, json={"metadata": other})
    assert code_of(refused) == "provider_invalid"
    assert (await login.owner.client.patch(path, json={"metadata": same})).status_code == 204
    # The key of before counts no more.
    form = login.provider.sign_in(await login.begin(login.installation.browser()), "x", mail=f"x@{login.domain}")
    assert code_of(await login.post(form)) == "provider_answer_invalid"


async def test_metadata_that_are_none_are_refused(owner: Person) -> None:
    hostile = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>'
    for said in ("", "nonsense", "<x/>", hostile):
        body = {"kind": "saml", "name": "Login", "metadata": said or " "}
        refused = await owner.client.post(f"{owner.path}/identity-providers", json=body)
        assert (refused.status_code, code_of(refused)) == (422, "provider_invalid")
        assert "root:" not in refused.text
