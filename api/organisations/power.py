"""Nobody gives or takes more than he has himself. Sessions are those of `Database.of_organisation`."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from api.access.errors import TooPowerfulError
from api.access.principals import OrganisationAccess
from api.errors import NotFoundError
from core.metadata.accounts import Role
from core.metadata.permissions import BUILT_IN, OWNER, Permission


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


def demand_ownership(where: OrganisationAccess) -> None:
    """Raise `TooPowerfulError` unless somebody may do all that owners may."""
    demand_power(where, BUILT_IN[OWNER])


def permissions_of(role: Role | None) -> frozenset[Permission]:
    """Return what a role allows; none allows nothing."""
    return frozenset() if role is None else role.allowed
