"""`python -m ingestion.shipper`: carries the spool into ClickHouse, or to Kafka, until SIGTERM or SIGINT."""

from collections.abc import Callable
from functools import partial
from threading import Event, Thread

import structlog

from core.logging import configure
from core.settings import WarehouseSettings
from ingestion.kafka.settings import KafkaProducerSettings
from ingestion.settings import ShipperSettings
from ingestion.shipper.destination import Accounted, ClickHouse, Destination
from ingestion.shipper.landing import Landing
from ingestion.shipper.ledger import LedgerReport, note_found, report_found
from ingestion.shipper.metrics import ShipperMetrics
from ingestion.shipper.shipper import Shipper
from ingestion.shipper.status import StatusServer
from ingestion.shipper.watch import WarehouseWatch
from ingestion.stopping import stop_on_signals


def main() -> None:
    """Ship until told to stop; the segment in hand is finished first."""
    settings = ShipperSettings.read()
    configure("shipper", settings)
    stop = stop_on_signals()
    metrics = ShipperMetrics(settings.spool_dir)
    kafka = KafkaProducerSettings.read()
    destination, trouble = (
        _to_kafka(settings, kafka, metrics, stop) if kafka.brokers else _to_clickhouse(settings, metrics)
    )
    reports: Landing | None = None
    if settings.clickhouse_url is not None:
        url = settings.clickhouse_url.get_secret_value()
        _watch(url, metrics, stop, interval_s=settings.watch_interval_s)
        reports = Landing(url, timeout_s=settings.insert_timeout_s)
        # By way of the ledger, ClickHouse's troubles neither hold up what goes to Kafka nor repeat it.
        account = partial(note_found, settings.ledger_dir) if kafka.brokers else partial(report_found, reports)
        destination = Accounted(destination, account)
    status = StatusServer((settings.host, settings.listen_port), trouble, metrics.registry)
    shipper = Shipper(
        settings.spool_dir, settings.damaged_dir, destination, metrics, max_backoff_s=settings.max_backoff_s
    )
    ledger = LedgerReport(
        settings.spool_dir,
        settings.ledger_dir,
        settings.damaged_dir,
        reports,
        metrics,
        interval_s=settings.ledger_interval_s,
    )
    structlog.get_logger().info("shipping", spool=str(settings.spool_dir), brokers=kafka.brokers)
    if kafka.brokers:
        # ClickHouse may hang while the brokers are there, and the other way round.
        report = partial(ledger.run, stop, poll_interval_s=settings.poll_interval_s)
        Thread(target=report, name="ledger", daemon=True).start()
    shipper.run(stop, None if kafka.brokers else ledger, poll_interval_s=settings.poll_interval_s)
    status.close()
    if reports is not None and not kafka.brokers:  # else the ledger's thread has them, and closes them
        reports.close()


def _watch(url: str, metrics: ShipperMetrics, stop: Event, *, interval_s: float) -> None:
    watch = WarehouseWatch(url)
    metrics.registry.register(watch)
    Thread(target=partial(watch.run, stop, interval_s=interval_s), name="watch", daemon=True).start()


def _to_clickhouse(settings: ShipperSettings, metrics: ShipperMetrics) -> tuple[Destination, Callable[[], str | None]]:
    url = WarehouseSettings.read().clickhouse_url.get_secret_value()
    # Connections of their own: a look at /readyz must not wait for an insert.
    return ClickHouse(Landing(url, timeout_s=settings.insert_timeout_s), metrics), Landing(url, timeout_s=5).trouble


def _to_kafka(
    settings: ShipperSettings, kafka: KafkaProducerSettings, metrics: ShipperMetrics, stop: Event
) -> tuple[Destination, Callable[[], str | None]]:
    # Here, because whoever ships to ClickHouse need not have librdkafka.
    from ingestion.kafka.client import Brokers  # noqa: PLC0415
    from ingestion.kafka.producer import Kafka  # noqa: PLC0415

    return Kafka(kafka, settings.damaged_dir, metrics, stop.is_set), Brokers(kafka).trouble


if __name__ == "__main__":
    main()
