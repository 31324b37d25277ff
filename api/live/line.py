"""The line to Valkey on which publications come in."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import structlog
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from core.valkey import connect

_logger = structlog.get_logger()
_TIMEOUT_S = 2.0
_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 2.0
_ASK_EVERY_S = 2.0
# A connection that says nothing, not even to a ping, is dead.
_DEAD_AFTER_S = 6.0
# Of 1 MiB each.
_MOST_SAID = 20


class Line:
    """Keeps a connection with the channels that are listened to, again after Valkey was away.

    `heard` gets each publication, `confirmed` each channel that Valkey has confirmed, `changed` whether Valkey answers.
    """

    def __init__(
        self,
        url: str,
        *,
        heard: Callable[[str, bytes], None],
        confirmed: Callable[[str], None],
        changed: Callable[[bool], None],
    ) -> None:
        self._redis = connect(url, seconds=_TIMEOUT_S)
        self._heard = heard
        self._confirmed = confirmed
        self._changed = changed
        self._channels: set[str] = set()
        self._pubsub: PubSub | None = None
        self._is_reached = True
        self._said: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue(_MOST_SAID)

    def say(self, channel: str, publication: bytes) -> None:
        """Publish something soon, unless too much is said or Valkey is away."""
        with suppress(asyncio.QueueFull):
            self._said.put_nowait((channel, publication))

    async def send(self) -> None:
        """Publish what is said until cancelled."""
        while True:
            channel, publication = await self._said.get()
            with suppress(RedisError, OSError):
                await self._redis.publish(channel, publication)

    async def listen(self, channel: str) -> None:
        """Listen to a channel from now on, or as soon as Valkey is there."""
        self._channels.add(channel)
        if self._pubsub is not None:
            # The connection's own loop finds out that it is broken.
            with suppress(RedisError, OSError):
                await self._pubsub.subscribe(channel)

    async def leave(self, channel: str) -> None:
        """Listen to a channel no longer."""
        self._channels.discard(channel)
        if self._pubsub is not None:
            with suppress(RedisError, OSError):
                await self._pubsub.unsubscribe(channel)

    async def run(self) -> None:
        """Listen until cancelled."""
        pause_s = _SHORTEST_PAUSE_S
        try:
            while True:
                try:
                    async with self._redis.pubsub() as pubsub:
                        await pubsub.subscribe(*self._channels)
                        self._pubsub = pubsub
                        self._tell(is_reached=True)
                        pause_s = _SHORTEST_PAUSE_S
                        await self._receive(pubsub)
                except (RedisError, OSError, TimeoutError) as error:
                    if self._is_reached:
                        _logger.warning("live_line_lost", error=str(error) or type(error).__name__)
                finally:
                    self._pubsub = None
                self._tell(is_reached=False)
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        finally:
            await self._redis.aclose()

    async def _receive(self, pubsub: PubSub) -> None:
        heard_at = time.monotonic()
        while True:
            said: dict[str, Any] | None = await pubsub.get_message(timeout=_ASK_EVERY_S)
            now = time.monotonic()
            if said is None:
                if now - heard_at > _DEAD_AFTER_S:
                    raise TimeoutError("Valkey does not answer")
                await pubsub.ping()
                continue
            heard_at = now
            if said["type"] == "message":
                try:
                    self._heard(said["channel"].decode(), said["data"])
                except Exception:  # one odd publication must not end what all streams live by
                    _logger.exception("live_publication_failed")
            elif said["type"] == "subscribe":
                self._confirmed(said["channel"].decode())

    def _tell(self, *, is_reached: bool) -> None:
        if is_reached != self._is_reached:
            self._is_reached = is_reached
            self._changed(is_reached)
