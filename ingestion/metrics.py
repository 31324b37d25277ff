"""What the collector counts, for Prometheus."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from ingestion.intake import Outcome
from ingestion.rates.sharing import Sharing
from ingestion.spool.bounds import SpoolBounds
from ingestion.write_keys import WriteKeys


class CollectorMetrics:
    """The collector's counters and gauges, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        prefix = "radixinsight_collector_"
        self.accepted = Counter(f"{prefix}events_accepted", "Events made durable.", registry=self.registry)
        self.rejected = Counter(
            f"{prefix}events_rejected", "Events made durable as rejects.", ["reason"], registry=self.registry
        )
        self.deviating = Counter(
            f"{prefix}events_deviating",
            "Events made durable that do not fit their schema, where schemas only warn.",
            registry=self.registry,
        )
        self.broken_schemas = Gauge(
            f"{prefix}schemas_broken",
            "Event schemas in force that cannot be read; their events are not judged.",
            registry=self.registry,
        )
        self.repeated = Counter(
            f"{prefix}events_repeated",
            "Accepted events whose message id was among the latest 100,000: a client sent them again.",
            registry=self.registry,
        )
        self.live_published = Counter(
            f"{prefix}live_events_published", "Events published to those who listen.", registry=self.registry
        )
        self.live_missed = Counter(
            f"{prefix}live_events_missed",
            "Events that somebody listened for and that were not published: over the rate, over the memory for what "
            "waits, or not taken by Valkey.",
            ["reason"],
            registry=self.registry,
        )
        self.canaries_sent = Counter(f"{prefix}canaries_sent", "Canaries that were taken.", registry=self.registry)
        self.canaries_failed = Counter(
            f"{prefix}canaries_failed", "Canaries that were refused or not answered.", registry=self.registry
        )
        self.refused = Counter(
            f"{prefix}requests_refused", "Requests answered with an error.", ["code"], registry=self.registry
        )
        self.acknowledgement = Histogram(
            f"{prefix}acknowledgement_seconds",
            "From a request's headers to its answer, fsync included.",
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
            registry=self.registry,
        )
        self.spooled_bytes = Counter(f"{prefix}spooled_bytes", "Bytes appended to the spool.", registry=self.registry)
        self.spool_bytes = Gauge(
            "radixinsight_spool_bytes", "Bytes in the spool of all collectors.", registry=self.registry
        )
        self.spool_segments = Gauge(
            "radixinsight_spool_segments", "Segments in the spool of all collectors.", registry=self.registry
        )
        self.oldest_unshipped_age = Gauge(
            "radixinsight_spool_oldest_unshipped_age_seconds",
            "Age of the oldest segment that ClickHouse does not have; 0 when there is none.",
            registry=self.registry,
        )

    def show_sharing(self, sharing: Sharing) -> None:
        """Add a gauge that shows whether Valkey answers."""
        gauge = Gauge(
            "radixinsight_collector_rates_shared",
            "1 when rates are shared with other collectors, 0 while Valkey is away and each has the whole rate.",
            registry=self.registry,
        )
        gauge.set_function(lambda: float(sharing.is_reached))

    def show_live(self, projects: Callable[[], int]) -> None:
        """Add a gauge that shows how many projects somebody listens to."""
        gauge = Gauge(
            "radixinsight_collector_live_projects", "Projects that somebody listens to.", registry=self.registry
        )
        gauge.set_function(projects)

    def count(self, outcome: Outcome, seconds: float) -> None:
        """Count a request that was taken, and how long that took."""
        self.accepted.inc(outcome.accepted)
        self.deviating.inc(outcome.deviating)
        self.spooled_bytes.inc(outcome.size)
        self.acknowledgement.observe(seconds)
        for rejection in outcome.rejected:
            self.rejected.labels(rejection.reason).inc()

    def show_schemas(self, write_keys: WriteKeys) -> None:
        """Let the gauge show what `write_keys` found."""
        self.broken_schemas.set_function(lambda: write_keys.broken_schemas)

    def show_spool(self, bounds: SpoolBounds) -> None:
        """Let the gauges show what `bounds` measures."""
        self.spool_bytes.set_function(lambda: bounds.usage.size)
        self.spool_segments.set_function(lambda: bounds.usage.segments)
        self.oldest_unshipped_age.set_function(lambda: bounds.oldest_age_s)
