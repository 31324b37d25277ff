"""`python -m api` serves the read API and the page."""

from api.app import create_app
from api.resources import Resources
from api.serving import make_server, serve
from api.settings import ApiSettings
from core import logging


def main() -> None:
    """Serve until a signal ends it; running requests are finished first."""
    settings = ApiSettings.read()
    logging.configure("api", settings)
    app = create_app(settings)

    def end_streams() -> None:
        held: Resources = app.state.resources
        held.live.end_all()

    serve(
        make_server(
            app, settings.host, settings.port, before_stop=end_streams, trusted_proxies=settings.trusted_proxies
        ),
        settings.own_port,
    )


if __name__ == "__main__":
    main()
