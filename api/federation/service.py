"""Signing in by an identity provider: from the browser's leaving to the session."""

import asyncio
from dataclasses import dataclass
from functools import partial

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from api.access.principals import Client
from api.access.service import Access
from api.accounts.attempts import Attempts
from api.accounts.records import actor
from api.accounts.secrets import Secrets
from api.accounts.sessions import Sessions
from api.federation import visits
from api.federation.admission import admit
from api.federation.claims import Claims
from api.federation.errors import ProviderAnswerInvalidError, ProviderNotFoundError, ProviderUnavailableError
from api.federation.oidc import OpenIdClient, OpenIdConnect
from api.federation.saml import ServiceProvider
from api.federation.schemas import OpenIdAnswer
from core.metadata.audit import Target, entry
from core.metadata.domains import InvalidDomainError, normal_domain
from core.metadata.identity import EmailDomain, IdentityProvider, PendingSignIn
from core.metadata.organisations import random_token
from core.metadata.tenancy import Database


@dataclass(frozen=True, slots=True)
class Departure:
    """Where a browser is sent, and the cookie that it takes along."""

    address: str
    cookie: str


@dataclass(frozen=True, slots=True)
class Arrival:
    """A session that was opened, and the path at which its browser goes on."""

    token: str
    return_to: str


