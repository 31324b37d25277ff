"""Publishes acknowledged events to those who listen to their project, as far as that costs nobody else anything."""

import asyncio
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import structlog
from msgspec.json import Encoder
from redis.exceptions import RedisError

from core.events import LandedEvent
from core.live import (
    BEAT_EVERY_S,
    COLLECTORS,
    EVERY_CHANNEL,
    LOOK_EVERY_S,
    Beat,
    Header,
    channel_of,
    pack,
    pack_beat,
    project_of,
)
from core.valkey import connect
from ingestion.metrics import CollectorMetrics

_logger = structlog.get_logger()
_encode = Encoder().encode
_TIMEOUT_S = 0.5
_TRY_AGAIN_S = 1.0
# Requests that come within this time share a publication.
_GATHER_S = 0.03
# Whose API process died comes back to another one: meanwhile nothing is missed.
_FORGET_AFTER_S = 10.0
# Of all projects together; a publication is a part of it that Valkey copies to each listener at once.
_MOST_WAITING_BYTES = 4 * 1024 * 1024
_MOST_PUBLISHED_BYTES = 256 * 1024


@dataclass(slots=True)
class _Audience:
    """Those who listen to a project, and what they have not got yet."""

    tokens: float
    filled_at: float
    heard_at: float
    # A number that grows when the collector starts to count anew.
    before: int = field(default_factory=lambda: time.time_ns() // 1000)
    """How many events there were before those that wait."""
    missed: int = 0
    """How many since those are left out."""
    lines: list[bytes] = field(default_factory=list[bytes])


class LivePublisher:
    """Keeps what is to be published for a moment, and publishes it in a task of its own.

    Whoever offers events never waits. What does not fit, what exceeds the rate and what Valkey does not take is left
    out, and the listeners are told how much that was. Lives on one event loop.
    """

    def __init__(
        self, url: str, metrics: CollectorMetrics, *, events_per_second: int, oldest_unshipped_s: Callable[[], float]
    ) -> None:
        self._redis = connect(url, seconds=_TIMEOUT_S, as_text=True)
        self._metrics = metrics
        self._rate = events_per_second
        self._oldest_unshipped_s = oldest_unshipped_s
        self._collector = secrets.token_hex(4)
        self._audiences: dict[int, _Audience] = {}
        self._waiting_bytes = 0
        self._wake = asyncio.Event()
        self._beat_at = float("-inf")
        self._is_reached = True

    @property
    def projects(self) -> int:
        """How many projects somebody listens to."""
        return len(self._audiences)

    def listen_for(self, project_id: int) -> None:
        """Learn that somebody listens to a project."""
        now = time.monotonic()
        self._audiences.setdefault(project_id, _Audience(self._rate, now, now)).heard_at = now

    def offer(self, project_id: int, events: list[LandedEvent]) -> None:
        """Take events that are on disk. Where nobody listens to their project, that is one look into a dictionary."""
        audience = self._audiences.get(project_id)
        if audience is None or not events:
            return
        now = time.monotonic()
        audience.tokens = min(self._rate, audience.tokens + (now - audience.filled_at) * self._rate)
        audience.filled_at = now
        allowed = events[: int(audience.tokens)]
        audience.tokens -= len(allowed)
        self._miss("rate", len(events) - len(allowed))
        kept = 0
        for event in allowed:
            line = _encode(event)
            if self._waiting_bytes + len(line) > _MOST_WAITING_BYTES:
                self._miss("memory", len(allowed) - kept)
                break
            self._waiting_bytes += len(line)
            audience.lines.append(line)
            kept += 1
        audience.missed += len(events) - kept
        self._wake.set()

    async def run(self) -> None:
        """Publish until cancelled."""
        look_at = time.monotonic()
        try:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(max(0.0, look_at - time.monotonic())):
                        await self._wake.wait()
                try:
                    if self._wake.is_set():
                        await asyncio.sleep(_GATHER_S)
                        self._wake.clear()
                        await self._publish()
                    if time.monotonic() >= look_at:
                        await self._look()
                        look_at = time.monotonic() + (LOOK_EVERY_S if self._is_reached else _TRY_AGAIN_S)
                except Exception:  # nothing may end the task
                    _logger.exception("live_events_failed")
                    await asyncio.sleep(_TRY_AGAIN_S)
        finally:
            await self._redis.aclose()

    async def _look(self) -> None:
        """See who listens, and tell those who want to know how this collector is."""
        now = time.monotonic()
        try:
            channels = [str(channel) for channel in await self._redis.pubsub_channels(EVERY_CHANNEL)]
            if COLLECTORS in channels and now - self._beat_at >= BEAT_EVERY_S:
                beat = Beat(self._collector, round(self._oldest_unshipped_s(), 3))
                await self._redis.publish(COLLECTORS, pack_beat(beat))
                self._beat_at = now
        except (RedisError, OSError) as error:
            self._lose(error)
            return
        if not self._is_reached:
            _logger.info("live_events_published_again")
            self._is_reached = True
        for channel in channels:
            project_id = project_of(channel)
            if project_id is not None:
                self.listen_for(project_id)
        gone = [
            project_id
            for project_id, audience in self._audiences.items()
            if now - audience.heard_at > _FORGET_AFTER_S and not audience.lines
        ]
        for project_id in gone:
            del self._audiences[project_id]

    async def _publish(self) -> None:
        """Publish all that waits; what Valkey does not take is missed."""
        for project_id, audience in list(self._audiences.items()):
            lines, audience.lines = audience.lines, []
            missed, audience.missed = audience.missed, 0
            self._waiting_bytes -= sum(map(len, lines))
            for part in _parts(lines):
                publication = pack(Header(self._collector, audience.before), part)
                # Also if it does not leave: those who listen see from the next one how many are missing.
                audience.before += len(part)
                if await self._leaves(channel_of(project_id), publication):
                    self._metrics.live_published.inc(len(part))
                else:
                    self._miss("valkey", len(part))
            audience.before += missed

    async def _leaves(self, channel: str, publication: bytes) -> bool:
        """Publish, unless Valkey did not answer the last time: the next look tells when it does again."""
        if not self._is_reached:
            return False
        try:
            await self._redis.publish(channel, publication)
        except (RedisError, OSError) as error:
            self._lose(error)
        return self._is_reached

    def _miss(self, reason: str, events: int) -> None:
        if events:
            self._metrics.live_missed.labels(reason).inc(events)

    def _lose(self, error: Exception) -> None:
        if self._is_reached:
            _logger.warning("live_events_not_published", error=str(error))
        self._is_reached = False


def _parts(lines: list[bytes]) -> list[list[bytes]]:
    """Return the lines in lists that are not too large for one publication."""
    parts: list[list[bytes]] = []
    size = _MOST_PUBLISHED_BYTES
    for line in lines:
        if size + len(line) > _MOST_PUBLISHED_BYTES:
            parts.append([])
            size = 0
        parts[-1].append(line)
        size += len(line)
    return parts
