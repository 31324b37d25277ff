import msgspec
import pytest

from ingestion.kafka.producer import Kafka
from ingestion.shipper.metrics import ShipperMetrics
from ingestion.spool.records import Kind
from tests.ingestion.kafka.brokers import MockBrokers
from tests.ingestion.kafka.conftest import Stream
from tests.ingestion.yard import Yard

TOO_LARGE, UNAUTHORIZED = 10, 29


@pytest.fixture
def fragile(fragile_brokers: MockBrokers, stream: Stream) -> Stream:
    """Return a stream on brokers that may be broken."""
    return Stream(fragile_brokers.addresses, stream.root)


def message_ids(lines: bytes) -> list[str]:
    """Return the message ids of a chunk's rows."""
    return [msgspec.json.decode(line)["message_id"] for line in lines.splitlines()]


def test_a_segment_is_deleted_when_all_its_rows_are_on_the_topic(yard: Yard, stream: Stream) -> None:
    segment = yard.batch_id
    path = yard.put(yard.record(*(yard.line(f"m{index}") for index in range(10))))
    assert yard.shipper_to(stream.destination(record_max_bytes=3 * len(yard.line("m0")))).ship_available() == 1
    assert not path.exists()
    chunks = stream.chunks(4)
    assert [(chunk.segment, chunk.name) for chunk in chunks] == [
        (segment, f"events.{first}-{min(first + 3, 10)}") for first in (0, 3, 6, 9)
    ]
    assert [name for chunk in chunks for name in message_ids(chunk.lines)] == [f"m{index}" for index in range(10)]


def test_while_the_brokers_are_away_segments_stay_in_the_spool(
    yard: Yard, fragile: Stream, fragile_brokers: MockBrokers
) -> None:
    path = yard.put(yard.record(yard.line("a")))
    metrics = ShipperMetrics(yard.spool)
    shipper = yard.shipper_to(fragile.destination(metrics), metrics=metrics)
    fragile_brokers.go_away()
    assert [shipper.ship_available() for _ in range(2)] == [0, 0]
    assert path.exists()
    assert metrics.registry.get_sample_value("radixinsight_shipper_records_failed_total", {"code": "_MSG_TIMED_OUT"})
    fragile_brokers.come_back()
    while not shipper.ship_available():
        pass
    assert message_ids(fragile.chunks(1)[0].lines) == ["a"]


def test_brokers_that_were_never_there_do_not_end_the_shipper(yard: Yard, stream: Stream) -> None:
    nowhere = Stream("127.0.0.1:1", stream.root)
    path = yard.put(yard.record(yard.line("a")))
    assert yard.shipper_to(nowhere.destination(timeout_s=0.5)).ship_available() == 0
    assert path.exists()


def test_a_record_that_is_too_large_for_the_brokers_is_halved(
    yard: Yard, fragile: Stream, fragile_brokers: MockBrokers
) -> None:
    fragile_brokers.refuse_records(TOO_LARGE, 0, TOO_LARGE)
    yard.put(yard.record(*(yard.line(f"m{index}") for index in range(8))))
    assert yard.shipper_to(fragile.destination()).ship_available() == 1
    chunks = fragile.chunks(3)
    # Which of the halves the second refusal meets is the brokers' own affair.
    assert sorted(chunk.rows for chunk in chunks) == [2, 2, 4]
    assert sorted(name for chunk in chunks for name in message_ids(chunk.lines)) == [f"m{index}" for index in range(8)]


def test_a_row_that_alone_is_too_large_is_kept_on_disk_and_told_of(
    yard: Yard, fragile: Stream, fragile_brokers: MockBrokers
) -> None:
    fragile_brokers.refuse_records(TOO_LARGE)
    segment = yard.batch_id
    path = yard.put(yard.record(yard.line("huge")))
    assert yard.shipper_to(fragile.destination()).ship_available() == 1
    assert not path.exists()
    (chunk,) = fragile.chunks(1)
    reject = msgspec.json.decode(chunk.lines)
    assert (chunk.kind, reject["reason"], reject["message_id"]) == (Kind.REJECTS, "refused_by_brokers", "huge")
    kept = yard.root / "damaged" / f"{segment}.events.0-1.jsonl"
    assert message_ids(kept.read_bytes()) == ["huge"]


def test_a_row_that_librdkafka_itself_finds_too_large_is_kept_too(yard: Yard, stream: Stream) -> None:
    properties = yard.root / "kafka.properties"
    properties.write_text("# a comment\n\nmessage.max.bytes = 2000\n")
    yard.put(yard.record(yard.line("a"), yard.line("huge", properties="x" * 4000), yard.line("b")))
    assert yard.shipper_to(stream.destination(properties_file=properties)).ship_available() == 1
    rows = [name for chunk in stream.chunks(3) for name in message_ids(chunk.lines)]
    assert sorted(rows) == ["a", "b", "huge"]
    assert len(list((yard.root / "damaged").iterdir())) == 1


def test_what_the_brokers_confirmed_is_not_sent_again_when_the_rest_is(
    yard: Yard, fragile: Stream, fragile_brokers: MockBrokers
) -> None:
    fragile_brokers.refuse_records(0, UNAUTHORIZED)
    path = yard.put(yard.record(yard.line("a"), yard.line("b"), yard.line("c")))
    shipper = yard.shipper_to(fragile.destination(record_max_bytes=1))
    assert shipper.ship_available() == 0
    assert path.exists()
    while not shipper.ship_available():
        pass
    yard.put(yard.record(yard.line("z")))
    assert shipper.ship_available() == 1
    sent = [message_ids(chunk.lines) for chunk in fragile.chunks(4)]
    assert sorted(sent) == [["a"], ["b"], ["c"], ["z"]]


def test_a_shipper_that_is_told_to_stop_does_not_wait_for_brokers_that_are_away(yard: Yard, stream: Stream) -> None:
    settings = Stream("127.0.0.1:1", stream.root).settings(timeout_s=600)
    stopping = iter([False, False, True])
    destination = Kafka(settings, yard.root / "damaged", ShipperMetrics(yard.spool), lambda: next(stopping, True))
    path = yard.put(yard.record(yard.line("a")))
    assert yard.shipper_to(destination).ship_available() == 0
    assert path.exists()
