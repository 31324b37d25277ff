"""The small HTTP interface of a program without one: /healthz, /readyz, /metrics."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

_logger = structlog.get_logger()


class StatusServer:
    """Answers in threads of its own. A port that is taken (a second shipper) is logged, and its work goes on.

    `trouble` says why it is not ready, None when it is.
    """

    def __init__(
        self, address: tuple[str, int], trouble: Callable[[], str | None], registry: CollectorRegistry
    ) -> None:
        self._server: _Server | None = None
        try:
            self._server = _Server(address, trouble, registry)
        except OSError as error:
            _logger.warning("status_port_taken", address=f"{address[0]}:{address[1]}", error=str(error))
            return
        threading.Thread(target=self._server.serve_forever, name="status", daemon=True).start()

    def close(self) -> None:
        """Stop answering."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()


class _Server(ThreadingHTTPServer):
    def __init__(
        self, address: tuple[str, int], trouble: Callable[[], str | None], registry: CollectorRegistry
    ) -> None:
        self.trouble = trouble
        self.registry = registry
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 10

    def do_GET(self) -> None:
        """Answer a look at the program's state."""
        assert isinstance(self.server, _Server)  # noqa: S101 - which made this handler
        match self.path:
            case "/healthz":
                self._answer(200, "application/json", json.dumps({"status": "alive"}).encode())
            case "/readyz":
                trouble = self.server.trouble()
                status = trouble or "ready"
                self._answer(503 if trouble else 200, "application/json", json.dumps({"status": status}).encode())
            case "/metrics":
                self._answer(200, CONTENT_TYPE_LATEST, generate_latest(self.server.registry))
            case _:
                self._answer(404, "application/json", json.dumps({"status": "unknown path"}).encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        _logger.debug("status_request", line=format % args)

    def _answer(self, status: int, media_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
