"""What an organisation's owners do with its identity providers, each change with its entry in the audit log."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from api.access.principals import Acting, OrganisationAccess
from api.access.rights import still_in_organisation
from api.access.service import Access
from api.accounts.secrets import Secrets
from api.errors import NameTakenError, NotFoundError
from api.federation.errors import ProviderInvalidError
from api.federation.oidc import OpenIdConnect
from api.federation.saml import issuer_of
from api.organisations.power import demand_ownership, demand_role
from api.providers.schemas import NewProvider, ProviderChange
from core.metadata.accounts import Organisation, Role
from core.metadata.audit import Target, entry
from core.metadata.identity import EmailDomain, IdentityProvider
from core.metadata.organisations import checked_name
from core.metadata.tenancy import Database


class Providers:
    """Changes by a member who may make them. Everything raises `UnavailableError` without PostgreSQL.

    Whoever has a hand in a provider can sign in by it as any member with an address of its domains, owners included: to
    add and change them takes all that owners may, or `TooPowerfulError` is raised.
    """

    def __init__(self, database: Database, access: Access, secrets: Secrets, openid: OpenIdConnect) -> None:
        self._database = database
        self._access = access
        self._secrets = secrets
        self._openid = openid

    async def all_of(self, where: OrganisationAccess) -> tuple[list[tuple[IdentityProvider, str | None]], list[str]]:
        """Return the providers with the names of their roles, and the organisation's domains."""
        async with self._database.of_organisation(where.id) as session:
            found = (
                select(IdentityProvider, Role.name)
                .outerjoin(Role, IdentityProvider.role_id == Role.id)
                .order_by(IdentityProvider.id)
            )
            providers: list[tuple[IdentityProvider, str | None]] = [
                (each, role) for each, role in await session.execute(found)
            ]
            domains = await session.scalars(select(EmailDomain.domain).order_by(EmailDomain.domain))
            return providers, list(domains)

    async def add(self, by: Acting, where: OrganisationAccess, asked: NewProvider) -> IdentityProvider:
        """Add a provider that answers to what is said of it.

        Raises `ProviderInvalidError`, `ProviderUnavailableError`, `NameTakenError`, `NotFoundError`,
        `TooPowerfulError` or `InvalidNameError`.
        """
        # Nothing is fetched for whoever may add none.
        demand_ownership(where)
        name = checked_name(asked.name)
        if asked.metadata is None:
            issuer = asked.issuer or ""
            await self._openid.check(issuer)
        else:
            issuer = issuer_of(asked.metadata)
        async with self._naming(by, where, name) as (session, now):
            role = None if asked.role is None else await demand_role(session, now, asked.role)
            provider = IdentityProvider(
                kind=asked.kind,
                name=name,
                issuer=issuer,
                client_id=asked.client_id,
                client_secret=self._encrypted(asked),
                saml_metadata=asked.metadata,
                admits_uninvited=asked.admits_uninvited,
                role_id=None if role is None else role.id,
            )
            session.add(provider)
            await session.flush()
            details = {"name": name, "kind": asked.kind, "issuer": issuer, "role": asked.role}
            said = Target("identity_provider", provider.id, details | {"admits_uninvited": asked.admits_uninvited})
            session.add(entry(by.actor, "identity_provider.added", said, organisation_id=where.id))
            return provider

    async def change(self, by: Acting, where: OrganisationAccess, provider_id: int, asked: ProviderChange) -> None:
        """Change what is given; raises `NotFoundError`, and what `add` raises."""
        given = asked.model_fields_set
        async with self._naming(by, where, asked.name or "") as (session, now):
            provider = await _found(session, provider_id)
            if asked.name is not None:
                provider.name = checked_name(asked.name)
            if asked.metadata is not None:
                if provider.kind != "saml" or issuer_of(asked.metadata) != provider.issuer:
                    raise ProviderInvalidError(f"The metadata are not those of {provider.issuer!r}.")
                provider.saml_metadata = asked.metadata
            if "client_secret" in given:
                if provider.kind != "oidc":
                    raise ProviderInvalidError("A provider that speaks SAML has no client secret.")
                provider.client_secret = self._encrypted(asked)
            if asked.admits_uninvited is not None:
                provider.admits_uninvited = asked.admits_uninvited
            if "role" in given:
                role = None if asked.role is None else await demand_role(session, now, asked.role)
                provider.role_id = None if role is None else role.id
            shown = asked.model_dump(exclude={"client_secret", "metadata"}, exclude_unset=True)
            replaced = sorted(given & {"client_secret", "metadata"})
            said = Target("identity_provider", provider_id, {"after": shown, "replaced": replaced})
            session.add(entry(by.actor, "identity_provider.changed", said, organisation_id=where.id))

    async def delete(self, by: Acting, where: OrganisationAccess, provider_id: int) -> None:
        """Delete a provider, and end the sessions that it opened; raises `NotFoundError`.

        The last one takes the demand with it that members sign in by one.
        """
        async with self._database.of_organisation(where.id) as session:
            await still_in_organisation(session, by, where, "organisation:manage")
            organisation = await session.get_one(Organisation, where.id)
            provider = await _found(session, provider_id)
            said = Target("identity_provider", provider_id, {"name": provider.name, "issuer": provider.issuer})
            await session.delete(provider)
            await session.flush()
            if (await session.scalars(select(IdentityProvider.id).limit(1))).one_or_none() is None:
                organisation.demands_provider = False
            session.add(entry(by.actor, "identity_provider.deleted", said, organisation_id=where.id))
        self._access.forget()

    @asynccontextmanager
    async def _naming(
        self, by: Acting, where: OrganisationAccess, name: str
    ) -> AsyncGenerator[tuple[AsyncSession, OrganisationAccess]]:
        try:
            async with self._database.of_organisation(where.id) as session:
                now = await still_in_organisation(session, by, where, None)
                demand_ownership(now)
                yield session, now
        except IntegrityError as error:
            raise NameTakenError("identity provider", name) from error

    def _encrypted(self, asked: NewProvider | ProviderChange) -> bytes | None:
        secret = asked.client_secret
        return None if secret is None else self._secrets.encrypt(secret.get_secret_value(), "identity providers")


async def _found(session: AsyncSession, provider_id: int) -> IdentityProvider:
    provider = await session.get(IdentityProvider, provider_id, with_for_update=True)
    if provider is None:
        raise NotFoundError("identity provider", provider_id)
    return provider
