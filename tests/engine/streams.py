"""Readers of live streams, and what collectors publish for them."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import msgspec
from msgspec import Raw
from redis.asyncio import Redis

from core.events import LandedEvent
from core.live import Header, channel_of, pack


@dataclass(frozen=True)
class Said:
    """One message of a stream."""

    kind: str
    data: Any
    id: str = ""


@dataclass
class EventStreamReader:
    """An open event stream."""

    response: httpx.Response
    lines: Any = None
    seen: list[Said] = field(default_factory=list[Said])

    async def next(self, *kinds: str, timeout_s: float = 5) -> Said:
        """Return the next message of one of these kinds; of any, if none is named."""
        self.lines = self.lines or self.response.aiter_lines()
        async with asyncio.timeout(timeout_s):
            while True:
                said = await self._read()
                self.seen.append(said)
                if not kinds or said.kind in kinds:
                    return said

    async def is_silent(self, kind: str, seconds: float) -> bool:
        """Say whether no message of a kind comes for a while."""
        try:
            await self.next(kind, timeout_s=seconds)
        except TimeoutError:
            return True
        return False

    async def has_ended(self, timeout_s: float = 5) -> bool:
        """Say whether nothing else comes."""
        try:
            await self.next(timeout_s=timeout_s)
        except StopAsyncIteration:
            return True
        return False

    async def _read(self) -> Said:
        fields: dict[str, str] = {}
        while line := await anext(self.lines):
            name, _, value = line.partition(": ")
            fields[name] = value
        return Said(fields["event"], json.loads(fields["data"]), fields.get("id", ""))


@asynccontextmanager
async def event_stream(
    url: str, project_id: int, api_key: str, *, last_event_id: str | None = None, **query: Any
) -> AsyncGenerator[EventStreamReader]:
    """Open an event stream."""
    headers = {"authorization": f"Bearer {api_key}"} | ({"last-event-id": last_event_id} if last_event_id else {})
    async with (
        httpx.AsyncClient(base_url=url, timeout=30) as client,
        client.stream("GET", f"/v1/projects/{project_id}/live/events", params=query, headers=headers) as response,
    ):
        assert response.status_code == 200, await response.aread()
        yield EventStreamReader(response)


def landed(project_id: int, message_id: str, **members: Any) -> LandedEvent:
    """Return an event, a track of `buy` unless it says otherwise; objects are given as JSON."""
    objects = {
        name: Raw(value.encode()) for name, value in members.items() if name in {"properties", "traits", "context"}
    }
    now = time.time()
    common = {"type": "track", "event": "buy", "timestamp": now, "received_at": now, "protocol": "segment"}
    given: dict[str, Any] = common | members | objects
    return LandedEvent(project_id=project_id, message_id=message_id, write_key_id=1, batch_id="b", **given)


class Publisher:
    """Publishes as one collector does."""

    def __init__(self, url: str, collector: str = "c0") -> None:
        self.redis = Redis.from_url(url)
        self.collector = collector
        self.before = 100

    async def publish(self, project_id: int, *events: LandedEvent, left_out: int = 0) -> None:
        """Publish events of a project after leaving some out."""
        self.before += left_out
        publication = pack(Header(self.collector, self.before), [msgspec.json.encode(event) for event in events])
        self.before += len(events)
        await self.redis.publish(channel_of(project_id), publication)
