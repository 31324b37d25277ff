"""What somebody made of which he knows the secret: it works on when he is a member no more, unless it is revoked."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import utc_now
from core.metadata import ApiKey
from core.metadata.accounts import User
from core.metadata.audit import Actor, Target, entry
from core.metadata.projects import is_live
from core.metadata.saved import SharedLink


@dataclass(frozen=True, slots=True)
class Left:
    """Live API keys and shared links that one member made."""

    keys: Sequence[ApiKey]
    links: Sequence[SharedLink]


async def left_by(session: AsyncSession, user_id: int) -> Left:
    """Return what a member made, in a session of `Database.of_organisation`, while nobody makes more of it."""
    keys = select(ApiKey).where(ApiKey.created_by == user_id, is_live(ApiKey)).order_by(ApiKey.id)
    email = await session.scalar(select(User.email).where(User.id == user_id))
    links = select(SharedLink).where(SharedLink.created_by == email, _is_open()).order_by(SharedLink.id)
    return Left((await session.scalars(keys)).all(), (await session.scalars(links)).all())


async def revoke(session: AsyncSession, left: Left, by: Actor, organisation_id: int) -> None:
    """Make all of it work no more, each with its entry in the audit log."""
    for kind, action, found in ((ApiKey, "api_key", left.keys), (SharedLink, "link", left.links)):
        ids = [each.id for each in found]
        await session.execute(update(kind).where(kind.id.in_(ids)).values(revoked_at=utc_now()))
        for each in found:
            said = Target(
                action, each.id, {"name": each.name} if isinstance(each, ApiKey) else {"object_id": each.object_id}
            )
            session.add(
                entry(by, f"{action}.revoked", said, organisation_id=organisation_id, project_id=each.project_id)
            )


def _is_open() -> ColumnElement[bool]:
    return and_(SharedLink.revoked_at.is_(None), SharedLink.expires_at > func.clock_timestamp())
