"""Tickets: a browser cannot put a key into the head of a WebSocket's handshake."""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec
import structlog
from redis.exceptions import RedisError

from api.live.errors import TicketInvalidError
from api.settings import ApiSettings
from core.clock import utc_now
from core.errors import UnavailableError
from core.metadata.permissions import Permission
from core.valkey import connect

_logger = structlog.get_logger()
_PREFIX = "lt_"
# Streams show single events.
PERMISSION: Permission = "persons:read"


class Grant(NamedTuple):
    """What somebody may see: a project, from an address. By the `holder` his key or session is found again."""

    project_id: int
    holder: str
    address: str | None


_decode = msgspec.json.Decoder(Grant).decode


class Tickets:
    """Keeps tickets in Valkey, where every process finds them: by their hash, for seconds, and for one use."""

    def __init__(self, settings: ApiSettings) -> None:
        # A ticket that was taken, and whose answer was lost, is not there any more: it opens nothing, and never two.
        url = settings.redis_url.get_secret_value()
        self._redis = connect(url, seconds=settings.connect_seconds, is_repeatable=True)
        self._seconds = settings.live_ticket_seconds

    async def issue(self, grant: Grant) -> tuple[str, datetime]:
        """Return a new ticket, and until when it can be used; raises `UnavailableError`."""
        ticket = _PREFIX + secrets.token_urlsafe(32)
        expires_at = utc_now() + timedelta(seconds=self._seconds)
        try:
            await self._redis.set(_address(ticket), msgspec.json.encode(grant), ex=self._seconds)
        except (RedisError, OSError) as error:
            raise _unavailable(error) from error
        return ticket, expires_at

    async def redeem(self, ticket: str) -> Grant:
        """Return what a ticket is for and make it worthless; raises `TicketInvalidError` or `UnavailableError`."""
        try:
            stored = await self._redis.getdel(_address(ticket)) if ticket.startswith(_PREFIX) else None
        except (RedisError, OSError) as error:
            raise _unavailable(error) from error
        if stored is None:
            raise TicketInvalidError
        return _decode(stored)

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()


def _address(ticket: str) -> str:
    return f"radixinsight:ticket:{hashlib.sha256(ticket.encode()).hexdigest()}"


def _unavailable(error: Exception) -> UnavailableError:
    _logger.warning("valkey_unavailable", error=type(error).__name__)
    return UnavailableError("valkey")
