"""One open stream: what it wants, what waits for it, and why it ended."""

import asyncio
import time
from collections import deque
from dataclasses import dataclass
from typing import Literal

from api.live.filters import Arrival, LiveFilter
from api.live.messages import Kind, Message, message
from api.metrics import Metrics

_DROPPED_TOLD_EVERY_S = 1.0
# What came at once may be more than may wait; whoever takes longer for what he got before is slow.
_PATIENCE_S = 2.0

Part = Literal["events", "counters", "alerts"]


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a stream ends; `close_code` is that of a WebSocket."""

    reason: str
    detail: str
    close_code: int


SLOW_READER = Ending("slow_reader", "You read more slowly than messages came; open the stream again.", 4408)
KEY_REVOKED = Ending("key_revoked", "The API key or session is no longer valid.", 4401)
ACCESS_LOST = Ending("access_lost", "The project may not be seen any more, or not from this address.", 4403)
GOING_AWAY = Ending("going_away", "This process is stopping; open the stream again.", 1001)
NOTHING_TO_SAY = Ending("nothing_to_say", "Nothing is read from this socket; open another with other filters.", 1003)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a stream shows. Within `events` any may hold; everything else must."""

    parts: frozenset[Part]
    events: frozenset[str]
    user_id: str | None
    anonymous_id: str | None
    filters: tuple[LiveFilter, ...]
    max_per_second: int

    def fits(self, arrival: Arrival) -> bool:
        """Say whether it shows an event."""
        event = arrival.event
        return (
            "events" in self.parts
            and (not self.events or event.event in self.events)
            and (self.user_id is None or event.user_id == self.user_id)
            and (self.anonymous_id is None or event.anonymous_id == self.anonymous_id)
            and all(condition.holds(arrival) for condition in self.filters)
        )


class Reader:
    """Takes messages on one side without ever waiting, and gives them out on the other as fast as they are read.

    Events that wait are bounded by `max_bytes`. What comes above that is left out, and ends the stream if its reader
    is still busy with what it got seconds ago.
    """

    def __init__(self, wanted: Wanted, metrics: Metrics, *, max_bytes: int, heartbeat_s: float) -> None:
        self.wanted = wanted
        self.ending: Ending | None = None
        self._metrics = metrics
        self._max_bytes = max_bytes
        self._heartbeat_s = heartbeat_s
        self._waiting: deque[Message] = deque()
        self._waiting_bytes = 0
        self._wake = asyncio.Event()
        self._tokens = float(wanted.max_per_second)
        self._filled_at = time.monotonic()
        self._busy_since: float | None = None
        self._untold: dict[str, int] = {}
        self._dropped_at = float("-inf")
        self._told: dict[Kind, object] = {}

    def offer(self, arrival: Arrival, *, is_again: bool = False) -> None:
        """Show an event if it fits, and the rate allows it. What is shown again after a break counts for no rate."""
        if self.ending is not None or not self.wanted.fits(arrival):
            return
        if not is_again:
            now = time.monotonic()
            most = float(self.wanted.max_per_second)
            self._tokens = min(most, self._tokens + (now - self._filled_at) * most)
            self._filled_at = now
            if self._tokens < 1:
                self._drop("over_rate", 1)
                return
            self._tokens -= 1
        shown = arrival.message
        if self._waiting_bytes + shown.size > self._max_bytes:
            if self._busy_since is not None and time.monotonic() - self._busy_since > _PATIENCE_S:
                self.end(SLOW_READER)
            else:
                self._drop("over_memory", 1)
            return
        self._metrics.live_shown.inc()
        self._waiting_bytes += shown.size
        self._tell(shown)

    def miss(self, events: int) -> None:
        """Tell of events of the project that never got here."""
        if "events" in self.wanted.parts:
            self._drop("missed", events)

    def say(self, kind: Kind, data: object) -> None:
        """Put a message in line."""
        self._tell(message(kind, data))

    def say_if_new(self, kind: Kind, data: object) -> None:
        """Put a message in line, unless it says the same as the last one of its kind."""
        if self._told.get(kind) != data:
            self._told[kind] = data
            self.say(kind, data)

    def end(self, ending: Ending) -> None:
        """End the stream with a last message; one that is too slow gets nothing else of what waits."""
        if self.ending is not None:
            return
        self.ending = ending
        if ending is SLOW_READER:
            self._waiting.clear()
        self._waiting.append(message("closed", {"reason": ending.reason, "detail": ending.detail}))
        self._wake.set()

    async def take(self) -> list[Message]:
        """Return what waits as soon as something does, or a heartbeat when nothing has for a while.

        Whoever takes has written what it took before.
        """
        self._busy_since = None
        silent_at = time.monotonic() + self._heartbeat_s
        while True:
            now = time.monotonic()
            if self._untold and now - self._dropped_at >= _DROPPED_TOLD_EVERY_S and self.ending is None:
                dropped, self._untold = self._untold, {}
                self._dropped_at = now
                self.say("dropped", {"over_rate": 0, "over_memory": 0, "missed": 0} | dropped)
            if self._waiting:
                taken = list(self._waiting)
                self._waiting.clear()
                self._waiting_bytes = 0
                self._wake.clear()
                self._busy_since = now
                return taken
            if now >= silent_at:
                return [message("heartbeat", {})]
            due = min(silent_at, self._dropped_at + _DROPPED_TOLD_EVERY_S) if self._untold else silent_at
            self._wake.clear()
            try:
                async with asyncio.timeout(max(0.0, due - now)):
                    await self._wake.wait()
            except TimeoutError:
                pass

    def _tell(self, told: Message) -> None:
        if self.ending is None:
            self._waiting.append(told)
            self._wake.set()

    def _drop(self, why: str, events: int) -> None:
        self._metrics.live_dropped.labels(why).inc(events)
        self._untold[why] = self._untold.get(why, 0) + events
        self._wake.set()
