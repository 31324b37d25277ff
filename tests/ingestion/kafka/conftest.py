"""Brokers for the tests of a worker, and topics for each test."""

import os
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import pytest
from clickhouse_connect.driver.client import Client
from confluent_kafka import Consumer, Producer, TopicPartition

from ingestion.kafka.chunks import TABLES, Chunk, parse
from ingestion.kafka.client import configuration
from ingestion.kafka.consumer import DEFAULTS, FIXED, Lander
from ingestion.kafka.metrics import ConsumerMetrics
from ingestion.kafka.producer import Kafka
from ingestion.kafka.settings import KafkaProducerSettings
from ingestion.shipper.landing import Landing
from ingestion.shipper.metrics import ShipperMetrics
from runtime.instance import Instance
from runtime.project_keys import ProjectKeys
from tests.ingestion.kafka.brokers import MockBrokers
from tests.ingestion.yard import Yard

# A member that was killed is missed sooner than by default.
QUICK = {"session.timeout.ms": 2000, "heartbeat.interval.ms": 300, "auto.commit.interval.ms": 100}


@pytest.fixture(scope="session")
def brokers() -> Generator[MockBrokers]:
    """Return brokers that stay up."""
    brokers = MockBrokers()
    yield brokers
    brokers.close()


@pytest.fixture
def fragile_brokers() -> Generator[MockBrokers]:
    """Return brokers of a test's own."""
    brokers = MockBrokers()
    yield brokers
    brokers.close()


@dataclass
class Stream:
    """Topics of a test's own, with programs at both ends that run in this process."""

    addresses: str
    root: Path
    prefix: str = field(default_factory=lambda: f"test-{os.urandom(6).hex()}")

    def settings(self, **more: Any) -> KafkaProducerSettings:
        """Return settings of a shipper that does not wait long for its brokers."""
        given: dict[str, Any] = {"brokers": self.addresses, "topic_prefix": self.prefix, "timeout_s": 2}
        return KafkaProducerSettings.model_validate(given | more)

    def destination(self, metrics: ShipperMetrics | None = None, **more: Any) -> Kafka:
        """Return the shipper's way here."""
        metrics = metrics or ShipperMetrics(self.root / "spool")
        return Kafka(self.settings(**more), self.root / "damaged", metrics, lambda: False)

    def put(self, value: bytes, headers: Any = None) -> None:
        """Write a record that may be anything."""
        producer = Producer({"bootstrap.servers": self.addresses})
        producer.produce(self.settings().topic("events"), value, headers=headers)
        assert producer.flush(10) == 0

    def chunks(self, count: int) -> list[Chunk]:
        """Return the first `count` chunks that lie here, of all topics, by segment and name."""
        client = Consumer({"bootstrap.servers": self.addresses, "group.id": "none: every partition is read"})
        known = client.list_topics(timeout=10).topics
        client.assign(
            [
                TopicPartition(topic, partition, 0)
                for topic in self.topics
                if topic in known
                for partition in known[topic].partitions
            ]
        )
        found: list[Chunk] = []
        while len(found) < count:
            message = client.poll(30)
            assert message is not None, f"only {len(found)} records came"
            headers = message.headers()
            if isinstance(headers, list):
                found.append(parse(headers, message.value()))
        client.close()
        return sorted(found, key=lambda chunk: (chunk.segment, chunk.name))

    @cached_property
    def way(self) -> Kafka:
        """The way here of a shipper that runs all the time."""
        return self.destination()

    @property
    def topics(self) -> list[str]:
        """The topics' names."""
        return [self.settings().topic(table) for table in TABLES.values()]

    def landing(self, landing: Landing, **more: Any) -> "Member":
        """Return a member of the consumer group that runs as long as its `with` block."""
        return Member(self, landing, **more)


@dataclass
class Member:
    """A consumer in a thread."""

    stream: Stream
    landing: Landing
    group: str = "landing"
    directory: str = "consumer"
    properties: dict[str, Any] = field(default_factory=dict[str, Any])
    metrics: ConsumerMetrics = field(default_factory=ConsumerMetrics)

    def __enter__(self) -> Self:
        fixed = FIXED | {"group.id": self.group}
        defaults = DEFAULTS | QUICK | self.properties
        self._stop = threading.Event()
        lander = Lander(
            *(Consumer(configuration(self.stream.settings(), defaults=defaults, fixed=fixed)), self.landing),
            *(self.metrics, self.stream.root / self.directory, self.stream.root / "damaged"),
            max_backoff_s=0.1,
        )
        self._thread = threading.Thread(target=lander.run, args=(self.stream.topics, self._stop))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive()

    def count(self, name: str) -> float:
        """Return one of its counters, of records or rows."""
        return self.metrics.registry.get_sample_value(f"radixinsight_consumer_{name}_total") or 0


@pytest.fixture
def stream(brokers: MockBrokers, tmp_path: Path) -> Stream:
    """Return a stream without a record, on brokers that stay up."""
    return Stream(brokers.addresses, tmp_path)


@pytest.fixture
def yard(tmp_path: Path, runtime: Instance, client: Client, project: ProjectKeys) -> Generator[Yard]:
    """Return an empty yard; its landing is for the consumer."""
    landing = Landing(runtime.clickhouse_url, timeout_s=30)
    yield Yard(tmp_path, landing, client, project.id)
    landing.close()


@pytest.fixture
def make_landing(runtime: Instance) -> Callable[[], Landing]:
    """Return a maker of landings: each consumer has one of its own."""
    return lambda: Landing(runtime.clickhouse_url, timeout_s=30)
