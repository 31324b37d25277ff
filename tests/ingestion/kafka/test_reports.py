"""What ClickHouse is told of segments that go to Kafka."""

import socket
import time
from collections.abc import Generator
from functools import partial
from pathlib import Path

import pytest

from ingestion.shipper.destination import Accounted
from ingestion.shipper.landing import Landing
from ingestion.shipper.ledger import LedgerReport, note_found
from ingestion.shipper.metrics import ShipperMetrics
from ingestion.spool.directory import ADOPTED, usage, writers
from runtime.instance import Instance
from tests.ingestion.harness import Program, free_port
from tests.ingestion.kafka.conftest import Stream
from tests.ingestion.yard import Yard


def report(yard: Yard, landing: Landing) -> LedgerReport:
    """Return a report that is always due."""
    return LedgerReport(
        *(yard.spool, yard.root / "ledger", yard.root / "damaged", landing, ShipperMetrics(yard.spool)), interval_s=0
    )


def test_what_a_dead_collector_left_is_delivered_once_and_told_of_when_clickhouse_is_back(
    yard: Yard, stream: Stream
) -> None:
    segment = yard.batch_id
    path = yard.put(yard.record(yard.line("a"), yard.line("b")), suffix=ADOPTED)
    shipper = yard.shipper_to(Accounted(stream.destination(), partial(note_found, yard.root / "ledger")))
    away = Landing(f"http://u:p@127.0.0.1:{free_port()}/", timeout_s=1)
    assert (shipper.ship_available(), path.exists()) == (1, False)
    waiting = report(yard, away)
    assert [waiting.report_due() for _ in range(2)] == [0, 0]
    assert stream.chunks(1)[0].segment == segment
    back = report(yard, yard.landing)
    assert [back.report_due() for _ in range(3)] == [0, 1, 0]
    sql = """
        select source, events, rejects, ledger_id, page, is_in_spool from raw.acknowledged
        where project_id = {project_id:UInt32} and batch_id = {batch_id:String}
    """
    parameters = {"project_id": yard.project_id, "batch_id": segment}
    assert yard.client.query(sql, parameters=parameters).result_rows == [("shipper", 2, 0, "", 0, 0)]
    assert writers(yard.root / "ledger") == []


def test_a_ledger_that_cannot_be_written_holds_up_no_delivery(yard: Yard, stream: Stream) -> None:
    (yard.root / "ledger").write_text("no directory")
    path = yard.put(yard.record(yard.line("a")), suffix=ADOPTED)
    shipper = yard.shipper_to(Accounted(stream.destination(), partial(note_found, yard.root / "ledger")))
    assert (shipper.ship_available(), path.exists()) == (1, False)


@pytest.fixture
def silence() -> Generator[str]:
    """Return the address of a ClickHouse that takes connections and never says a word."""
    listener = socket.create_server(("127.0.0.1", 0))
    with listener:
        yield f"http://u:p@127.0.0.1:{listener.getsockname()[1]}/"


def test_a_clickhouse_that_hangs_does_not_hold_up_what_goes_to_kafka(
    yard: Yard, stream: Stream, runtime: Instance, silence: str, tmp_path: Path
) -> None:
    for number in range(3):
        yard.put(yard.record(yard.line(f"m{number}")), suffix=ADOPTED)
    shipper = Program(
        "ingestion.shipper",
        tmp_path / "shipper.log",
        runtime.variables
        | {
            "CLICKHOUSE_URL": silence,
            "RADIXINSIGHT_DATA_DIR": str(yard.root),
            "RADIXINSIGHT_KAFKA_BROKERS": stream.addresses,
            "RADIXINSIGHT_KAFKA_TOPIC_PREFIX": stream.prefix,
            "RADIXINSIGHT_SHIPPER_LEDGER_INTERVAL_S": "0.1",
        },
    )
    shipper.start()
    try:
        deadline = time.monotonic() + 60
        while usage(yard.spool).segments:
            assert time.monotonic() < deadline, shipper.log.read_text()[-2000:]
            time.sleep(0.05)
        # By now the reports of these hang.
        time.sleep(1)
        yard.put(yard.record(yard.line("late")))
        while usage(yard.spool).segments:
            assert time.monotonic() < deadline, shipper.log.read_text()[-2000:]
            time.sleep(0.05)
    finally:
        shipper.stop()
