"""The shipper's own small HTTP interface: /healthz, /readyz, /metrics."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from ingestion.shipper.landing import Landing
from ingestion.shipper.metrics import ShipperMetrics

_logger = structlog.get_logger()


class StatusServer:
    """Answers in threads of its own. A port that is taken (a second shipper) is logged, and shipping goes on."""

    def __init__(self, address: tuple[str, int], landing: Landing, metrics: ShipperMetrics) -> None:
        handler = type("Handler", (_Handler,), {"landing": landing, "metrics": metrics})
        self._server: ThreadingHTTPServer | None = None
        try:
            self._server = ThreadingHTTPServer(address, handler)
        except OSError as error:
            _logger.warning("status_port_taken", address=f"{address[0]}:{address[1]}", error=str(error))
            return
        threading.Thread(target=self._server.serve_forever, name="status", daemon=True).start()

    def close(self) -> None:
        """Stop answering."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    landing: ClassVar[Landing]
    metrics: ClassVar[ShipperMetrics]
    protocol_version = "HTTP/1.1"
    timeout = 10

    def do_GET(self) -> None:
        """Answer a look at the shipper's state."""
        match self.path:
            case "/healthz":
                self._answer(200, "application/json", json.dumps({"status": "alive"}).encode())
            case "/readyz":
                is_ready = self.landing.is_reachable()
                status = "ready" if is_ready else "ClickHouse does not answer"
                self._answer(200 if is_ready else 503, "application/json", json.dumps({"status": status}).encode())
            case "/metrics":
                self._answer(200, CONTENT_TYPE_LATEST, generate_latest(self.metrics.registry))
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
