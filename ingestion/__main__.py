"""`python -m ingestion`: runs the collector."""

import contextlib
import socket
import sys

import structlog
import uvicorn

from core.logging import configure
from ingestion.app import create_app
from ingestion.http_protocol import bounded
from ingestion.importing.routes import is_upload
from ingestion.settings import CollectorSettings

_FAILED_TO_START = 3


def main() -> None:
    """Serve until SIGTERM or SIGINT; then answer what was begun, seal the spool and end."""
    settings = CollectorSettings.read()
    configure("collector", settings)
    config = uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.listen_port,
        http=bounded(
            max_head_bytes=settings.max_head_bytes,
            head_timeout_s=settings.head_timeout_s,
            body_timeout_s=settings.body_timeout_s,
            may_last=is_upload,
        ),
        ws="none",
        timeout_keep_alive=settings.keep_alive_s,
        log_config=None,
        access_log=False,
        server_header=False,
        forwarded_allow_ips=settings.trusted_proxies,
        limit_concurrency=settings.max_connections,
        timeout_graceful_shutdown=10,
    )
    try:
        sockets = _sockets(settings)
    except OSError as error:
        structlog.get_logger().error("port_not_opened", error=str(error))
        sys.exit(_FAILED_TO_START)
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets)


def _sockets(settings: CollectorSettings) -> list[socket.socket] | None:
    """Bind the port that is shared and the one that is not; None leaves the only one to uvicorn.

    Linux spreads connections over all processes that listen on a shared port, which uvicorn does once it can answer.
    """
    if settings.own_port is None:
        return None
    sockets: list[socket.socket] = []
    for port in (settings.listen_port, settings.own_port):
        bound = socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if port == settings.listen_port:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind((settings.host, port))
        sockets.append(bound)
    return sockets


if __name__ == "__main__":
    main()
