"""Writes a stream out as fast as it is read, over either transport, and ends it cleanly or by force."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from api.live.messages import Message
from api.live.reader import NOTHING_TO_SAY, SLOW_READER, Reader
from api.live.service import LiveStreams
from api.serving import abort
from core.tasks import end

_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    # nginx would gather the answer before it passes it on.
    (b"x-accel-buffering", b"no"),
]


class EventStream(Response):
    """A stream as `text/event-stream`."""

    media_type = "text/event-stream"

    def __init__(self, live: LiveStreams, reader: Reader) -> None:
        super().__init__()
        self._live = live
        self._reader = reader

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve until either side ends it."""

        async def write(messages: list[Message]) -> None:
            body = b"".join(message.as_event_stream() for message in messages)
            await send({"type": "http.response.body", "body": body, "more_body": True})

        async def watch() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": _HEADERS})
            if await _serve(self._live, self._reader, write, watch):
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            elif self._reader.ending is SLOW_READER:
                await abort(scope)
        finally:
            self._live.leave(self._reader, "sse")


async def serve_socket(live: LiveStreams, reader: Reader, websocket: WebSocket) -> None:
    """Serve a stream over a WebSocket, a text with a JSON object each, until either side ends it."""

    async def write(messages: list[Message]) -> None:
        for message in messages:
            await websocket.send_text(message.as_text())

    async def watch() -> None:
        if (await websocket.receive())["type"] != "websocket.disconnect":
            reader.end(NOTHING_TO_SAY)
            await asyncio.Event().wait()

    try:
        await websocket.accept()
        if await _serve(live, reader, write, watch):
            ending = reader.ending
            if ending is not None and websocket.application_state is WebSocketState.CONNECTED:
                await websocket.close(ending.close_code, ending.reason)
        elif reader.ending is SLOW_READER:
            await abort(websocket.scope)
    except WebSocketDisconnect:
        pass
    finally:
        live.leave(reader, "websocket")


async def _serve(
    live: LiveStreams,
    reader: Reader,
    write: Callable[[list[Message]], Awaitable[None]],
    watch: Callable[[], Awaitable[None]],
) -> bool:
    """Write what the reader gets until its last message is out; False where the other side was gone before."""
    writing = asyncio.create_task(_write(live, reader, write))
    watching: asyncio.Task[Any] = asyncio.ensure_future(watch())
    both = {writing, watching}
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        return writing.done() and writing.result()
    finally:
        await end(both)


async def _write(live: LiveStreams, reader: Reader, write: Callable[[list[Message]], Awaitable[None]]) -> bool:
    while True:
        messages = await reader.take()
        try:
            async with asyncio.timeout(live.settings.live_send_seconds):
                await write(messages)
        except TimeoutError:
            reader.end(SLOW_READER)
            return False
        if messages[-1].kind == "closed":
            return True
