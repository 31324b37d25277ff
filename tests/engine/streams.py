"""Readers of live streams, and what collectors publish for them."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
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


class EventStreamReader:
    """An open event stream."""

    def __init__(self, response: httpx.Response) -> None:
        self.seen: list[Said] = []
        self._said: asyncio.Queue[Said | Exception] = asyncio.Queue()
        # A task of its own: a wait that is given up would end the stream.
        self.reading = asyncio.create_task(self._read(response))

    async def next(self, *kinds: str, timeout_s: float = 60) -> Said:
        """Return the next message of one of these kinds, of any if none is named; raise what the stream broke with."""
        async with asyncio.timeout(timeout_s):
            while True:
                said = await self._said.get()
                if isinstance(said, Exception):
                    raise said
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

    async def has_ended(self, timeout_s: float = 60) -> bool:
        """Say whether nothing else comes, and the answer is whole."""
        try:
            await self.next(timeout_s=timeout_s)
        except EOFError:
            return True
        return False

    async def _read(self, response: httpx.Response) -> None:
        fields: dict[str, str] = {}
        try:
            async for line in response.aiter_lines():
                if line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                else:
                    said = Said(fields["event"], json.loads(fields["data"]), fields.get("id", ""))
                    await self._said.put(said)
                    fields = {}
        except httpx.HTTPError as error:
            await self._said.put(error)
        else:
            await self._said.put(EOFError())


@asynccontextmanager
async def event_stream(
    url: str, project_id: int, api_key: str, *, last_event_id: str | None = None, **query: Any
) -> AsyncGenerator[EventStreamReader]:
    """Open an event stream."""
    headers = {"authorization": f"Bearer {api_key}"} | ({"last-event-id": last_event_id} if last_event_id else {})
    async with (
        httpx.AsyncClient(base_url=url, timeout=60) as client,
        client.stream("GET", f"/v1/projects/{project_id}/live/events", params=query, headers=headers) as response,
    ):
        assert response.status_code == 200, await response.aread()
        reader = EventStreamReader(response)
        try:
            yield reader
        finally:
            reader.reading.cancel()
            await asyncio.gather(reader.reading, return_exceptions=True)


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
