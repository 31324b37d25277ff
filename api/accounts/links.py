"""Links that are mailed: to prove an address, or to choose a new password. Sessions are those of `Database.of_all`."""

from datetime import timedelta
from typing import Literal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from api.accounts.errors import LinkInvalidError
from core.clock import utc_now
from core.metadata.accounts import EmailToken, User
from core.metadata.organisations import random_token, token_hash

Purpose = Literal["verify", "reset"]
_TOKEN_PREFIX = "rm_"  # noqa: S105 - what tells the kind of a token
_LIVES: dict[Purpose, timedelta] = {"verify": timedelta(days=1), "reset": timedelta(hours=1)}
_PAGES: dict[Purpose, str] = {"verify": "verify-email", "reset": "reset-password"}


async def make_link(session: AsyncSession, public_url: str, user: User, purpose: Purpose) -> str:
    """Keep a new link's hash, and return the link."""
    token = random_token(_TOKEN_PREFIX)
    made = EmailToken(
        user_id=user.id,
        purpose=purpose,
        email=user.email,
        token_hash=token_hash(token),
        expires_at=utc_now() + _LIVES[purpose],
    )
    session.add(made)
    await session.flush()
    return f"{public_url}/#{_PAGES[purpose]}={token}"


async def user_of_link(session: AsyncSession, token: str, purpose: Purpose, *, use: bool) -> User:
    """Return whom a mailed link is for, as long as the address is his; raises `LinkInvalidError`."""
    live = (EmailToken.purpose == purpose, EmailToken.used_at.is_(None), EmailToken.expires_at > utc_now())
    statement = select(EmailToken).where(EmailToken.token_hash == token_hash(token), *live).with_for_update()
    found = (await session.scalars(statement)).one_or_none()
    user = None if found is None else await session.get_one(User, found.user_id, with_for_update=True)
    if found is None or user is None or user.email != found.email:
        raise LinkInvalidError
    if use:
        found.used_at = utc_now()
    return user
