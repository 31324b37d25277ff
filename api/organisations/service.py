"""What is done in an organisation with its members, each change with its entry in the audit log."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from api.access.principals import Acting, OrganisationAccess
from api.access.rights import still_in_organisation
from api.access.service import Access
from api.accounts.joining import withdraw_invitations_by
from api.errors import NotFoundError
from api.organisations.errors import LastOwnerError, LockedOutError, NoProviderError
from api.organisations.leaving import Left, left_by, revoke
from api.organisations.power import demand_power, demand_role, permissions_of
from core.metadata.accounts import Grant, Membership, Organisation, Role, User
from core.metadata.audit import Target, entry
from core.metadata.identity import IdentityProvider
from core.metadata.organisations import checked_name, checked_networks
from core.metadata.permissions import OWNER, Permission
from core.metadata.tenancy import Database


class Organisations:
    """Changes in one organisation by a member who may make them. Raises `UnavailableError` without PostgreSQL."""

    def __init__(self, database: Database, access: Access) -> None:
        self._database = database
        self._access = access

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
            await still_in_organisation(session, by, where, "organisation:manage")
            organisation = await session.get_one(Organisation, where.id)
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
            where = await still_in_organisation(session, by, where, "members:manage")
            member, former = await _member(session, user_id)
            wanted = None if role is None else await demand_role(session, where, role)
            demand_power(where, permissions_of(former))
            await _demand_owner_beside(session, user_id, former, wanted)
            if member.role_id == (None if wanted is None else wanted.id):
                return
            member.role_id = None if wanted is None else wanted.id
            if permissions_of(former) - permissions_of(wanted):
                await withdraw_invitations_by(session, [user_id], by.actor)
            details = {"before": former.name if former else None, "after": role}
            said = Target("member", user_id, details)
            session.add(entry(by.actor, "member.role_changed", said, organisation_id=where.id))
        self._access.forget()

    async def remove(self, by: Acting, where: OrganisationAccess, user_id: int, *, revoke_secrets: bool) -> Left:
        """Remove a member, and what was granted to him; everybody may leave by himself. Raises as `set_role` does.

        Returns the live keys and links that he made; they are the projects', and revoked only where that is asked for.
        """
        async with self._database.of_organisation(where.id) as session:
            where = await still_in_organisation(session, by, where, None)
            member, former = await _member(session, user_id)
            granted = await _granted(session, user_id)
            if user_id != by.user.user_id:
                held = [permissions_of(former), *(role.allowed for role in granted)]
                demand_power(where, frozenset[Permission]({"members:manage"}).union(*held))
                if revoke_secrets:
                    demand_power(where, frozenset({"keys:manage", "insights:write"}))
            await _demand_owner_beside(session, user_id, former, None)
            await withdraw_invitations_by(session, [user_id], by.actor)
            left = await left_by(session, user_id)
            await session.delete(member)
            details = {
                "role": former.name if former else None,
                "granted": sorted(role.name for role in granted),
                "api_keys": [key.prefix for key in left.keys],
                "links": [link.id for link in left.links],
                "revoked": revoke_secrets,
            }
            said = Target("member", user_id, details)
            session.add(entry(by.actor, "member.removed", said, organisation_id=where.id))
            if revoke_secrets:
                await revoke(session, left, by.actor, where.id)
        self._access.forget()
        return left


async def _granted(session: AsyncSession, user_id: int) -> Sequence[Role]:
    granted = select(Role).join(Grant, Grant.role_id == Role.id).where(Grant.user_id == user_id)
    return (await session.scalars(granted)).all()


async def _member(session: AsyncSession, user_id: int) -> tuple[Membership, Role | None]:
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
