"""What is done in an organisation with its members and invitations, each change with its entry in the audit log."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from math import ceil
from typing import Any, ClassVar

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from api.access.errors import TooPowerfulError
from api.access.principals import Acting, OrganisationAccess
from api.access.service import Access
from api.accounts import mails
from api.errors import NotFoundError
from api.mail.outbox import Outbox
from api.settings import ApiSettings
from core.clock import utc_now
from core.errors import RadixError
from core.metadata.accounts import Grant, Invitation, Membership, Organisation, Role, User
from core.metadata.audit import Target, entry
from core.metadata.identity import IdentityProvider
from core.metadata.organisations import checked_name, checked_networks, invite
from core.metadata.permissions import OWNER, Permission
from core.metadata.tenancy import Database


class LastOwnerError(RadixError):
    """An organisation would have no owner."""

    status: ClassVar[int] = 409
    code: ClassVar[str] = "last_owner"
    title: ClassVar[str] = "An organisation needs an owner"

    def __init__(self) -> None:
        super().__init__("This is the only owner: make somebody else one first.")


class LockedOutError(RadixError):
    """Whoever allows certain networks would be in none of them."""

    status: ClassVar[int] = 409
    code: ClassVar[str] = "locked_out"
    title: ClassVar[str] = "You would lock yourself out"

    def __init__(self, address: str | None) -> None:
        super().__init__(f"Your own address, {address or 'which is unknown'}, is in none of these networks.")


class NoProviderError(RadixError):
    """Members would have to sign in by a provider, and there is none."""

    status: ClassVar[int] = 409
    code: ClassVar[str] = "no_provider"
    title: ClassVar[str] = "There is no identity provider"

    def __init__(self) -> None:
        super().__init__("Add an identity provider first, and sign in by it once.")


class TooManyInvitationsError(RadixError):
    """A member invited as many within a day as he may; the header Retry-After says when he may again."""

    status: ClassVar[int] = 429
    code: ClassVar[str] = "too_many_invitations"
    title: ClassVar[str] = "Too many invitations"

    def __init__(self, most: int, seconds: int) -> None:
        super().__init__(
            f"One member makes {most} invitations a day at most (RADIXINSIGHT_API_INVITATIONS_PER_DAY).",
            headers={"Retry-After": str(max(1, seconds))},
        )


class Organisations:
    """Changes in one organisation by a member who may make them. Raises `UnavailableError` without PostgreSQL."""

    def __init__(self, settings: ApiSettings, database: Database, access: Access, outbox: Outbox) -> None:
        self._public_url = settings.public_url
        self._invitations_per_day = settings.invitations_per_day
        self._database = database
        self._access = access
        self._outbox = outbox

    async def change(
        self,
        by: Acting,
        where: OrganisationAccess,
        *,
        name: str | None,
        allowed_networks: Sequence[str] | None,
        demands_provider: bool | None,
    ) -> None:
        """Change its name, its networks, or how members sign in.

        Raises `InvalidNameError`, `InvalidNetworkError`, `LockedOutError` or `NoProviderError`.
        """
        changed: dict[str, Any] = {} if demands_provider is None else {"demands_provider": demands_provider}
        if name is not None:
            changed["name"] = checked_name(name)
        if allowed_networks is not None:
            changed["allowed_networks"] = checked_networks(allowed_networks)
            if not by.client.is_within(changed["allowed_networks"]):
                raise LockedOutError(by.client.address)
        async with self._database.of_organisation(where.id) as session:
            organisation = await session.get_one(Organisation, where.id, with_for_update=True)
            if demands_provider and (await session.scalars(select(IdentityProvider.id).limit(1))).first() is None:
                raise NoProviderError
            before = {key: getattr(organisation, key) for key in changed}
            if before == changed:
                return
            for key, value in changed.items():
                setattr(organisation, key, value)
            said = Target("organisation", where.id, {"before": before, "after": changed})
            session.add(entry(by.actor, "organisation.changed", said, organisation_id=where.id))
        self._access.forget()

    async def members(self, where: OrganisationAccess) -> list[tuple[Membership, User, str | None]]:
        """Return the members with the names of their roles, by e-mail address."""
        async with self._database.of_organisation(where.id) as session:
            statement = (
                select(Membership, User, Role.name)
                .join(User, Membership.user_id == User.id)
                .outerjoin(Role, Membership.role_id == Role.id)
                .order_by(User.email)
            )
            return [(member, user, role) for member, user, role in (await session.execute(statement))]

    async def set_role(self, by: Acting, where: OrganisationAccess, user_id: int, role: str | None) -> None:
        """Give a member another role.

        Raises `NotFoundError`, `LastOwnerError`, or `TooPowerfulError` where the former or the new one may more than
        whoever changes it.
        """
        async with self._database.of_organisation(where.id) as session:
            member, former = await _member(session, where, user_id)
            wanted = None if role is None else await demand_role(session, where, role)
            demand_power(where, _permissions(former))
            await _demand_owner_beside(session, user_id, former, wanted)
            if member.role_id == (None if wanted is None else wanted.id):
                return
            member.role_id = None if wanted is None else wanted.id
            if _permissions(former) - _permissions(wanted):
                await _revoke_invitations_by(session, user_id)
            details = {"before": former.name if former else None, "after": role}
            said = Target("member", user_id, details)
            session.add(entry(by.actor, "member.role_changed", said, organisation_id=where.id))
        self._access.forget()

    async def remove(self, by: Acting, where: OrganisationAccess, user_id: int) -> None:
        """Remove a member, and what was granted to him; everybody may leave by himself. Raises as `set_role` does."""
        async with self._database.of_organisation(where.id) as session:
            member, former = await _member(session, where, user_id)
            granted = await _granted(session, user_id)
            if user_id != by.user.user_id:
                held = [_permissions(former), *(role.allowed for role in granted)]
                demand_power(where, frozenset[Permission]({"members:manage"}).union(*held))
            await _demand_owner_beside(session, user_id, former, None)
            await _revoke_invitations_by(session, user_id)
            await session.delete(member)
            details = {"role": former.name if former else None, "granted": sorted(role.name for role in granted)}
            said = Target("member", user_id, details)
            session.add(entry(by.actor, "member.removed", said, organisation_id=where.id))
        self._access.forget()

    async def invitations(self, where: OrganisationAccess) -> list[tuple[Invitation, str | None]]:
        """Return the open invitations with the names of their roles, the latest first."""
        async with self._database.of_organisation(where.id) as session:
            statement = (
                select(Invitation, Role.name)
                .outerjoin(Role, Invitation.role_id == Role.id)
                .where(*_OPEN)
                .order_by(Invitation.id.desc())
            )
            return [(invitation, role) for invitation, role in (await session.execute(statement))]

    async def invite(self, by: Acting, where: OrganisationAccess, email: str, role: str | None) -> Invitation:
        """Mail an invitation, in place of an open one to the same address.

        Raises `NotFoundError`, `TooPowerfulError`, `TooManyInvitationsError`, `InvalidEmailError`;
        `MailUnavailableError`, and takes it back then.
        """
        async with self._database.of_organisation(where.id) as session:
            await _demand_few(session, by.user.user_id, self._invitations_per_day)
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
            await asyncio.shield(self.revoke_invitation(by, where, invitation.id))
            raise
        async with self._database.of_organisation(where.id) as session:
            await self._replace(session, by, where, invitation)
        return invitation

    async def _replace(
        self, session: AsyncSession, by: Acting, where: OrganisationAccess, invitation: Invitation
    ) -> None:
        """Take back the open invitations of before to the same address, as far as whoever invites may."""
        former = select(Invitation).where(Invitation.email == invitation.email, Invitation.id < invitation.id, *_OPEN)
        for each in await session.scalars(former.with_for_update()):
            with suppress(TooPowerfulError):
                await _demand_power_over(session, where, each)
                _close(each)
                said = Target("invitation", each.id, {"email": each.email, "replaced_by": invitation.id})
                session.add(entry(by.actor, "invitation.revoked", said, organisation_id=where.id))

    async def revoke_invitation(self, by: Acting, where: OrganisationAccess, invitation_id: int) -> None:
        """Take an invitation back; raises `NotFoundError`."""
        async with self._database.of_organisation(where.id) as session:
            found = await session.get(Invitation, invitation_id, with_for_update=True)
            if found is None or found.accepted_at is not None or found.revoked_at is not None:
                raise NotFoundError("invitation", invitation_id)
            await _demand_power_over(session, where, found)
            _close(found)
            said = Target("invitation", invitation_id, {"email": found.email})
            session.add(entry(by.actor, "invitation.revoked", said, organisation_id=where.id))


async def demand_role(session: AsyncSession, where: OrganisationAccess, name: str) -> Role:
    """Return the role of a name that somebody is to have; raises `NotFoundError` or `TooPowerfulError`."""
    role = (await session.scalars(select(Role).where(Role.name == name))).one_or_none()
    if role is None:
        raise NotFoundError("role", name)
    demand_power(where, role.allowed)
    return role


def demand_power(where: OrganisationAccess, permissions: frozenset[Permission]) -> None:
    """Raise `TooPowerfulError` unless somebody has all of these permissions himself."""
    missing = permissions - where.permissions
    if missing:
        raise TooPowerfulError(missing)


def _permissions(role: Role | None) -> frozenset[Permission]:
    return frozenset() if role is None else role.allowed


_OPEN = (Invitation.accepted_at.is_(None), Invitation.revoked_at.is_(None))


def _close(invitation: Invitation) -> None:
    """Make an invitation work no more. It keeps no role, which could not be deleted otherwise."""
    invitation.revoked_at, invitation.role_id = utc_now(), None


async def _demand_few(session: AsyncSession, user_id: int, most: int) -> None:
    """Raise `TooManyInvitationsError` where a member invited as many within a day as he may; two at once take turns."""
    await session.execute(select(Membership).where(Membership.user_id == user_id).with_for_update())
    day_ago = utc_now() - timedelta(days=1)
    made = select(func.count(Invitation.id), func.min(Invitation.created_at))
    count, first = (
        await session.execute(made.where(Invitation.invited_by == user_id, Invitation.created_at > day_ago))
    ).one()
    if count >= most:
        raise TooManyInvitationsError(most, ceil((first - day_ago).total_seconds()))


async def _demand_power_over(session: AsyncSession, where: OrganisationAccess, invitation: Invitation) -> None:
    role = None if invitation.role_id is None else await session.get(Role, invitation.role_id)
    demand_power(where, _permissions(role))


async def _revoke_invitations_by(session: AsyncSession, user_id: int) -> None:
    """Take back whom a member invited who may no longer do so: he could have invited himself."""
    for each in await session.scalars(select(Invitation).where(Invitation.invited_by == user_id, *_OPEN)):
        _close(each)


async def _granted(session: AsyncSession, user_id: int) -> Sequence[Role]:
    granted = select(Role).join(Grant, Grant.role_id == Role.id).where(Grant.user_id == user_id)
    return (await session.scalars(granted)).all()


async def _member(session: AsyncSession, where: OrganisationAccess, user_id: int) -> tuple[Membership, Role | None]:
    """Return a member and his role. All who change members of one organisation wait for each other."""
    await session.get_one(Organisation, where.id, with_for_update=True)
    statement = (
        select(Membership, Role)
        .outerjoin(Role, Membership.role_id == Role.id)
        .where(Membership.user_id == user_id)
        .with_for_update(of=Membership)
    )
    found = (await session.execute(statement)).one_or_none()
    if found is None:
        raise NotFoundError("member", user_id)
    return found[0], found[1]


async def _demand_owner_beside(session: AsyncSession, user_id: int, former: Role | None, wanted: Role | None) -> None:
    """Raise `LastOwnerError` where the only owner would be one no more; two who leave at once wait for each other."""
    if former is None or not _is_owner(former) or (wanted is not None and _is_owner(wanted)):
        return
    owners = select(Membership.user_id).where(Membership.role_id == former.id).order_by(Membership.user_id)
    if list(await session.scalars(owners.with_for_update())) == [user_id]:
        raise LastOwnerError


def _is_owner(role: Role) -> bool:
    return role.name == OWNER and role.permissions is None
