"""The whole line as processes of their own, with brokers between shipper and ClickHouse."""

import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from ingestion.spool.directory import usage
from runtime.instance import Instance
from runtime.project_keys import ProjectKeys
from tests.ingestion.harness import Line, Program, Sender, landed_events
from tests.ingestion.kafka.brokers import MockBrokers
from tests.ingestion.kafka.conftest import QUICK
from tests.ingestion.storm import Load, storm, verify

pytestmark = pytest.mark.slow


@dataclass
class LongLine:
    """Collector, shipper and consumer."""

    line: Line
    consumer: Program

    def wait_until_landed(self, client: Client, project: ProjectKeys, message_ids: set[str]) -> None:
        """Wait until these events are in ClickHouse, and nothing more comes."""
        deadline = time.monotonic() + 120
        landed: list[str] = []
        while time.monotonic() < deadline:
            before, landed = landed, [row["message_id"] for row in landed_events(client, project.id)]
            if message_ids <= set(landed) and landed == before:
                return
            time.sleep(0.5)
        raise AssertionError(f"{len(message_ids - set(landed))} did not land:\n{self.consumer.log.read_text()[-2000:]}")


@pytest.fixture
def long_line(runtime: Instance, fragile_brokers: MockBrokers, tmp_path: Path) -> Generator[LongLine]:
    """Return a running line whose parts may be killed; offsets are committed late, so that records come again."""
    properties = tmp_path / "kafka.properties"
    quick = QUICK | {"auto.commit.interval.ms": 60_000}
    properties.write_text("".join(f"{name}={value}\n" for name, value in quick.items()))
    kafka = {
        "RADIXINSIGHT_KAFKA_BROKERS": fragile_brokers.addresses,
        "RADIXINSIGHT_KAFKA_PROPERTIES_FILE": str(properties),
        "RADIXINSIGHT_CONSUMER_MAX_BACKOFF_S": "0.5",
        "RADIXINSIGHT_DATA_DIR": str(tmp_path),
    }
    line = Line(runtime.variables, tmp_path, RADIXINSIGHT_SHIPPER_KAFKA_TIMEOUT_S="2", **kafka)
    consumer = Program("ingestion.kafka", tmp_path / "consumer.log", runtime.variables | kafka)
    try:
        for program in (line.collector, line.shipper, consumer):
            program.start()
        yield LongLine(line, consumer)
    finally:
        line.stop()
        consumer.stop()


def test_a_consumer_that_is_killed_before_it_commits_lands_nothing_twice(
    long_line: LongLine, project: ProjectKeys, client: Client
) -> None:
    sender = Sender(long_line.line.collector.url, project.write_key)
    sent = {f"m{index}" for index in range(50)}
    assert sender.batch(*({"messageId": message_id} for message_id in sent)).status_code == 200
    long_line.wait_until_landed(client, project, sent)
    long_line.consumer.kill()
    long_line.consumer.start()
    deadline = time.monotonic() + 120
    while long_line.consumer.metrics()["radixinsight_consumer_rows_known_total"] < len(sent):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert len(landed_events(client, project.id)) == len(sent)


@pytest.mark.parametrize("victim", ["shipper", "consumer"])
def test_a_part_that_is_killed_under_load_loses_and_doubles_nothing(
    long_line: LongLine, project: ProjectKeys, client: Client, victim: str
) -> None:
    program = long_line.consumer if victim == "consumer" else long_line.line.shipper
    load = storm(long_line.line, program, project)
    long_line.wait_until_landed(client, project, load.acknowledged)
    verify(client, project, load)


def test_brokers_that_go_away_under_load_lose_and_double_nothing(
    long_line: LongLine, fragile_brokers: MockBrokers, project: ProjectKeys, client: Client
) -> None:
    load = Load(Sender(long_line.line.collector.url, project.write_key))
    time.sleep(1)
    fragile_brokers.go_away()
    time.sleep(3)
    assert usage(long_line.line.data_dir / "spool").segments > 0
    fragile_brokers.come_back()
    time.sleep(1)
    load.stop()
    long_line.line.wait_until_shipped()
    long_line.wait_until_landed(client, project, load.acknowledged)
    verify(client, project, load)
