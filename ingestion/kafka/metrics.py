"""What the consumer counts, for Prometheus."""

from prometheus_client import Counter, Gauge

from ingestion.shipper.metrics import LandingMetrics


class ConsumerMetrics(LandingMetrics):
    """The consumer's own, beside those of its inserts."""

    def __init__(self) -> None:
        prefix = "radixinsight_consumer_"
        super().__init__(prefix)
        self.records = Counter(f"{prefix}records_landed", "Records done.", registry=self.registry)
        self.known_rows = Counter(
            f"{prefix}rows_known",
            "Rows that came again and were in ClickHouse before.",
            registry=self.registry,
        )
        self.unreadable_records = Counter(
            f"{prefix}records_unreadable",
            "Records that are none of ours, or damaged, and were kept on disk.",
            registry=self.registry,
        )
        self.gone_records = Counter(
            f"{prefix}records_gone",
            "Records that the brokers had deleted before they were read.",
            registry=self.registry,
        )
        self.lag = Gauge(
            f"{prefix}lag_records",
            "Records on a partition that are not landed, as of its last record.",
            ["topic", "partition"],
            registry=self.registry,
        )
        self.age = Gauge(
            f"{prefix}record_age_seconds",
            "Age of the last record that landed, when it landed.",
            registry=self.registry,
        )