class FederatedSignIn:
    """Visits to providers. Everything raises `UnavailableError` without PostgreSQL."""

    def __init__(
        self,
        *,
        public_url: str,
        database: Database,
        access: Access,
        sessions: Sessions,
        secrets: Secrets,
        attempts: Attempts,
        openid: OpenIdConnect,
    ) -> None:
        self._public_url = public_url
        self._database = database
        self._access = access
        self._sessions = sessions
        self._secrets = secrets
        self._attempts = attempts
        self._openid = openid

    async def of_email(self, email: str, client: Client) -> list[IdentityProvider]:
        """Return the providers that speak for an address, by its domain: whether it has an account is not told."""
        await self._attempts.visit(client)
        try:
            domain = normal_domain(email.rpartition("@")[2])
        except InvalidDomainError:
            return []
        async with self._database.of_all() as session:
            trusting = select(EmailDomain.organisation_id).where(EmailDomain.domain == domain)
            found = select(IdentityProvider).where(IdentityProvider.organisation_id.in_(trusting))
            return list(await session.scalars(found.order_by(IdentityProvider.name)))

    async def start(self, provider_id: int, return_to: str, client: Client) -> Departure:
        """Begin a visit; raises `ProviderNotFoundError`, `ReturnPathInvalidError` or `ProviderUnavailableError`."""
        await self._attempts.visit(client)
        return_to = visits.own_path(return_to)
        async with self._database.of_all() as session:
            provider = await _found(session, provider_id)
        known_by, code_verifier = visits.draw(), None
        if provider.saml_metadata is None:
            nonce, code_verifier = random_token(""), random_token("") + random_token("")
            address = await self._openid.address(
                self._openid_client(provider), state=known_by.state, nonce=nonce, code_verifier=code_verifier
            )
        else:
            ask = partial(self.service_provider(provider.id).request, provider.saml_metadata, known_by.state)
            address, nonce = await asyncio.to_thread(ask)
        async with self._database.of_all() as session:
            visits.begin(session, provider, known_by, nonce=nonce, code_verifier=code_verifier, return_to=return_to)
        return Departure(address, known_by.browser)

    async def openid_answer(
        self, provider_id: int, answer: OpenIdAnswer, cookie: str | None, client: Client
    ) -> Arrival:
        """Open a session for whoever comes back with a code.

        Raises `VisitUnknownError`, `ProviderAnswerInvalidError`, `ProviderUnavailableError` or `NotAdmittedError`.
        """
        await self._attempts.visit(client)
        async with self._database.of_all() as session:
            provider = await _found(session, provider_id)
            visit = await visits.end(session, provider_id, answer.state, cookie)
        if visit.code_verifier is None:
            raise ProviderAnswerInvalidError("The provider speaks SAML.")
        if not answer.code:
            raise ProviderAnswerInvalidError("The provider did not let you in.")
        if answer.iss is not None and answer.iss != provider.issuer:
            # RFC 9207: another provider sent the browser here, to be given this one's code.
            raise ProviderAnswerInvalidError("Another provider answers than the one that was asked.")
        claims = await self._openid.claims(
            self._openid_client(provider), code=answer.code, nonce=visit.nonce, code_verifier=visit.code_verifier
        )
        return await self._open(provider_id, claims, visit, client)

    async def saml_answer(self, provider_id: int, relay_state: str, answer: str, client: Client) -> None:
        """Check a posted answer, and keep it until the browser that began comes for it.

        The post comes from the provider's page, and the browser sends no cookies with it.
        Raises `VisitUnknownError` or `ProviderAnswerInvalidError`.
        """
        await self._attempts.visit(client)
        async with self._database.of_all() as session:
            provider = await _found(session, provider_id)
            visit = await visits.waiting(session, provider_id, relay_state)
        if provider.saml_metadata is None:
            raise ProviderAnswerInvalidError("The provider speaks OpenID Connect.")
        check = partial(self.service_provider(provider_id).claims, provider.saml_metadata, answer, visit.nonce)
        claims = await asyncio.to_thread(check)
        async with self._database.of_all() as session:
            await visits.answer(session, visit, claims)

    async def saml_end(self, provider_id: int, relay_state: str, cookie: str | None, client: Client) -> Arrival:
        """Open a session for the browser that began; raises `VisitUnknownError` or `NotAdmittedError`."""
        await self._attempts.visit(client)
        async with self._database.of_all() as session:
            visit = await visits.end(session, provider_id, relay_state, cookie)
        if visit.subject is None:
            raise ProviderAnswerInvalidError("The provider has not answered.")
        claims = Claims(visit.subject, visit.email, is_email_proven=visit.email is not None, name=visit.name)
        return await self._open(provider_id, claims, visit, client)

    async def metadata(self, provider_id: int) -> bytes:
        """Return what a SAML provider is given of us; raises `ProviderNotFoundError`."""
        async with self._database.of_all() as session:
            provider = await _found(session, provider_id)
        if provider.saml_metadata is None:
            raise ProviderNotFoundError(provider_id)
        return await asyncio.to_thread(self.service_provider(provider_id).metadata)

    def service_provider(self, provider_id: int) -> ServiceProvider:
        """Return what we are to a SAML provider."""
        base = self._address_of(provider_id)
        return ServiceProvider(f"{base}/metadata", f"{base}/acs")

    def _address_of(self, provider_id: int) -> str:
        return f"{self._public_url}/v1/sign-in/providers/{provider_id}"

    def _openid_client(self, provider: IdentityProvider) -> OpenIdClient:
        stored = provider.client_secret
        secret = None if stored is None else self._secrets.decrypt(stored, "identity providers")
        if stored is not None and secret is None:
            raise ProviderUnavailableError("Its client secret was encrypted with another key: an owner sets it anew.")
        return OpenIdClient(
            issuer=provider.issuer,
            client_id=provider.client_id or "",
            client_secret=secret,
            redirect_uri=f"{self._address_of(provider.id)}/callback",
        )

    async def _open(self, provider_id: int, claims: Claims, visit: PendingSignIn, client: Client) -> Arrival:
        try:
            token = await self._open_once(provider_id, claims, client)
        except IntegrityError:
            # Two first visits of one person at once: by now the other one has made the account.
            token = await self._open_once(provider_id, claims, client)
        self._access.forget()
        return Arrival(token, visit.return_to)

    async def _open_once(self, provider_id: int, claims: Claims, client: Client) -> str:
        async with self._database.of_all() as session:
            provider = await _found(session, provider_id)
            user = await admit(session, provider, claims, client)
            opened = await self._sessions.open(session, user, client, provider_id=provider.id)
            said = Target("session", opened.session_id, {"provider": provider.name})
            where = provider.organisation_id
            session.add(entry(actor(user, client), "session.opened", said, organisation_id=where))
        return opened.token


async def _found(session: AsyncSession, provider_id: int) -> IdentityProvider:
    provider = await session.get(IdentityProvider, provider_id)
    if provider is None:
        raise ProviderNotFoundError(provider_id)
    return provider
