"""What the audit log says of people themselves: in every organisation that they are members of."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core.metadata.accounts import Membership
from core.metadata.audit import Actor, Target, entry


async def note(session: AsyncSession, actor: Actor, action: str, target: Target | None = None) -> None:
    """Add the entry to a transaction that sees all tenants."""
    memberships = select(Membership.organisation_id).where(Membership.user_id == actor.id)
    for organisation_id in await session.scalars(memberships):
        session.add(entry(actor, action, target, organisation_id=organisation_id))
