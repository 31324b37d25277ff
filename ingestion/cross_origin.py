"""What browsers ask for before a script may talk to another site (CORS)."""

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from ingestion.request_ids import HEADER

_PREFLIGHT_S = 24 * 3600


def cross_origin(app: ASGIApp) -> CORSMiddleware:
    """Wrap an ASGI application so that scripts of any page may use it.

    Trackers run on any page. Nothing here looks at cookies, so that any origin may be answered; some trackers insist on
    sending theirs, which browsers allow only to an origin that is named.
    """
    return CORSMiddleware(
        app,
        allow_origin_regex=".*",
        allow_credentials=True,
        allow_methods=["GET", "POST"],
        allow_headers=["*"],
        # Scripts are not shown these unless they are told that they may look.
        expose_headers=["Retry-After", HEADER],
        max_age=_PREFLIGHT_S,
    )
