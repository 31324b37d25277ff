"""Who is invited to an organisation, each change with its entry in the audit log."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from math import ceil

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from api.access.errors import TooPowerfulError
from api.access.principals import Acting, OrganisationAccess
from api.access.rights import still_in_organisation
from api.accounts import mails
from api.accounts.joining import OPEN, withdraw
from api.errors import NotFoundError
from api.mail.outbox import Outbox
from api.organisations.errors import TooManyInvitationsError
from api.organisations.power import demand_power, demand_role, permissions_of
from api.settings import ApiSettings
from core.clock import utc_now
from core.metadata.accounts import Invitation, Role
from core.metadata.audit import Target, entry
from core.metadata.organisations import invite
from core.metadata.tenancy import Database


class Invitations:
    """Invitations to one organisation by a member who may invite. Raises `UnavailableError` without PostgreSQL."""

    def __init__(self, settings: ApiSettings, database: Database, outbox: Outbox) -> None:
        self._public_url = settings.public_url
        self._per_day = settings.invitations_per_day
        self._database = database
        self._outbox = outbox

    async def all_open(self, where: OrganisationAccess) -> list[tuple[Invitation, str | None]]:
        """Return the open invitations with the names of their roles, the latest first."""
        async with self._database.of_organisation(where.id) as session:
            statement = (
                select(Invitation, Role.name)
                .outerjoin(Role, Invitation.role_id == Role.id)
                .where(*OPEN)
                .order_by(Invitation.id.desc())
            )
            return [(invitation, role) for invitation, role in (await session.execute(statement))]

    async def invite(self, by: Acting, where: OrganisationAccess, email: str, role: str | None) -> Invitation:
        """Mail an invitation, in place of an open one to the same address.

        Raises `NotFoundError`, `TooPowerfulError`, `TooManyInvitationsError`, `InvalidEmailError`;
        `MailUnavailableError`, and takes it back then.
        """
        async with self._database.of_organisation(where.id) as session:
            where = await still_in_organisation(session, by, where, "members:manage")
            await _demand_few(session, by.user.user_id, self._per_day)
            wanted = None if role is None else await demand_role(session, where, role)
            invitation, token = await session.run_sync(
                lambda blocking: invite(blocking, where.id, email, wanted, invited_by=by.user.user_id, is_mailed=True)
            )
            said = Target("invitation", invitation.id, {"email": invitation.email, "role": role})
            session.add(entry(by.actor, "invitation.made", said, organisation_id=where.id))
        link = f"{self._public_url}/#invitation={token}"
        try:
            await self._outbox.send(mails.invitation(invitation.email, where.name, by.user.name, link))
        except BaseException:
            # Nobody has its token: it is of no use, and would stand in the list as if it had been sent.
            await asyncio.shield(self.revoke(by, where, invitation.id))
            raise
        async with self._database.of_organisation(where.id) as session:
            await self._replace(session, by, where, invitation)
        return invitation

    async def _replace(
        self, session: AsyncSession, by: Acting, where: OrganisationAccess, invitation: Invitation
    ) -> None:
        """Take back the open invitations of before to the same address, as far as whoever invites may."""
        former = select(Invitation).where(Invitation.email == invitation.email, Invitation.id < invitation.id, *OPEN)
        for each in await session.scalars(former.with_for_update()):
            with suppress(TooPowerfulError):
                await _demand_power_over(session, where, each)
                withdraw(each)
                said = Target("invitation", each.id, {"email": each.email, "replaced_by": invitation.id})
                session.add(entry(by.actor, "invitation.revoked", said, organisation_id=where.id))

    async def revoke(self, by: Acting, where: OrganisationAccess, invitation_id: int) -> None:
        """Take an invitation back; raises `NotFoundError`."""
        async with self._database.of_organisation(where.id) as session:
            where = await still_in_organisation(session, by, where, "members:manage")
            found = await session.get(Invitation, invitation_id, with_for_update=True)
            if found is None or found.accepted_at is not None or found.revoked_at is not None:
                raise NotFoundError("invitation", invitation_id)
            await _demand_power_over(session, where, found)
            withdraw(found)
            said = Target("invitation", invitation_id, {"email": found.email})
            session.add(entry(by.actor, "invitation.revoked", said, organisation_id=where.id))


async def _demand_few(session: AsyncSession, user_id: int, most: int) -> None:
    """Raise `TooManyInvitationsError` where a member invited as many within a day as he may, while rights are held."""
    day_ago = utc_now() - timedelta(days=1)
    made = select(func.count(Invitation.id), func.min(Invitation.created_at))
    count, first = (
        await session.execute(made.where(Invitation.invited_by == user_id, Invitation.created_at > day_ago))
    ).one()
    if count >= most:
        raise TooManyInvitationsError(most, ceil((first - day_ago).total_seconds()))


async def _demand_power_over(session: AsyncSession, where: OrganisationAccess, invitation: Invitation) -> None:
    role = None if invitation.role_id is None else await session.get(Role, invitation.role_id)
    demand_power(where, permissions_of(role))
