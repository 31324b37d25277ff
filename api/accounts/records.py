"""What the audit log says of people themselves: in every organisation that they are members of."""

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from api.access.principals import Client
from core.metadata.accounts import Membership, User
from core.metadata.audit import Actor, Target, entry


def actor(user: User, client: Client) -> Actor:
    """Return how the log names somebody who has no session yet."""
    return Actor("user", user.id, user.email, client.address, client.user_agent)


async def note(
    session: AsyncSession,
    actor: Actor,
    action: str,
    target: Target | None = None,
    *,
    only: Collection[int] | None = None,
) -> None:
    """Add the entry to a transaction that sees all tenants; `only` in these organisations, if it is said."""
    memberships = select(Membership.organisation_id).where(Membership.user_id == actor.id)
    if only is not None:
        memberships = memberships.where(Membership.organisation_id.in_(only))
    for organisation_id in await session.scalars(memberships):
        session.add(entry(actor, action, target, organisation_id=organisation_id))
