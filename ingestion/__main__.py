"""`python -m ingestion`: runs the collector."""

import socket
import sys

import uvicorn

from core.logging import configure
from ingestion.app import create_app
from ingestion.http_protocol import bounded
from ingestion.importing.routes import is_upload
from ingestion.settings import CollectorSettings

_BACKLOG = 2048
_FAILED_TO_START = 3


def main() -> None:
    """Serve until SIGTERM or SIGINT; then answer what was begun, seal the spool and end."""
    settings = CollectorSettings()  # pyright: ignore[reportCallIssue] - the fields come from the environment
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
    server = uvicorn.Server(config)
    server.run(_sockets(settings))
    if not server.started:
        sys.exit(_FAILED_TO_START)


def _sockets(settings: CollectorSettings) -> list[socket.socket] | None:
    """Open the port that is shared and the one that is not; None leaves the only one to uvicorn.

    Linux spreads connections over all processes that listen on a shared port.
    """
    if settings.own_port is None:
        return None
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    return [
        socket.create_server((settings.host, port), family=family, backlog=_BACKLOG, reuse_port=is_shared)
        for port, is_shared in ((settings.listen_port, True), (settings.own_port, False))
    ]


if __name__ == "__main__":
    main()
