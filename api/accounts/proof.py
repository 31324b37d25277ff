"""What somebody who is signed in proves again before something is changed by which he would be locked out."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from api.access.errors import SessionEndedError
from api.access.principals import UserPrincipal
from api.access.service import is_live_session
from api.accounts.attempts import Attempts
from api.accounts.errors import SignInFailedError
from api.accounts.passwords import Passwords
from core.metadata.accounts import User, UserSession
from core.metadata.tenancy import Database


class Proof:
    """Compares passwords of people who are signed in."""

    def __init__(self, database: Database, passwords: Passwords, attempts: Attempts) -> None:
        self._database = database
        self._passwords = passwords
        self._attempts = attempts

    async def demand(self, principal: UserPrincipal, password: str) -> str:
        """Return the hash that a password was compared with, for `unchanged`; raises `SignInFailedError`."""
        await self._attempts.check_code(principal.user_id)
        async with self._database.of_all() as session:
            user = await session.get(User, principal.user_id)
        stored = None if user is None else user.password_hash
        if not await self._passwords.is_right(password, stored) or stored is None:
            raise SignInFailedError
        return stored


async def unchanged(session: AsyncSession, principal: UserPrincipal, checked: str) -> User:
    """Return somebody's account as long as what he proved himself by holds: the password, and the session.

    Comparing takes a while, in which the owner may have taken both from whoever asks.
    """
    user = await session.get_one(User, principal.user_id, with_for_update=True)
    opened = select(UserSession.id).where(UserSession.id == principal.session_id, is_live_session())
    if user.password_hash != checked or (await session.scalars(opened)).one_or_none() is None:
        raise SessionEndedError
    return user
