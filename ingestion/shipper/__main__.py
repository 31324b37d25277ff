"""`python -m ingestion.shipper`: carries the spool into ClickHouse until SIGTERM or SIGINT."""

import signal
from functools import partial
from threading import Event, Thread
from types import FrameType

import structlog

from core.logging import configure
from ingestion.settings import ShipperSettings
from ingestion.shipper.landing import Landing
from ingestion.shipper.ledger import LedgerReport
from ingestion.shipper.metrics import ShipperMetrics
from ingestion.shipper.shipper import Shipper
from ingestion.shipper.status import StatusServer
from ingestion.shipper.watch import WarehouseWatch


def main() -> None:
    """Ship until told to stop; the segment in hand is finished first."""
    settings = ShipperSettings()  # pyright: ignore[reportCallIssue] - the fields come from the environment
    configure("shipper", settings)
    stop = Event()

    def stop_soon(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop_soon)
    url = settings.clickhouse_url.get_secret_value()
    metrics = ShipperMetrics(settings.spool_dir)
    # Connections of their own: a look at /readyz must not wait for an insert.
    status = StatusServer((settings.host, settings.listen_port), Landing(url, timeout_s=5), metrics)
    watch = WarehouseWatch(url)
    metrics.registry.register(watch)
    watching = partial(watch.run, stop, interval_s=settings.watch_interval_s)
    Thread(target=watching, name="watch", daemon=True).start()
    landing = Landing(url, timeout_s=settings.insert_timeout_s)
    damaged = settings.data_dir / "damaged"
    shipper = Shipper(settings.spool_dir, damaged, landing, metrics, max_backoff_s=settings.max_backoff_s)
    ledger = LedgerReport(
        settings.spool_dir, settings.ledger_dir, damaged, landing, metrics, interval_s=settings.ledger_interval_s
    )
    structlog.get_logger().info("shipping", spool=str(settings.spool_dir))
    shipper.run(stop, ledger, poll_interval_s=settings.poll_interval_s)
    status.close()


if __name__ == "__main__":
    main()
