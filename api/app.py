"""The read API's application."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp

from api import openapi, parameters
from api.accounts import factor_routes as second_factors
from api.accounts import routes as accounts
from api.annotations import routes as annotations
from api.audit import routes as audit
from api.bodies import BodyLimitMiddleware
from api.catalogue import routes as catalogue
from api.cohorts import routes as cohorts
from api.dashboards import routes as dashboards
from api.exports import routes as exports
from api.federation import routes as federation
from api.folders import routes as folders
from api.health import routes as health
from api.insights import routes as insights
from api.keys import routes as keys
from api.live import routes as live
from api.mail import routes as mail
from api.metrics import Metrics, MetricsMiddleware
from api.organisations import routes as organisations
from api.pages.headers import SecurityHeadersMiddleware
from api.pages.routes import add_pages
from api.projects import routes as projects
from api.providers import routes as providers
from api.queries import named_routes as named_queries
from api.queries import routes as queries
from api.resources import open_resources
from api.roles import routes as roles
from api.saved import routes as saved
from api.saved_insights import routes as saved_insights
from api.settings import ApiSettings
from api.sharing import routes as sharing
from api.sql import routes as sql
from core import problem

# They are tried in this order, 0.2 ms for all of them: what is asked most comes first. `include_router` would make each
# anew for every application, 10 ms a route, when the first request looks for it.
_ROUTES = [
    parameters.close(route)
    for domain in (
        insights,
        named_queries,
        queries,
        sql,
        exports,
        projects,
        live,
        accounts,
        second_factors,
        federation,
        organisations,
        providers,
        roles,
        audit,
        keys,
        saved,
        saved_insights,
        cohorts,
        dashboards,
        annotations,
        folders,
        catalogue,
        sharing,
        health,
    )
    for route in domain.router.routes
]
_MAIL_ROUTES = [parameters.close(route) for route in mail.router.routes]


class _Api(FastAPI):
    """Puts headers and metrics around everything, the answer to an unexpected error included."""

    metrics: Metrics

    def build_middleware_stack(self) -> ASGIApp:
        """Return the whole application as Starlette serves it."""
        return MetricsMiddleware(SecurityHeadersMiddleware(super().build_middleware_stack()), self.metrics)


def create_app(settings: ApiSettings) -> FastAPI:
    """Return the application: the API under `/v1`, its documentation under `/docs`, the page at `/`."""
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        held = open_resources(settings, metrics)
        app.state.resources = held
        try:
            yield
        finally:
            await held.close()

    app = _Api(
        title="RadixInsight read API",
        version=version("radixinsight"),
        lifespan=lifespan,
        routes=_ROUTES,
        docs_url=None,
        redoc_url=None,
    )
    app.metrics = metrics
    problem.install(app)
    if settings.show_mails:
        app.router.routes.extend(_MAIL_ROUTES)
    add_pages(app, settings.pages_dir)
    app.openapi = partial(openapi.document, app)
    app.add_middleware(BodyLimitMiddleware, most=settings.max_body_bytes)
    # An answer of 75 kB takes 0.7 ms and is a tenth larger than at the highest level, which takes 2.8 ms.
    app.add_middleware(GZipMiddleware, minimum_size=1024, compresslevel=4)
    return app
