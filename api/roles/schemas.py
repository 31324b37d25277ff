"""Shapes of requests and answers about roles, teams and grants."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, Field, model_validator

from api.accounts.schemas import Body
from api.organisations.schemas import RoleName
from core.metadata.permissions import Permission

_Permissions = Annotated[list[Permission], Field(max_length=100, examples=[["project:read", "data:query"]])]


class RoleShown(BaseModel):
    """One role."""

    name: str
    permissions: _Permissions
    is_built_in: Annotated[bool, Field(description="Every organisation has it, and it cannot be changed.")]


class PermissionShown(BaseModel):
    """One thing that a role may allow."""

    name: str
    meaning: str


class RoleList(BaseModel):
    """The organisation's roles, and what a role may allow."""

    roles: list[RoleShown]
    permissions: list[PermissionShown]


class RolePermissions(Body):
    """What a role allows."""

    permissions: _Permissions


class NewRole(RolePermissions):
    """A role of the organisation's own."""

    name: RoleName


class TeamShown(BaseModel):
    """One team."""

    id: int
    name: str
    members: Annotated[list[int], Field(description="User ids.")]


class TeamList(BaseModel):
    """The organisation's teams, by name."""

    teams: list[TeamShown]


class NewTeam(Body):
    """A team."""

    name: Annotated[str, Field(min_length=1, max_length=200, examples=["Growth"])]


class GrantShown(BaseModel):
    """A role that a member or a team has in one project or dashboard, beside what the member may do anyway."""

    id: int
    project_id: int
    dashboard_id: Annotated[int | None, Field(description="The one dashboard that it is for; null: all the project.")]
    user_id: int | None
    team_id: int | None
    role: str
    created_at: datetime


class GrantList(BaseModel):
    """The grants, by project."""

    grants: list[GrantShown]


class NewGrant(Body):
    """What is granted: to a member or to a team."""

    project_id: Annotated[int, Field(ge=1, le=2**31 - 1, examples=[1])]
    dashboard_id: Annotated[
        int | None, Field(ge=1, le=2**31 - 1, description="Of this dashboard alone; null: of all the project.")
    ] = None
    user_id: Annotated[int | None, Field(ge=1, le=2**31 - 1, examples=[7])] = None
    team_id: Annotated[int | None, Field(ge=1, le=2**31 - 1)] = None
    role: RoleName

    @model_validator(mode="after")
    def _is_for_one(self) -> Self:
        if (self.user_id is None) == (self.team_id is None):
            raise ValueError("exactly one of user_id and team_id has to be given")
        return self
