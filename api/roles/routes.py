"""`/v1/organisations/{organisation_id}/roles`, `/teams` and `/grants`."""

from typing import Annotated, get_args

from fastapi import APIRouter, Depends, Path

from api.access.principals import OrganisationAccess
from api.dependencies import ActingDep, ResourcesDep, organisation_for
from api.problems import CHANGE, CONFLICT, ORGANISATION, UNAVAILABLE, USER
from api.roles.schemas import (
    GrantList,
    GrantShown,
    NewGrant,
    NewRole,
    NewTeam,
    PermissionShown,
    RoleList,
    RolePermissions,
    RoleShown,
    TeamList,
    TeamShown,
)
from core.metadata.accounts import Role
from core.metadata.permissions import MEANINGS, Permission

router = APIRouter(
    prefix="/v1/organisations/{organisation_id}", tags=["roles"], responses=USER | ORGANISATION | UNAVAILABLE
)
_Reader = Annotated[OrganisationAccess, Depends(organisation_for("members:read"))]
_Manager = Annotated[OrganisationAccess, Depends(organisation_for("members:manage"))]
_Name = Annotated[str, Path(min_length=1, max_length=200, pattern="^[^\\x00]+$", examples=["support"])]
_Id = Annotated[int, Path(ge=1, le=2**31 - 1, examples=[1])]
_CHANGE = CHANGE | ORGANISATION | CONFLICT


@router.get("/roles", operation_id="list_roles", summary="List roles and permissions")
async def list_roles(organisation: _Reader, held: ResourcesDep) -> RoleList:
    """Return the organisation's roles, and what a role may allow."""
    permissions = [PermissionShown(name=name, meaning=MEANINGS[name]) for name in get_args(Permission)]
    return RoleList(roles=[_shown(role) for role in await held.roles.roles(organisation)], permissions=permissions)


@router.post("/roles", operation_id="create_role", summary="Make a role", responses=_CHANGE, status_code=201)
async def create_role(body: NewRole, organisation: _Manager, by: ActingDep, held: ResourcesDep) -> RoleShown:
    """Make a role of the organisation's own, of permissions that one has oneself."""
    return _shown(await held.roles.create_role(by, organisation, body.name, body.permissions))


@router.put("/roles/{name}", operation_id="change_role", summary="Change what a role allows", responses=_CHANGE)
async def change_role(
    body: RolePermissions, name: _Name, organisation: _Manager, by: ActingDep, held: ResourcesDep
) -> RoleShown:
    """Replace its permissions, for all who have it."""
    return _shown(await held.roles.change_role(by, organisation, name, body.permissions))


@router.delete("/roles/{name}", operation_id="delete_role", summary="Delete a role", responses=_CHANGE, status_code=204)
async def delete_role(name: _Name, organisation: _Manager, by: ActingDep, held: ResourcesDep) -> None:
    """Delete a role that nobody has."""
    await held.roles.delete_role(by, organisation, name)


@router.get("/teams", operation_id="list_teams", summary="List teams")
async def list_teams(organisation: _Reader, held: ResourcesDep) -> TeamList:
    """Return the teams with the ids of their members."""
    found = await held.roles.teams(organisation)
    return TeamList(teams=[TeamShown(id=team.id, name=team.name, members=members) for team, members in found])


@router.post("/teams", operation_id="create_team", summary="Make a team", responses=_CHANGE, status_code=201)
async def create_team(body: NewTeam, organisation: _Manager, by: ActingDep, held: ResourcesDep) -> TeamShown:
    """Make a team without members."""
    team = await held.roles.create_team(by, organisation, body.name)
    return TeamShown(id=team.id, name=team.name, members=[])


@router.delete(
    "/teams/{team_id}", operation_id="delete_team", summary="Delete a team", responses=_CHANGE, status_code=204
)
async def delete_team(team_id: _Id, organisation: _Manager, by: ActingDep, held: ResourcesDep) -> None:
    """Delete it and what was granted to it."""
    await held.roles.delete_team(by, organisation, team_id)


@router.put(
    "/teams/{team_id}/members/{user_id}",
    operation_id="join_team",
    summary="Add a member to a team",
    responses=_CHANGE,
    status_code=204,
)
async def join_team(team_id: _Id, user_id: _Id, organisation: _Manager, by: ActingDep, held: ResourcesDep) -> None:
    """Give him what the team was granted."""
    await held.roles.join_team(by, organisation, team_id, user_id)


@router.delete(
    "/teams/{team_id}/members/{user_id}",
    operation_id="leave_team",
    summary="Take a member out of a team",
    responses=_CHANGE,
    status_code=204,
)
async def leave_team(team_id: _Id, user_id: _Id, organisation: _Manager, by: ActingDep, held: ResourcesDep) -> None:
    """Take from him what the team was granted."""
    await held.roles.leave_team(by, organisation, team_id, user_id)


@router.get("/grants", operation_id="list_grants", summary="List grants")
async def list_grants(organisation: _Reader, held: ResourcesDep) -> GrantList:
    """Return what is granted in single projects."""
    found = await held.roles.grants(organisation)
    return GrantList(grants=[GrantShown.model_validate({**vars(grant), "role": role}) for grant, role in found])


@router.post(
    "/grants",
    operation_id="create_grant",
    summary="Grant a role in a project, or for one dashboard",
    responses=_CHANGE,
    status_code=201,
)
async def create_grant(body: NewGrant, organisation: _Manager, by: ActingDep, held: ResourcesDep) -> GrantShown:
    """Let a member or a team do more in one project than elsewhere, or with one dashboard of it."""
    grant = await held.roles.grant(
        by,
        organisation,
        body.project_id,
        body.role,
        user_id=body.user_id,
        team_id=body.team_id,
        dashboard_id=body.dashboard_id,
    )
    return GrantShown.model_validate({**vars(grant), "role": body.role})


@router.delete(
    "/grants/{grant_id}", operation_id="revoke_grant", summary="Take a grant back", responses=_CHANGE, status_code=204
)
async def revoke_grant(grant_id: _Id, organisation: _Manager, by: ActingDep, held: ResourcesDep) -> None:
    """Let them do no more than they may otherwise."""
    await held.roles.revoke_grant(by, organisation, grant_id)


def _shown(role: Role) -> RoleShown:
    permissions = sorted(role.allowed)
    return RoleShown(name=role.name, permissions=permissions, is_built_in=role.permissions is None)
