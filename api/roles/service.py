"""Roles, teams and grants of an organisation, each change with its entry in the audit log."""

from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import asynccontextmanager
from typing import ClassVar, TypeVar

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from api.access.principals import Acting, OrganisationAccess
from api.access.rights import still_in_organisation
from api.access.service import Access
from api.accounts.joining import withdraw_invitations_by
from api.errors import NameTakenError, NotFoundError
from api.organisations.power import demand_power, demand_role
from core.errors import RadixError
from core.metadata import Project
from core.metadata.accounts import Grant, Invitation, Membership, Role, Team, TeamMember
from core.metadata.audit import Target, entry
from core.metadata.organisations import checked_name
from core.metadata.permissions import Permission
from core.metadata.saved import SavedObject
from core.metadata.tenancy import Database

_ROLE_IN_USE = "Members, invitations or grants have this role: give them another one first."


class BuiltInRoleError(RadixError):
    """Every organisation has this role as it is."""

    status: ClassVar[int] = 409
    code: ClassVar[str] = "built_in_role"
    title: ClassVar[str] = "This role cannot be changed"

    def __init__(self, name: str) -> None:
        super().__init__(f"Every organisation has the role {name!r} as it is. Make one of another name.")


class InUseError(RadixError):
    """Something depends on what would be deleted."""

    status: ClassVar[int] = 409
    code: ClassVar[str] = "in_use"
    title: ClassVar[str] = "It is in use"


class GrantExistsError(RadixError):
    """The member or team has a grant in this project, or for this dashboard."""

    status: ClassVar[int] = 409
    code: ClassVar[str] = "grant_exists"
    title: ClassVar[str] = "There is a grant already"

    def __init__(self) -> None:
        super().__init__("A member or team has one grant in a project or dashboard: delete the other one first.")


