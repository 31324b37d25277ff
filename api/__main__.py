"""`python -m api` serves the read API and the page."""

import uvicorn

from api.app import create_app
from api.settings import ApiSettings
from core import logging


def main() -> None:
    """Serve until a signal ends it; running requests are finished first."""
    settings = ApiSettings.read()
    logging.configure("api", settings)
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=3,
    )


if __name__ == "__main__":
    main()
