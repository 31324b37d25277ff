"""Invitations: becoming a member by them, and withdrawing them."""

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from api.access.principals import Client
from api.accounts.errors import LinkInvalidError
from api.accounts.records import actor
from core.clock import utc_now
from core.metadata.accounts import Invitation, Membership, User
from core.metadata.audit import Actor, Target, entry
from core.metadata.organisations import token_hash

OPEN = (Invitation.accepted_at.is_(None), Invitation.revoked_at.is_(None))


async def find_invitation(session: AsyncSession, token: str, *, lock: bool = False) -> Invitation:
    """Return the live invitation of a token, in a session of `Database.of_all`; raises `LinkInvalidError`."""
    live = (*OPEN, Invitation.expires_at > utc_now())
    statement = select(Invitation).where(Invitation.token_hash == token_hash(token), *live)
    found = (await session.scalars(statement.with_for_update() if lock else statement)).one_or_none()
    if found is None:
        raise LinkInvalidError
    return found


async def join(session: AsyncSession, invitation: Invitation, user: User, client: Client) -> None:
    """Make somebody a member, in such a session too; whoever is one already keeps the role that he has.

    What else invites his address there is withdrawn: it would stay open for nothing.
    """
    invitation.accepted_at = utc_now()
    joined = insert(Membership).values(
        organisation_id=invitation.organisation_id, user_id=user.id, role_id=invitation.role_id
    )
    await session.execute(joined.on_conflict_do_nothing())
    # An accepted invitation keeps no role, which could not be deleted otherwise.
    invitation.role_id = None
    by, where = actor(user, client), invitation.organisation_id
    session.add(entry(by, "invitation.accepted", Target("invitation", invitation.id), organisation_id=where))
    others = select(Invitation).where(
        Invitation.organisation_id == where, Invitation.email == invitation.email, Invitation.id != invitation.id, *OPEN
    )
    # What is locked is being withdrawn or accepted already, by somebody who may wait for this one.
    for each in await session.scalars(others.order_by(Invitation.id).with_for_update(skip_locked=True)):
        withdraw(each)
        said = Target("invitation", each.id, {"email": each.email, "joined_by": invitation.id})
        session.add(entry(by, "invitation.revoked", said, organisation_id=where))


def withdraw(invitation: Invitation) -> None:
    """Make an invitation work no more. It keeps no role, which could not be deleted otherwise."""
    invitation.revoked_at, invitation.role_id = utc_now(), None


async def withdraw_invitations_by(session: AsyncSession, user_ids: Collection[int], by: Actor) -> None:
    """Withdraw what people sent who may no longer invite: each could have invited himself, under another address.

    That is done in all organisations that the session sees.
    """
    sent = select(Invitation).where(Invitation.invited_by.in_(user_ids), *OPEN).order_by(Invitation.id)
    for each in await session.scalars(sent.with_for_update()):
        withdraw(each)
        said = Target("invitation", each.id, {"email": each.email, "invited_by": each.invited_by})
        session.add(entry(by, "invitation.revoked", said, organisation_id=each.organisation_id))
