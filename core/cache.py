"""A small JSON cache in Valkey that is never needed for a right answer."""

from collections.abc import Awaitable, Callable
from typing import Any, Self

import msgspec
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from core.breaker import Breaker
from core.errors import UnavailableError
from core.valkey import connect

_logger = structlog.get_logger()


class Cache:
    """Keeps JSON values under string keys for a while. While Valkey is away, every look-up is a miss.

    Keys are prefixed with `namespace`, so that services share one Valkey without meeting.
    """

    def __init__(self, redis: Redis, namespace: str) -> None:
        # Each failure may have taken half a second of somebody's time.
        self.breaker = Breaker("valkey", failures=3)
        self._redis = redis
        self._namespace = namespace

    @classmethod
    def connect(cls, url: str, namespace: str) -> Self:
        """Return a cache at `redis://:password@host:port/db`. Nothing connects before the first look-up."""
        # Half a second: a cache that answers later than the query that it saves is of no use.
        return cls(connect(url, seconds=0.5, is_repeatable=True), namespace)

    async def get(self, key: str) -> Any | None:
        """Return the value, or None when there is none, it expired, or Valkey did not answer."""
        stored = await self._asked("get", lambda: self._redis.get(self._address(key)))
        if stored is None:
            return None
        try:
            return msgspec.json.decode(stored)
        except msgspec.DecodeError:
            return None

    async def set(self, key: str, value: Any, *, ttl_s: int) -> None:
        """Keep `value` for `ttl_s` seconds. Does nothing while Valkey is away."""
        encoded = msgspec.json.encode(value)
        await self._asked("set", lambda: self._redis.set(self._address(key), encoded, ex=ttl_s))

    async def delete(self, key: str) -> None:
        """Forget the key. Does nothing while Valkey is away."""
        await self._asked("delete", lambda: self._redis.delete(self._address(key)))

    async def is_reachable(self) -> bool:
        """Say whether Valkey answers."""
        try:
            return bool(await self._redis.ping())
        except (RedisError, OSError):
            return False

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def _asked(self, action: str, ask: Callable[[], Awaitable[Any]]) -> Any | None:
        """Return what Valkey answers, None while it is away."""
        try:
            with self.breaker.passed():
                try:
                    return await ask()
                except (RedisError, OSError) as error:
                    _logger.warning("cache_unavailable", action=action, error=str(error))
                    raise UnavailableError("valkey") from error
        except UnavailableError:
            return None

    def _address(self, key: str) -> str:
        return f"radixinsight:{self._namespace}:{key}"
