"""Invitations, and becoming a member by them. Sessions are those of `Database.of_all`."""

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from api.access.principals import Client
from api.accounts.errors import LinkInvalidError
from api.accounts.records import actor
from core.clock import utc_now
from core.metadata.accounts import Invitation, Membership, User
from core.metadata.audit import Target, entry
from core.metadata.organisations import token_hash


async def find_invitation(session: AsyncSession, token: str, *, lock: bool = False) -> Invitation:
    """Return the live invitation of a token; raises `LinkInvalidError`."""
    live = (Invitation.accepted_at.is_(None), Invitation.revoked_at.is_(None), Invitation.expires_at > utc_now())
    statement = select(Invitation).where(Invitation.token_hash == token_hash(token), *live)
    found = (await session.scalars(statement.with_for_update() if lock else statement)).one_or_none()
    if found is None:
        raise LinkInvalidError
    return found


async def join(session: AsyncSession, invitation: Invitation, user: User, client: Client) -> None:
    """Make somebody a member; whoever is one already keeps the role that he has."""
    invitation.accepted_at = utc_now()
    joined = insert(Membership).values(
        organisation_id=invitation.organisation_id, user_id=user.id, role_id=invitation.role_id
    )
    await session.execute(joined.on_conflict_do_nothing())
    # An accepted invitation keeps no role, which could not be deleted otherwise.
    invitation.role_id = None
    said = Target("invitation", invitation.id)
    session.add(entry(actor(user, client), "invitation.accepted", said, organisation_id=invitation.organisation_id))
