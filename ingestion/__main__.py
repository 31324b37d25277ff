"""`python -m ingestion`: runs the collector."""

import contextlib
import sys

import structlog
import uvicorn

from core.listening import shared_and_own
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
        own_port = settings.own_port
        sockets = None if own_port is None else shared_and_own(settings.host, settings.listen_port, own_port)
    except OSError as error:
        structlog.get_logger().error("port_not_opened", error=str(error))
        sys.exit(_FAILED_TO_START)
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets)


if __name__ == "__main__":
    main()
