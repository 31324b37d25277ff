"""`python -m ingestion`: runs the collector."""

import uvicorn

from core.logging import configure
from ingestion.app import create_app
from ingestion.http_protocol import bounded
from ingestion.importing.routes import is_upload
from ingestion.settings import CollectorSettings


def main() -> None:
    """Serve until SIGTERM or SIGINT; then answer what was begun, seal the spool and end."""
    settings = CollectorSettings()  # pyright: ignore[reportCallIssue] - the fields come from the environment
    configure("collector", settings)
    uvicorn.run(
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


if __name__ == "__main__":
    main()
