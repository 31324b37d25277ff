"""uvicorn, with a way to cut a connection of which nothing is read, and with streams that end when it stops."""

import asyncio
import contextlib
import logging
import socket
import sys
from collections.abc import Callable
from typing import Any

import structlog
import uvicorn
from starlette.types import ASGIApp, Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from core.listening import shared_and_own

_ABORT = "radixinsight.abort"
_FAILED_TO_START = 3


class AbortableHttp(HttpToolsProtocol):
    """One HTTP connection."""

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self.scope["extensions"] = {_ABORT: {"abort": self.transport.abort}}


class AbortableWebSocket(WebSocketsSansIOProtocol):
    """One WebSocket. uvicorn logs its whole address, in which there may be a ticket and ids of persons."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.logger = logging.getLogger("uvicorn.websocket")
        self.logger.setLevel(logging.WARNING)

    def handle_connect(self, event: Any) -> None:
        """Begin."""
        super().handle_connect(event)
        scope = getattr(self, "scope", None)
        if scope is not None:
            scope["extensions"][_ABORT] = {"abort": self.transport.abort}

    async def send(self, message: Any) -> None:
        """Send. A handshake that is refused with a problem document is complete, too, which uvicorn does not see."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body", False):
            self.handshake_complete = True


async def abort(scope: Scope) -> None:
    """Cut the connection of a request, with all that it has not read; does nothing under another server."""
    extension: dict[str, Callable[[], None]] | None = scope.get("extensions", {}).get(_ABORT)
    if extension is not None:
        extension["abort"]()
        # The server learns of it in the loop's next turn, and would take the answer for one that was forgotten.
        await asyncio.sleep(0.01)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, before_stop: Callable[[], None]) -> None:
        super().__init__(config)
        self._before_stop = before_stop

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Streams never end by themselves, and a WebSocket would be closed before it got its last message.
        self._before_stop()
        await asyncio.sleep(0.1)
        await super().shutdown(sockets)


def make_server(
    app: ASGIApp, host: str, port: int, *, before_stop: Callable[[], None], trusted_proxies: str = ""
) -> uvicorn.Server:
    """Return what serves `app`. When it is to stop, `before_stop` is called first, then requests are finished."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=AbortableHttp,
        ws=AbortableWebSocket,
        # Compression would take 40 KiB for each open WebSocket.
        ws_per_message_deflate=False,
        ws_max_size=4096,
        log_config=None,
        access_log=False,
        server_header=False,
        # uvicorn itself would believe whoever is on this machine.
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=trusted_proxies,
        timeout_graceful_shutdown=3,
    )
    return _Server(config, before_stop)


def serve(server: uvicorn.Server, own_port: int | None = None) -> None:
    """Serve until a signal ends it; with a port of its own, the other one may be shared."""
    config = server.config
    try:
        sockets = None if own_port is None else shared_and_own(config.host, config.port, own_port)
    except OSError as error:
        structlog.get_logger().error("port_not_opened", error=str(error))
        sys.exit(_FAILED_TO_START)
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets)
    if not server.started:
        sys.exit(_FAILED_TO_START)
