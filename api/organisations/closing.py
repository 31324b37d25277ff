"""Closing an organisation: nobody reaches it any more, not by a link either, and what it did stays on record."""

from typing import ClassVar

from sqlalchemy import delete, update

from api.access.principals import Acting, OrganisationAccess
from api.access.rights import still_in_organisation
from api.access.service import Access
from api.organisations.power import demand_ownership
from core.clock import utc_now
from core.errors import RadixError
from core.metadata import ApiKey, WriteKey
from core.metadata.accounts import Grant, Invitation, Membership, Organisation, Team
from core.metadata.audit import Target, entry
from core.metadata.exports import ACTIVE, Export
from core.metadata.identity import EmailDomain, IdentityProvider
from core.metadata.saved import SharedLink
from core.metadata.tenancy import Database


class WrongNameError(RadixError):
    """Whoever closes an organisation calls it by another name."""

    status: ClassVar[int] = 422
    code: ClassVar[str] = "wrong_name"
    title: ClassVar[str] = "This is not its name"

    def __init__(self, name: str) -> None:
        super().__init__(f"The organisation is called {name!r}: send this name, so that no other one is closed.")


class Closing:
    """Closes organisations. Raises `UnavailableError` without PostgreSQL."""

    def __init__(self, database: Database, access: Access) -> None:
        self._database = database
        self._access = access

    async def close(self, by: Acting, where: OrganisationAccess, name: str) -> None:
        """Take everybody, every key and every link from an organisation; raises `WrongNameError` or `TooPowerfulError`.

        Its projects stay for whoever runs the installation, with their events: no collector takes further ones. So does
        its audit log.
        """
        if name.strip() != where.name:
            raise WrongNameError(where.name)
        async with self._database.of_organisation(where.id) as session:
            demand_ownership(await still_in_organisation(session, by, where, None))
            organisation = await session.get_one(Organisation, where.id)
            organisation.demands_provider = False
            for kind in (ApiKey, WriteKey):
                live = kind.revoked_at.is_(None) | (kind.revoked_at > utc_now())
                await session.execute(update(kind).where(live).values(revoked_at=utc_now()))
            await session.execute(
                update(SharedLink).where(SharedLink.revoked_at.is_(None)).values(revoked_at=utc_now())
            )
            await session.execute(
                update(Export).where(Export.state.in_(ACTIVE)).values(state="cancelled", finished_at=utc_now())
            )
            # Whoever makes exports removes the files.
            await session.execute(update(Export).where(Export.state == "done").values(expires_at=utc_now()))
            for kind in (Grant, Invitation, Team, IdentityProvider, EmailDomain, Membership):
                await session.execute(delete(kind))
            said = Target("organisation", where.id, {"name": where.name})
            session.add(entry(by.actor, "organisation.closed", said, organisation_id=where.id))
        self._access.forget()
