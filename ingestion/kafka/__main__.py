"""`python -m ingestion.kafka`: lands what the shippers wrote to Kafka, until SIGTERM or SIGINT."""

import structlog
from confluent_kafka import Consumer

from core.logging import configure
from ingestion.kafka.chunks import TABLES
from ingestion.kafka.client import LOGGER, Brokers, configuration
from ingestion.kafka.consumer import DEFAULTS, FIXED, Lander
from ingestion.kafka.metrics import ConsumerMetrics
from ingestion.kafka.settings import ConsumerSettings
from ingestion.shipper.landing import Landing
from ingestion.shipper.status import StatusServer
from ingestion.stopping import stop_on_signals


def main() -> None:
    """Land until told to stop; the record in hand is finished first."""
    settings = ConsumerSettings.read()
    configure("consumer", settings)
    stop = stop_on_signals()
    url = settings.clickhouse_url.get_secret_value()
    metrics = ConsumerMetrics()
    # Connections of their own: a look at /readyz must not wait for an insert.
    asked, brokers = Landing(url, timeout_s=5), Brokers(settings)
    status = StatusServer(
        (settings.host, settings.listen_port), lambda: asked.trouble() or brokers.trouble(), metrics.registry
    )
    client = Consumer(
        configuration(settings, defaults=DEFAULTS, fixed=FIXED | {"group.id": settings.group}), logger=LOGGER
    )
    lander = Lander(
        *(client, Landing(url, timeout_s=settings.insert_timeout_s), metrics),
        *(settings.data_dir / "consumer", settings.damaged_dir),
        max_backoff_s=settings.max_backoff_s,
    )
    topics = [settings.topic(table) for table in TABLES.values()]
    structlog.get_logger().info("landing", brokers=settings.brokers, topics=topics, group=settings.group)
    lander.run(topics, stop)
    status.close()


if __name__ == "__main__":
    main()
