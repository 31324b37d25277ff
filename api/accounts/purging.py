"""Forgets what is of no use any more: ended sessions, old links, invitations that were answered, visits that ended."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Any, cast

import structlog
from sqlalchemy import CursorResult, delete, or_

from core.clock import utc_now
from core.errors import UnavailableError
from core.metadata.accounts import EmailToken, Invitation, UserSession
from core.metadata.identity import PendingSignIn
from core.metadata.tenancy import Database

_logger = structlog.get_logger()
_FIRST_SECONDS = 60.0
_SECONDS = 3600.0
# Addresses and user agents are data of persons: a month is what a theft is looked into for.
_SESSIONS = timedelta(days=30)
_LINKS = timedelta(days=7)
_INVITATIONS = timedelta(days=90)


async def purge(database: Database) -> dict[str, int]:
    """Delete what ended long ago, and return how many rows of each kind. The audit log keeps what was done."""
    now = utc_now()
    old = {
        "sessions": delete(UserSession).where(
            or_(UserSession.revoked_at < now - _SESSIONS, UserSession.expires_at < now - _SESSIONS)
        ),
        "links": delete(EmailToken).where(EmailToken.expires_at < now - _LINKS),
        "invitations": delete(Invitation).where(Invitation.expires_at < now - _INVITATIONS),
        "visits": delete(PendingSignIn).where(PendingSignIn.expires_at < now),
    }
    async with database.of_all() as session:
        return {
            kind: cast("CursorResult[Any]", await session.execute(statement)).rowcount
            for kind, statement in old.items()
        }


class Purging:
    """Purges each hour; several processes that do so take nothing from each other."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._closing = asyncio.Event()
        self._purging = asyncio.create_task(self._purge_on())

    async def close(self) -> None:
        """Stop."""
        self._closing.set()
        await self._purging

    async def _purge_on(self) -> None:
        seconds = _FIRST_SECONDS
        while not self._closing.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), seconds)
                return
            seconds = _SECONDS
            try:
                _logger.info("purged", **await purge(self._database))
            except UnavailableError:
                continue
            except Exception:  # nothing may end what is done each hour
                _logger.exception("not_purged")
