"""Sends events to the collector over HTTP, a few connections at a time."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http import HTTPStatus

import httpx
import msgspec

from runtime.demo.dataset import DemoData, DemoEvent
from runtime.errors import OperationError

_CONNECTIONS = 4
_SMALL_BATCH = 100
_LARGE_BATCH = 1000
_LARGE_FROM_ROWS = 200_000
_ATTEMPTS = 20
_PAUSE_S = 0.5
# The collector's ways to say "later": full, restarting, behind a proxy that can't reach it.
_LATER = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE}


class Sender:
    """Posts batches to one collector under one write key, and tries again while it is away or full."""

    def __init__(self, collector_url: str, write_key: str, *, connections: int = _CONNECTIONS) -> None:
        self._url = f"{collector_url}/v1/batch"
        self._client = httpx.AsyncClient(
            auth=(write_key, ""),
            timeout=30,
            limits=httpx.Limits(max_connections=connections),
            headers={"Content-Type": "application/json"},
            trust_env=False,
        )

    async def send(self, events: list[DemoEvent]) -> None:
        """Return when the collector has acknowledged the batch; it may be sent more than once until then.

        Raises OperationError when it refuses the batch or stays away.
        """
        body = msgspec.json.encode({"batch": events, "sentAt": datetime.now(UTC)})
        trouble = ""
        for attempt in range(_ATTEMPTS):
            try:
                response = await self._client.post(self._url, content=body)
            except httpx.TransportError as error:
                trouble = repr(error)
            else:
                if response.status_code == HTTPStatus.OK:
                    return
                trouble = f"{response.status_code} {response.text}"
                if response.status_code not in _LATER:
                    break
            await asyncio.sleep(_PAUSE_S * min(attempt + 1, 4))
        raise OperationError(f"The collector at {self._url} did not take a batch: {trouble}")

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


async def replay(data: DemoData, collector_url: str, write_key: str, *, sent: Callable[[int], None]) -> None:
    """Send all of `data`; `sent` is called with the size of each acknowledged batch. Raises OperationError."""
    size = _LARGE_BATCH if len(data) >= _LARGE_FROM_ROWS else _SMALL_BATCH
    sender = Sender(collector_url, write_key)

    async def one_stream(stream: int) -> None:
        for batch in batches(data.events(stream, _CONNECTIONS), size):
            await sender.send(batch)
            sent(len(batch))

    failures: list[BaseException] = []
    try:
        async with asyncio.TaskGroup() as group:
            for stream in range(_CONNECTIONS):
                group.create_task(one_stream(stream))
    except* OperationError as errors:
        failures.extend(errors.exceptions)
    finally:
        await sender.close()
    # Not raised above: Python before 3.11.4 wraps whatever an `except*` raises into a group.
    if failures:
        raise failures[0]


def batches(events: Iterator[DemoEvent], size: int) -> Iterator[list[DemoEvent]]:
    """Cut a stream into batches of about `size`, never between two events of the same second.

    Within a request the order of events counts; between two requests only their times do.
    """
    batch: list[DemoEvent] = []
    for event in events:
        if len(batch) >= size and event.timestamp != batch[-1].timestamp:
            yield batch
            batch = []
        batch.append(event)
    if batch:
        yield batch
