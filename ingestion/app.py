"""The collector's application."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from core import metadata, problem, tasks
from core.enrichment.geography import Geography
from ingestion import openapi, operation
from ingestion.canary import Canaries
from ingestion.collection import EventRoutes
from ingestion.cross_origin import cross_origin
from ingestion.endpoints import endpoints
from ingestion.importing import routes
from ingestion.importing.receiving import Receiving
from ingestion.importing.uploads import Uploads
from ingestion.live import LivePublisher
from ingestion.metrics import CollectorMetrics
from ingestion.prefixes import EVERY_PROTOCOL
from ingestion.protocols import posthog_answers, segment_answers
from ingestion.rates.senders import SenderRates
from ingestion.reading import Reading
from ingestion.settings import CollectorSettings
from ingestion.spool.bounds import SpoolBounds
from ingestion.spool.writer import SpoolWriter
from ingestion.state import CollectorState
from ingestion.wire import Endpoint
from ingestion.write_keys import WriteKeys


class _Collector(FastAPI):
    """The application; requests with events never come to the framework."""

    _events: EventRoutes

    def serve_events(self, event_endpoints: Mapping[str, Endpoint]) -> None:
        """Serve these paths, without the framework."""
        self._events = EventRoutes(super().__call__, event_endpoints, lambda: self.state.collector)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._events(scope, receive, send)


def create_app(settings: CollectorSettings) -> FastAPI:
    """Return the collector as an ASGI application; it opens the spool and PostgreSQL when it starts."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        engine = metadata.connect_async(settings.database_url.get_secret_value(), pool_size=1)
        writer = SpoolWriter(
            settings.spool_dir,
            settings.ledger_dir,
            segment_max_bytes=settings.segment_max_bytes,
            segment_max_age_s=settings.segment_max_age_s,
        )
        bounds = SpoolBounds(
            settings.spool_dir,
            max_bytes=settings.spool_max_bytes,
            min_free_bytes=settings.spool_min_free_bytes,
            max_pending_bytes=settings.max_pending_bytes,
        )
        rates = SenderRates(settings)
        metrics = CollectorMetrics()
        live = _live(settings, metrics, bounds)
        state = CollectorState(
            settings,
            settings.limits,
            metrics,
            WriteKeys(engine),
            writer,
            bounds,
            Reading(settings.max_reading_bytes),
            rates,
            Receiving(Uploads(settings.imports_dir), settings),
            Geography.open_or_embedded(settings.geo_database),
            live,
        )
        state.metrics.show_spool(bounds)
        state.metrics.show_schemas(state.write_keys)
        app.state.collector = state
        await state.write_keys.refresh()
        watchers = [asyncio.create_task(state.write_keys.watch()), asyncio.create_task(bounds.watch())]
        if rates.sharing is not None:
            state.metrics.show_sharing(rates.sharing)
            watchers.append(asyncio.create_task(rates.sharing.run()))
        if live is not None:
            metrics.show_live(lambda: live.projects)
            watchers.append(asyncio.create_task(live.run()))
        if settings.canary_interval_s:
            canaries = Canaries(settings, state.write_keys, state.metrics)
            watchers.append(asyncio.create_task(canaries.run()))
        try:
            yield
        finally:
            await tasks.end(watchers)
            await writer.close()
            await engine.dispose()

    app = _Collector(
        title="RadixInsight collector",
        version="1",
        description=openapi.DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
    )
    app.include_router(operation.router)
    prefixes = settings.prefixes
    app.include_router(routes.router)
    for prefix in [*prefixes.of(EVERY_PROTOCOL), *prefixes.of("posthog")]:
        app.include_router(posthog_answers.router, prefix=prefix)
    for prefix in [*prefixes.of(EVERY_PROTOCOL), *prefixes.of("segment"), *prefixes.of("rudderstack")]:
        app.include_router(segment_answers.router, prefix=prefix)
    problem.install(app)
    app.add_middleware(cross_origin)
    app.serve_events(endpoints(prefixes))
    openapi.install(app)
    return app


def _live(settings: CollectorSettings, metrics: CollectorMetrics, bounds: SpoolBounds) -> LivePublisher | None:
    if settings.redis_url is None or not settings.live_events_per_second:
        return None
    return LivePublisher(
        settings.redis_url.get_secret_value(),
        metrics,
        events_per_second=settings.live_events_per_second,
        oldest_unshipped_s=lambda: bounds.oldest_age_s,
    )
