"""Sessions of browsers and programs: opened, renewed, listed and ended."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from api.access.errors import SessionEndedError
from api.access.principals import Client, UserPrincipal
from api.access.service import OVERLAP_SECONDS, Access, had_token, is_live_session
from api.accounts.devices import device_token
from api.accounts.errors import PasswordSignInNeededError
from api.accounts.records import note
from api.accounts.secrets import Secrets
from core.clock import utc_now
from core.metadata.accounts import SpentToken, User, UserSession
from core.metadata.audit import Target
from core.metadata.organisations import random_token, token_hash
from core.metadata.tenancy import Database

_BROWSER_PREFIX = "rs_"
_PROGRAM_PREFIX = "rf_"
_ROTATED_AFTER_SECONDS = 3600
# Long enough for a second try at once; whoever steals a token later than that is found out.
_REPEATED_SECONDS = 30
MOST_EXCHANGES = 20_000
"""After so many, a program's session ends: the hashes of all its tokens are kept. One each ten minutes is 138 days."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A session with its token, which is kept nowhere: a browser's cookie, or a program's refresh token."""

    session_id: int
    user_id: int
    token: str
    device: str = ""
    """What tells the browser from others from then on; see `api.accounts.devices`."""


class Sessions:
    """The sessions of all users. PostgreSQL has them, so that they outlive a restart of Valkey."""

    def __init__(self, database: Database, access: Access, secrets: Secrets) -> None:
        self._database = database
        self._access = access
        self._secrets = secrets

    async def open(
        self,
        session: AsyncSession,
        user: User,
        client: Client,
        *,
        is_program: bool = False,
        provider_id: int | None = None,
    ) -> Opened:
        """Open a session for somebody who has shown who he is, in the transaction in which he did."""
        token = random_token(_PROGRAM_PREFIX if is_program else _BROWSER_PREFIX)
        now = utc_now()
        opened = UserSession(
            user_id=user.id,
            kind="program" if is_program else "browser",
            token_hash=token_hash(token),
            created_at=now,
            expires_at=self._access.end_of_session(now),
            address=client.address or "",
            user_agent=client.user_agent or "",
            provider_id=provider_id,
        )
        session.add(opened)
        await session.flush()
        return Opened(opened.id, user.id, token, device_token(self._secrets, user))

    async def rotate(self, principal: UserPrincipal) -> str | None:
        """Return a new token for a browser's session whose token is an hour old; None where it is younger.

        The old one works for a minute, for the requests that are under way. If the new one does not come back, it was
        lost on its way: then the old one works on, and is given another new one.
        """
        async with self._database.of_all() as session:
            found = await session.get(UserSession, principal.session_id, with_for_update=True)
            if found is None or found.kind != "browser":
                return None
            is_lost = found.confirmed_at is None and found.previous_token_hash is not None
            after = OVERLAP_SECONDS if is_lost else _ROTATED_AFTER_SECONDS
            if (utc_now() - found.rotated_at).total_seconds() < after:
                return None
            token = random_token(_BROWSER_PREFIX)
            if not is_lost:
                _spend(session, found)
            _renew(found, token)
            return token

    async def refresh(self, refresh_token: str) -> Opened:
        """Exchange a program's refresh token for a new one; raises `SessionEndedError`.

        For some seconds it is exchanged for the same one again: a program may have sent it twice, or lost the answer.
        After that it ends the session: two have it, and one of them stole it.
        """
        digest = token_hash(refresh_token)
        async with self._database.of_all() as session:
            # Again, if it was replaced while this waited for the session: then it is among those that were spent.
            found = await _having(session, digest) or await _having(session, digest)
            token = self._secrets.successor(refresh_token, _PROGRAM_PREFIX)
            if found is not None and found.token_hash == digest and await _may_be_exchanged(session, found):
                _spend(session, found)
                _renew(found, token)
                found.last_seen_at = utc_now()
                found.expires_at = self._access.end_of_session(found.created_at)
                return Opened(found.id, found.user_id, token)
            if found is not None:
                is_recent = (utc_now() - found.rotated_at).total_seconds() < _REPEATED_SECONDS
                if is_recent and found.previous_token_hash == digest:
                    return Opened(found.id, found.user_id, token)
                found.revoked_at = utc_now()
        self._access.forget()
        raise SessionEndedError

    async def all_of(self, principal: UserPrincipal) -> Sequence[UserSession]:
        """Return somebody's live sessions, the latest used first; of who came by a provider the one that asks alone."""
        async with self._database.of_all() as session:
            statement = select(UserSession).where(UserSession.user_id == principal.user_id, is_live_session())
            if principal.provider_id is not None:
                statement = statement.where(UserSession.id == principal.session_id)
            return (await session.scalars(statement.order_by(UserSession.last_seen_at.desc(), UserSession.id))).all()

    async def end(self, principal: UserPrincipal, session_id: int, client: Client) -> bool:
        """End one of somebody's own sessions; False when he has no such one.

        Raises `PasswordSignInNeededError` where he came by a provider, and it is not the session that asks.
        """
        if principal.provider_id is not None and session_id != principal.session_id:
            raise PasswordSignInNeededError
        only = None if principal.provider_id is None else principal.organisations
        async with self._database.of_all() as session:
            mine = (UserSession.id == session_id, UserSession.user_id == principal.user_id, is_live_session())
            ended = update(UserSession).where(*mine).values(revoked_at=utc_now()).returning(UserSession.id)
            is_ended = (await session.execute(ended)).first() is not None
            if is_ended:
                await note(session, principal.actor(client), "session.ended", Target("session", session_id), only=only)
        self._access.forget()
        return is_ended

    async def end_others(self, session: AsyncSession, user_id: int, but: int | None) -> None:
        """End all sessions of somebody, but perhaps one, in the transaction of the caller, who then calls `forget`."""
        others = update(UserSession).where(UserSession.user_id == user_id, is_live_session())
        if but is not None:
            others = others.where(UserSession.id != but)
        await session.execute(others.values(revoked_at=utc_now()))


async def _having(session: AsyncSession, digest: str) -> UserSession | None:
    is_known = or_(UserSession.token_hash == digest, had_token(digest))
    statement = select(UserSession).where(is_known, UserSession.kind == "program", is_live_session())
    return (await session.scalars(statement.with_for_update())).one_or_none()


async def _may_be_exchanged(session: AsyncSession, found: UserSession) -> bool:
    spent = select(func.count()).select_from(SpentToken).where(SpentToken.session_id == found.id)
    return (await session.scalars(spent)).one() < MOST_EXCHANGES


def _spend(session: AsyncSession, found: UserSession) -> None:
    """Make the token that holds now the one before, and remember the one that was that until now."""
    if found.previous_token_hash is not None:
        session.add(SpentToken(token_hash=found.previous_token_hash, session_id=found.id))
    found.previous_token_hash = found.token_hash


def _renew(found: UserSession, token: str) -> None:
    found.token_hash = token_hash(token)
    found.rotated_at = utc_now()
    found.confirmed_at = None
