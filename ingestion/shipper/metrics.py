"""What the shipper, and whoever else lands rows, counts for Prometheus."""

import time
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from ingestion.spool.directory import usage


class LandingMetrics:
    """Counters of inserts into ClickHouse, in a registry of their own."""

    def __init__(self, prefix: str) -> None:
        self.registry = CollectorRegistry()
        self.rows = Counter(
            f"{prefix}rows_shipped", "Rows that ClickHouse has, or the brokers.", ["table"], registry=self.registry
        )
        self.failures = Counter(
            f"{prefix}inserts_failed",
            "Inserts, and counts of their rows, that failed, by ClickHouse's error code; 0 when it did not answer.",
            ["code"],
            registry=self.registry,
        )
        self.refused_rows = Counter(
            f"{prefix}rows_refused",
            "Rows that ClickHouse refused and that went to the rejects.",
            registry=self.registry,
        )
        self.repeated_rows = Counter(
            f"{prefix}rows_repeated",
            "Rows that ClickHouse did not have although it had said so, and that were inserted again.",
            registry=self.registry,
        )
        self.insert_seconds = Histogram(f"{prefix}insert_seconds", "Duration of inserts.", registry=self.registry)


class ShipperMetrics(LandingMetrics):
    """The shipper's own, beside those of its inserts."""

    def __init__(self, spool: Path) -> None:
        prefix = "radixinsight_shipper_"
        super().__init__(prefix)
        self.segments = Counter(f"{prefix}segments_shipped", "Segments done.", registry=self.registry)
        self.damaged_bytes = Counter(
            f"{prefix}damaged_bytes", "Bytes of segments that could not be read.", registry=self.registry
        )
        self.records_failed = Counter(
            f"{prefix}records_failed",
            "Kafka records that the brokers did not take, by the error's name.",
            ["code"],
            registry=self.registry,
        )
        self.withheld_rows = Counter(
            f"{prefix}rows_withheld",
            "Rows too large for the brokers, which are kept on disk.",
            registry=self.registry,
        )
        self.pages = Counter(
            f"{prefix}ledger_pages_reported",
            "Segments of which ClickHouse knows what was acknowledged.",
            registry=self.registry,
        )
        waiting = Gauge(f"{prefix}waiting_bytes", "Bytes in the spool of all collectors.", registry=self.registry)
        waiting.set_function(lambda: usage(spool).size)
        oldest = Gauge(
            f"{prefix}oldest_unshipped_age_seconds",
            "Age of the oldest segment that is not delivered; 0 when there is none.",
            registry=self.registry,
        )
        oldest.set_function(lambda: _age(spool))


def _age(spool: Path) -> float:
    oldest_at = usage(spool).oldest_at
    return 0.0 if oldest_at is None else max(0.0, time.time() - oldest_at)
