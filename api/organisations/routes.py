"""`/v1/organisations`: the organisation itself, its members and invitations."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from api.access.principals import OrganisationAccess
from api.accounts.schemas import OrganisationOfMine
from api.dependencies import ActingDep, ClientDep, ResourcesDep, UserDep, organisation_for
from api.organisations.schemas import (
    InvitationList,
    InvitationSent,
    KeyLeft,
    LinkLeft,
    MemberList,
    MemberRemoved,
    MemberShown,
    NameProof,
    NewInvitation,
    OrganisationChange,
    OrganisationList,
    OrganisationShown,
    RoleChange,
)
from api.problems import CHANGE, CONFLICT, ORGANISATION, TOO_MANY, UNAVAILABLE, USER

router = APIRouter(prefix="/v1/organisations", tags=["organisations"], responses=USER | UNAVAILABLE)
_Organisation = Annotated[OrganisationAccess, Depends(organisation_for(None))]
_Reader = Annotated[OrganisationAccess, Depends(organisation_for("members:read"))]
_Manager = Annotated[OrganisationAccess, Depends(organisation_for("members:manage"))]
_Owner = Annotated[OrganisationAccess, Depends(organisation_for("organisation:manage"))]
_UserId = Annotated[int, Path(ge=1, le=2**31 - 1, examples=[2])]
_Id = Annotated[int, Path(ge=1, le=2**31 - 1, examples=[1])]


@router.get("", operation_id="list_organisations", summary="List one's organisations")
async def list_organisations(user: UserDep, client: ClientDep) -> OrganisationList:
    """Return the organisations that one is a member of, and that can be reached from here."""
    return OrganisationList(organisations=[_of_mine(each) for each in user.organisations_from(client)])


@router.get("/{organisation_id}", operation_id="get_organisation", summary="One organisation", responses=ORGANISATION)
async def get_organisation(organisation: _Organisation) -> OrganisationShown:
    """Return its name and networks, and what one may do in it."""
    mine = _of_mine(organisation)
    return OrganisationShown(
        **mine.model_dump(),
        allowed_networks=list(organisation.allowed_networks),
        demands_provider=organisation.demands_provider,
    )


@router.patch(
    "/{organisation_id}",
    operation_id="change_organisation",
    summary="Change its name, networks or sign-in",
    responses=CHANGE | ORGANISATION | CONFLICT,
    status_code=204,
)
async def change_organisation(
    body: OrganisationChange, organisation: _Owner, by: ActingDep, held: ResourcesDep
) -> None:
    """Change what is given; whoever allows networks has to be in one of them."""
    await held.organisations.change(
        by,
        organisation,
        name=body.name,
        allowed_networks=body.allowed_networks,
        demands_provider=body.demands_provider,
    )


@router.post(
    "/{organisation_id}/closing",
    operation_id="close_organisation",
    summary="Close an organisation",
    responses=CHANGE | ORGANISATION,
    status_code=204,
)
async def close_organisation(body: NameProof, organisation: _Owner, by: ActingDep, held: ResourcesDep) -> None:
    """Take all members, invitations and providers from it, and revoke the keys of its projects, for good.

    The audit log stays, and the projects with their events: whoever runs the installation can read both.
    """
    await held.closing.close(by, organisation, body.name)


@router.get(
    "/{organisation_id}/members", operation_id="list_members", summary="List its members", responses=ORGANISATION
)
async def list_members(organisation: _Reader, held: ResourcesDep) -> MemberList:
    """Return all members, by e-mail address."""
    members = [
        MemberShown(
            user_id=user.id,
            email=user.email,
            name=user.name,
            role=role,
            has_second_factor=user.totp_enabled_at is not None,
            joined_at=member.created_at,
        )
        for member, user, role in await held.organisations.members(organisation)
    ]
    return MemberList(members=members)


@router.put(
    "/{organisation_id}/members/{user_id}/role",
    operation_id="set_member_role",
    summary="Give a member another role",
    responses=CHANGE | ORGANISATION | CONFLICT,
    status_code=204,
)
async def set_member_role(
    body: RoleChange, user_id: _UserId, organisation: _Manager, by: ActingDep, held: ResourcesDep
) -> None:
    """Change what he may do; nobody gives or takes more than he has himself."""
    await held.organisations.set_role(by, organisation, user_id, body.role)


@router.delete(
    "/{organisation_id}/members/{user_id}",
    operation_id="remove_member",
    summary="Remove a member, or leave",
    responses=CHANGE | ORGANISATION | CONFLICT,
)
async def remove_member(
    user_id: _UserId,
    organisation: _Organisation,
    by: ActingDep,
    held: ResourcesDep,
    revoke: Annotated[bool, Query(description="Also revoke the API keys and shared links that he made.")] = False,  # noqa: FBT002 - a query parameter
) -> MemberRemoved:
    """Remove him from teams and grants too. The keys and links that he made are the projects', and work on.

    They are in the answer: he may know them. With `revoke` they work no more.
    """
    left = await held.organisations.remove(by, organisation, user_id, revoke_secrets=revoke)
    return MemberRemoved(
        revoked=revoke,
        api_keys=[KeyLeft.model_validate(vars(key)) for key in left.keys],
        links=[LinkLeft.model_validate(vars(link)) for link in left.links],
    )


@router.get(
    "/{organisation_id}/invitations",
    operation_id="list_invitations",
    summary="List open invitations",
    responses=ORGANISATION,
)
async def list_invitations(organisation: _Reader, held: ResourcesDep) -> InvitationList:
    """Return those that were neither accepted nor taken back."""
    found = await held.invitations.all_open(organisation)
    return InvitationList(
        invitations=[InvitationSent.model_validate({**vars(each), "role": role}) for each, role in found]
    )


@router.post(
    "/{organisation_id}/invitations",
    operation_id="invite",
    summary="Invite somebody",
    responses=CHANGE | ORGANISATION | TOO_MANY,
    status_code=201,
)
async def invite(body: NewInvitation, organisation: _Manager, by: ActingDep, held: ResourcesDep) -> InvitationSent:
    """Mail a link to him that works once, for seven days; an open one to the same address works no more."""
    made = await held.invitations.invite(by, organisation, body.email, body.role)
    return InvitationSent.model_validate({**vars(made), "role": body.role})


@router.delete(
    "/{organisation_id}/invitations/{invitation_id}",
    operation_id="revoke_invitation",
    summary="Take an invitation back",
    responses=CHANGE | ORGANISATION,
    status_code=204,
)
async def revoke_invitation(invitation_id: _Id, organisation: _Manager, by: ActingDep, held: ResourcesDep) -> None:
    """Make its link work no more."""
    await held.invitations.revoke(by, organisation, invitation_id)


def _of_mine(access: OrganisationAccess) -> OrganisationOfMine:
    return OrganisationOfMine(id=access.id, name=access.name, role=access.role, permissions=sorted(access.permissions))