class Roles:
    """Changes by a member who may make them. Nobody gives or takes more than he has: `TooPowerfulError`."""

    def __init__(self, database: Database, access: Access) -> None:
        self._database = database
        self._access = access

    async def roles(self, where: OrganisationAccess) -> Sequence[Role]:
        """Return the roles, in the order in which they were made."""
        async with self._database.of_organisation(where.id) as session:
            return (await session.scalars(select(Role).order_by(Role.id))).all()

    async def create_role(
        self,
        by: Acting,
        where: OrganisationAccess,
        name: str,
        permissions: Collection[Permission],
    ) -> Role:
        """Make a role; raises `NameTakenError`, `InvalidNameError`."""
        name = checked_name(name)
        said = Target("role", name, {"permissions": sorted(permissions)})
        try:
            async with self._changing(by, where, "role.created", said) as (session, now):
                demand_power(now, frozenset(permissions))
                role = Role(name=name, permissions=sorted(permissions))
                session.add(role)
                await session.flush()
                return role
        except IntegrityError as error:
            raise NameTakenError("role", name) from error

    async def change_role(
        self,
        by: Acting,
        where: OrganisationAccess,
        name: str,
        permissions: Collection[Permission],
    ) -> Role:
        """Change what a role allows; raises `NotFoundError`, `BuiltInRoleError`."""
        said = Target("role", name, {"permissions": sorted(permissions)})
        async with self._changing(by, where, "role.changed", said) as (session, now):
            demand_power(now, frozenset(permissions))
            role = await _own_role(session, now, name)
            if role.allowed - frozenset(permissions):
                holders = await session.scalars(select(Membership.user_id).where(Membership.role_id == role.id))
                await withdraw_invitations_by(session, holders.all(), by.actor)
            role.permissions = sorted(permissions)
            return role

    async def delete_role(self, by: Acting, where: OrganisationAccess, name: str) -> None:
        """Delete a role that nobody has; raises `NotFoundError`, `BuiltInRoleError`, `InUseError`."""
        try:
            async with self._changing(by, where, "role.deleted", Target("role", name)) as (session, now):
                role = await _own_role(session, now, name)
                # PostgreSQL would wait for whoever accepts one meanwhile, and he for the role.
                if (await session.scalars(select(Invitation.id).where(Invitation.role_id == role.id).limit(1))).first():
                    raise InUseError(_ROLE_IN_USE)
                await session.delete(role)
        except IntegrityError as error:
            raise InUseError(_ROLE_IN_USE) from error

    async def teams(self, where: OrganisationAccess) -> list[tuple[Team, list[int]]]:
        """Return the teams by name, each with the ids of its members."""
        async with self._database.of_organisation(where.id) as session:
            teams = (await session.scalars(select(Team).order_by(Team.name, Team.id))).all()
            members = (await session.scalars(select(TeamMember).order_by(TeamMember.user_id))).all()
        return [(team, [member.user_id for member in members if member.team_id == team.id]) for team in teams]

    async def create_team(self, by: Acting, where: OrganisationAccess, name: str) -> Team:
        """Make a team without members; raises `NameTakenError`, `InvalidNameError`."""
        name = checked_name(name)
        try:
            async with self._changing(by, where, "team.created", Target("team", name)) as (session, _):
                team = Team(name=name)
                session.add(team)
                await session.flush()
                return team
        except IntegrityError as error:
            raise NameTakenError("team", name) from error

    async def delete_team(self, by: Acting, where: OrganisationAccess, team_id: int) -> None:
        """Delete a team and what was granted to it; raises `NotFoundError`."""
        async with self._changing(by, where, "team.deleted", Target("team", team_id)) as (session, now):
            team = await _found(session, Team, "team", team_id)
            await _demand_power_over(session, now, team_id)
            await session.delete(team)

    async def join_team(self, by: Acting, where: OrganisationAccess, team_id: int, user_id: int) -> None:
        """Add a member to a team, who has its grants from now on; raises `NotFoundError`."""
        said = Target("team", team_id, {"user_id": user_id})
        async with self._changing(by, where, "team.joined", said) as (session, now):
            await _found(session, Team, "team", team_id)
            await _demand_member(session, user_id)
            await _demand_power_over(session, now, team_id)
            if await session.get(TeamMember, (team_id, user_id)) is None:
                session.add(TeamMember(team_id=team_id, user_id=user_id))

    async def leave_team(self, by: Acting, where: OrganisationAccess, team_id: int, user_id: int) -> None:
        """Take a member out of a team; raises `NotFoundError`."""
        said = Target("team", team_id, {"user_id": user_id})
        async with self._changing(by, where, "team.left", said) as (session, now):
            member = await session.get(TeamMember, (team_id, user_id))
            if member is None:
                raise NotFoundError("member of the team", user_id)
            await _demand_power_over(session, now, team_id)
            await session.delete(member)

    async def grants(self, where: OrganisationAccess) -> list[tuple[Grant, str]]:
        """Return the grants with the names of their roles, by project."""
        async with self._database.of_organisation(where.id) as session:
            statement = select(Grant, Role.name).join(Role, Grant.role_id == Role.id)
            ordered = statement.order_by(Grant.project_id, Grant.id)
            return [(grant, role) for grant, role in (await session.execute(ordered))]

    async def grant(
        self,
        by: Acting,
        where: OrganisationAccess,
        project_id: int,
        role: str,
        *,
        user_id: int | None,
        team_id: int | None,
        dashboard_id: int | None,
    ) -> Grant:
        """Grant a role in one project, or for one dashboard of it, to a member or a team.

        Raises `NotFoundError`, `GrantExistsError`.
        """
        details = {"role": role, "user_id": user_id, "team_id": team_id, "dashboard_id": dashboard_id}
        said = Target("project", project_id, details)
        try:
            async with self._changing(by, where, "grant.made", said) as (session, now):
                wanted = await demand_role(session, now, role)
                await _found(session, Project, "project", project_id)
                if dashboard_id is not None:
                    await _demand_dashboard(session, project_id, dashboard_id)
                if user_id is not None:
                    await _demand_member(session, user_id)
                if team_id is not None:
                    await _found(session, Team, "team", team_id)
                grant = Grant(
                    project_id=project_id,
                    dashboard_id=dashboard_id,
                    user_id=user_id,
                    team_id=team_id,
                    role_id=wanted.id,
                )
                session.add(grant)
                await session.flush()
                return grant
        except IntegrityError as error:
            raise GrantExistsError from error

    async def revoke_grant(self, by: Acting, where: OrganisationAccess, grant_id: int) -> None:
        """Take a grant back; raises `NotFoundError`."""
        async with self._changing(by, where, "grant.revoked", Target("grant", grant_id)) as (session, now):
            found = await _found(session, Grant, "grant", grant_id)
            role = await session.get_one(Role, found.role_id)
            demand_power(now, role.allowed)
            await session.delete(found)

    @asynccontextmanager
    async def _changing(
        self, by: Acting, where: OrganisationAccess, action: str, target: Target
    ) -> AsyncGenerator[tuple[AsyncSession, OrganisationAccess]]:
        """Open the organisation's session for one change, which the audit log tells of if it is made.

        It comes with what somebody may do now. Raises `OrganisationNotFoundError` or `PermissionMissingError`.
        """
        async with self._database.of_organisation(where.id) as session:
            yield session, await still_in_organisation(session, by, where, "members:manage")
            session.add(entry(by.actor, action, target, organisation_id=where.id))
        self._access.forget()


async def _own_role(session: AsyncSession, where: OrganisationAccess, name: str) -> Role:
    # Whoever joins in the role meanwhile goes on: his invitation may be one of those that are withdrawn.
    found = select(Role).where(Role.name == name).with_for_update(key_share=True)
    role = (await session.scalars(found)).one_or_none()
    if role is None:
        raise NotFoundError("role", name)
    if role.permissions is None:
        raise BuiltInRoleError(name)
    demand_power(where, role.allowed)
    return role


_Thing = TypeVar("_Thing", Team, Grant, Project)


async def _found(session: AsyncSession, thing: type[_Thing], kind: str, number: int) -> _Thing:
    found = await session.get(thing, number, with_for_update=True)
    if found is None:
        raise NotFoundError(kind, number)
    return found


async def _demand_dashboard(session: AsyncSession, project_id: int, dashboard_id: int) -> None:
    found = await session.get(SavedObject, dashboard_id)
    if found is None or (found.project_id, found.kind) != (project_id, "dashboard") or found.deleted_at is not None:
        raise NotFoundError("dashboard", dashboard_id)


async def _demand_member(session: AsyncSession, user_id: int) -> None:
    if (await session.scalars(select(Membership).where(Membership.user_id == user_id))).one_or_none() is None:
        raise NotFoundError("member", user_id)


async def _demand_power_over(session: AsyncSession, where: OrganisationAccess, team_id: int) -> None:
    """Raise `TooPowerfulError` where a team was granted more than whoever changes it may do."""
    granted = select(Role).join(Grant, Grant.role_id == Role.id).where(Grant.team_id == team_id)
    for role in await session.scalars(granted):
        demand_power(where, role.allowed)
