"""The API's Prometheus metrics, one registry per application."""

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """Counters and histograms; no label carries a project, a key or anything a caller wrote."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "radixinsight_api_requests",
            "Requests by route, method and status.",
            ["route", "method", "status"],
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            "radixinsight_api_request_seconds",
            "Time to answer, by route.",
            ["route"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.results = Counter(
            "radixinsight_api_results",
            "Answers by where they came from: memory, stale (from memory, and being made anew), cache or clickhouse.",
            ["source"],
            registry=self.registry,
        )
        self.query_seconds = Histogram(
            "radixinsight_api_query_seconds",
            "Time of one insight query in ClickHouse, waiting for a free slot included.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.queries = Gauge(
            "radixinsight_api_queries",
            "Queries of projects at this moment: running in ClickHouse, or waiting for a free place.",
            ["state"],
            registry=self.registry,
        )
        self.breakers = Gauge(
            "radixinsight_api_breaker_open",
            "1 while an engine is away and not asked: clickhouse, postgresql or valkey.",
            ["engine"],
            registry=self.registry,
        )
        self.live_readers = Gauge(
            "radixinsight_api_live_readers",
            "Open live streams, by kind: sse or websocket.",
            ["kind"],
            registry=self.registry,
        )
        self.live_received = Counter(
            "radixinsight_api_live_events_received", "Events that came in for live streams.", registry=self.registry
        )
        self.live_shown = Counter(
            "radixinsight_api_live_events_shown", "Events put on live streams, once for each.", registry=self.registry
        )
        self.live_dropped = Counter(
            "radixinsight_api_live_events_dropped",
            "Events left out of a live stream, once for each: over_rate, over_memory, or missed on the way.",
            ["reason"],
            registry=self.registry,
        )
        self.live_endings = Counter(
            "radixinsight_api_live_streams_ended",
            "Live streams that ended, by reason; disconnected: by the reader.",
            ["reason"],
            registry=self.registry,
        )
        self.live_is_reached = Gauge(
            "radixinsight_api_live_is_reached",
            "0 while live events cannot come in because Valkey is away.",
            registry=self.registry,
        )

    def exposition(self) -> bytes:
        """Return every metric in Prometheus' text format."""
        return generate_latest(self.registry)


class MetricsMiddleware:
    """Counts and times every request under its route's template, so that paths cannot multiply series."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, observed)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            self._metrics.requests.labels(route=route, method=scope["method"], status=str(status)).inc()
            self._metrics.request_seconds.labels(route=route).observe(time.perf_counter() - started)
