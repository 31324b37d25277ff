"""What members may do at this moment, which stays so until the transaction ends.

Who asks was looked up before his request was carried out. Whoever gives something away that outlives his own rights (a
role, an invitation, a key, a link) shows once more that he has them, and whoever takes rights away waits for those who
are at it, and they for him. Sessions are those of `Database.of_organisation` and `of_project`.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from api.access.errors import OrganisationNotFoundError, PermissionMissingError, ProjectNotFoundError
from api.access.principals import Acting, OrganisationAccess, ProjectAccess
from core.metadata.accounts import Grant, Membership, Organisation, Role, TeamMember
from core.metadata.permissions import Permission


async def hold_rights(session: AsyncSession) -> None:
    """Keep what members of the organisation may do as it is; whoever changes it or gives it on does so one at a time.

    It comes before any other lock of a transaction, so that no two wait for each other.
    """
    # Shared among those who give, it would never come to who changes: further ones pass by him while he waits for the
    # first. Rows that refer to the organisation, such as those of the audit log, can be added meanwhile.
    await session.execute(select(Organisation.id).with_for_update(key_share=True))


async def hold_rights_of(session: AsyncSession, user_id: int) -> None:
    """Do the same in all organisations of somebody, in a session of `Database.of_all`."""
    of_his = select(Membership.organisation_id).where(Membership.user_id == user_id)
    locked = select(Organisation.id).where(Organisation.id.in_(of_his)).order_by(Organisation.id)
    await session.execute(locked.with_for_update(key_share=True))


async def still_in_organisation(
    session: AsyncSession, by: Acting, where: OrganisationAccess, permission: Permission | None
) -> OrganisationAccess:
    """Return what somebody may do in an organisation now; raises `OrganisationNotFoundError`, `PermissionMissingError`.

    None: every member may do it.
    """
    await hold_rights(session)
    now = (await rights_of(session, [by.user.user_id])).get(by.user.user_id)
    if now is None:
        raise OrganisationNotFoundError(where.id)
    if permission is not None and permission not in now:
        raise PermissionMissingError(permission)
    return replace(where, permissions=now)


async def still_in_project(
    session: AsyncSession, by: Acting, of: ProjectAccess, permission: Permission
) -> ProjectAccess:
    """Return what somebody may do in a project now; raises `ProjectNotFoundError` or `PermissionMissingError`."""
    await hold_rights(session)
    now = (await rights_of(session, [by.user.user_id], of.project.id)).get(by.user.user_id, frozenset())
    if "project:read" not in now:
        raise ProjectNotFoundError(of.project.id)
    if permission not in now:
        raise PermissionMissingError(permission)
    return replace(of, permissions=now)


async def rights_of(
    session: AsyncSession, user_ids: Collection[int], project_id: int | None = None
) -> Mapping[int, frozenset[Permission]]:
    """Return what each of some users may do in all of the organisation, or in one project; those who are members."""
    roles = (
        select(Membership.user_id, Membership.role_id, Role)
        .outerjoin(Role, Membership.role_id == Role.id)
        .where(Membership.user_id.in_(user_ids))
    )
    found: defaultdict[int, frozenset[Permission]] = defaultdict(frozenset)
    for user_id, role_id, role in await session.execute(roles):
        found[user_id] |= frozenset() if role_id is None else role.allowed
    if project_id is None:
        return found
    of_project = (Grant.project_id == project_id, Grant.dashboard_id.is_(None))
    granted = select(Grant.user_id, Role).join(Role, Grant.role_id == Role.id).where(*of_project)
    by_team = (
        select(TeamMember.user_id, Role)
        .join(Grant, Grant.team_id == TeamMember.team_id)
        .join(Role, Grant.role_id == Role.id)
        .where(*of_project, TeamMember.user_id.in_(user_ids))
    )
    for statement in (granted.where(Grant.user_id.in_(user_ids)), by_team):
        for user_id, role in await session.execute(statement):
            found[user_id] |= role.allowed
    return found
