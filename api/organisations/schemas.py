"""Shapes of requests and answers about organisations."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, Field, model_validator

from api.accounts.schemas import Body, Email, OrganisationOfMine

RoleName = Annotated[str, Field(min_length=1, max_length=200, examples=["analyst"])]
_Role = Annotated[
    RoleName | None, Field(description="What he may do in all projects; null: only what is granted for single ones.")
]


class OrganisationList(BaseModel):
    """The organisations that one is a member of."""

    organisations: list[OrganisationOfMine]


class OrganisationShown(OrganisationOfMine):
    """One organisation."""

    allowed_networks: Annotated[list[str], Field(description="From where it may be reached; empty: from anywhere.")]
    demands_provider: Annotated[bool, Field(description="Members who are no owners sign in by a provider of its own.")]


class OrganisationChange(Body):
    """What is changed of an organisation; what is left out stays."""

    name: Annotated[str | None, Field(min_length=1, max_length=200)] = None
    allowed_networks: Annotated[list[str] | None, Field(max_length=200, examples=[["192.0.2.0/24"]])] = None
    demands_provider: bool | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if self.name is None and self.allowed_networks is None and self.demands_provider is None:
            raise ValueError("name, allowed_networks or demands_provider has to be given")
        return self


class NameProof(Body):
    """Which organisation it is, said once more."""

    name: Annotated[str, Field(max_length=200, description="Its name, as it is.", examples=["Shop"])]


class MemberShown(BaseModel):
    """One member."""

    user_id: int
    email: str
    name: str
    role: _Role
    has_second_factor: bool
    joined_at: datetime


class KeyLeft(BaseModel):
    """An API key that a member made who is removed."""

    id: int
    project_id: int
    name: str
    prefix: str
    scopes: list[str]
    expires_at: datetime | None


class LinkLeft(BaseModel):
    """A shared link that he made."""

    id: int
    project_id: int
    object_id: int
    expires_at: datetime


class MemberRemoved(BaseModel):
    """What a member made of which he knows the secret."""

    revoked: Annotated[bool, Field(description="Whether it works no more.")]
    api_keys: list[KeyLeft]
    links: list[LinkLeft]


class MemberList(BaseModel):
    """All members, by e-mail address."""

    members: list[MemberShown]


class RoleChange(Body):
    """Another role."""

    role: _Role


class NewInvitation(Body):
    """Who is invited, and what he will be."""

    email: Email
    role: _Role = None


class InvitationSent(BaseModel):
    """One invitation that was neither accepted nor taken back."""

    id: int
    email: str
    role: _Role
    created_at: datetime
    expires_at: datetime


class InvitationList(BaseModel):
    """The open invitations, the latest first; those that have expired too."""

    invitations: list[InvitationSent]
