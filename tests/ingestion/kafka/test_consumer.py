import os
import time
from collections.abc import Callable
from contextlib import ExitStack

import msgspec
import pytest

from core.events import LandedEvent, Reject
from ingestion.kafka.chunks import cut
from ingestion.shipper.errors import RefusedError, UnreachableError
from ingestion.shipper.landing import Landing
from ingestion.shipper.shipment import read
from ingestion.spool.records import Kind, frame
from tests.ingestion.harness import free_port, landed_events
from tests.ingestion.kafka.brokers import MockBrokers
from tests.ingestion.kafka.conftest import Member, Stream
from tests.ingestion.rows import filled
from tests.ingestion.yard import Yard

FAILURES = "radixinsight_consumer_inserts_failed_total"
POISON = {"sequence": "not a number"}


def ship(yard: Yard, stream: Stream, *message_ids: str, **poison: object) -> None:
    """Ship one segment with these events; those whose id begins with "bad" are what ClickHouse refuses."""
    yard.put(yard.record(*(yard.line(name, **(poison if name.startswith("bad") else {})) for name in message_ids)))
    assert yard.shipper_to(stream.way).ship_available() == 1


def wait(condition: Callable[[], bool], seconds: float = 90) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def records_done(member: Member, count: int) -> Callable[[], bool]:
    """Return whether a member is done with so many records."""
    return lambda: member.count("records_landed") >= count


def test_what_the_shipper_writes_lands(yard: Yard, stream: Stream) -> None:
    ship(yard, stream, "a", "b")
    ship(yard, stream, "c")
    with stream.landing(yard.landing) as member:
        wait(records_done(member, 2))
    assert yard.landed() == ["a", "b", "c"]


def test_rows_of_either_table_land_as_they_were_with_every_member_set(yard: Yard, stream: Stream) -> None:
    reject = filled(Reject, project_id=yard.project_id, message_id="r", batch_id=yard.batch_id)
    line = msgspec.json.encode(reject) + b"\n"
    yard.put(yard.record(yard.line("a")) + frame(Kind.REJECTS, 1, line) + line)
    assert yard.shipper_to(stream.way).ship_available() == 1
    with stream.landing(yard.landing) as member:
        wait(records_done(member, 2))
        assert member.count("records_unreadable") == 0
    (row,) = landed_events(yard.client, yard.project_id)
    expected = filled(LandedEvent)
    assert (row["schema_version"], row["schema_deviations"]) == (expected.schema_version, expected.schema_deviations)
    assert [name for _, name, _ in yard.rejected()] == ["r"]


def test_a_segment_that_is_shipped_twice_lands_once(yard: Yard, stream: Stream) -> None:
    """As when a shipper is killed between the brokers' confirmation and the segment's deletion."""
    segment, batch_id = yard.record(yard.line("a"), yard.line("b")), yard.batch_id
    for _ in range(2):
        yard.put(segment, batch_id)
        assert yard.shipper_to(stream.destination()).ship_available() == 1
    with stream.landing(yard.landing) as member:
        wait(records_done(member, 2))
        assert member.count("rows_known") == 2
    assert yard.landed() == ["a", "b"]


def test_a_topic_that_is_read_from_its_start_again_lands_once(
    yard: Yard, stream: Stream, make_landing: Callable[[], Landing], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when ClickHouse has forgotten its tokens by then: what is there is counted."""
    ship(yard, stream, "a", "b")
    with stream.landing(yard.landing) as member:
        wait(records_done(member, 1))
    forgetful = make_landing()
    insert = forgetful.insert

    def forget(kind: Kind, lines: bytes, token: str) -> None:
        insert(kind, lines, f"{token}-{os.urandom(4).hex()}")

    monkeypatch.setattr(forgetful, "insert", forget)
    with stream.landing(forgetful, group="another") as member:
        wait(records_done(member, 1))
    assert yard.landed() == ["a", "b"]


def test_poison_rows_are_isolated_and_all_others_land(yard: Yard, stream: Stream) -> None:
    ship(yard, stream, "a", "bad1", "b", "c", "bad2", **POISON)
    with stream.landing(yard.landing) as member:
        wait(records_done(member, 1))
    assert yard.landed() == ["a", "b", "c"]
    assert [(reason, name) for reason, name, _ in yard.rejected()] == [
        ("refused_by_warehouse", "bad1"),
        ("refused_by_warehouse", "bad2"),
    ]


def test_poison_that_comes_again_on_another_machine_is_neither_landed_nor_rejected_twice(
    yard: Yard, stream: Stream, make_landing: Callable[[], Landing]
) -> None:
    ship(yard, stream, "a", "bad", "b", **POISON)
    for number, landing in enumerate((yard.landing, make_landing())):
        with stream.landing(landing, group=f"group{number}", directory=f"machine{number}") as member:
            wait(records_done(member, 1))
    assert (yard.landed(), len(yard.rejected())) == (["a", "b"], 1)


def test_a_split_that_was_cut_off_is_finished_on_another_machine(
    yard: Yard, stream: Stream, make_landing: Callable[[], Landing], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"m{index}" for index in range(7)]
    ship(yard, stream, *names, "bad", **POISON)
    insert = yard.landing.insert

    def fail_in_the_middle(kind: Kind, lines: bytes, token: str) -> None:
        if token.endswith(":4-6"):
            raise UnreachableError("gone")
        insert(kind, lines, token)

    monkeypatch.setattr(yard.landing, "insert", fail_in_the_middle)
    with stream.landing(yard.landing, directory="one"):
        wait(lambda: yard.landed() == names[:4])
    with stream.landing(make_landing(), directory="other") as member:
        wait(records_done(member, 1))
    assert yard.landed() == names
    assert [name for _, name, _ in yard.rejected()] == ["bad"]


def test_while_clickhouse_is_away_records_wait_on_the_topic(
    yard: Yard, stream: Stream, make_landing: Callable[[], Landing]
) -> None:
    ship(yard, stream, "a")
    away = Landing(f"http://u:p@127.0.0.1:{free_port()}/", timeout_s=1)
    with stream.landing(away) as member:
        wait(lambda: member.metrics.registry.get_sample_value(FAILURES, {"code": "0"}) == 3)
        assert member.count("records_landed") == 0
    with stream.landing(make_landing()) as member:
        wait(records_done(member, 1))
    assert yard.landed() == ["a"]


def test_clickhouse_that_comes_back_gets_what_its_member_held_meanwhile(
    yard: Yard, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(12):
        ship(yard, stream, f"m{number:02}")

    def fail(*_: object, **__: object) -> None:
        raise UnreachableError("gone")

    with monkeypatch.context() as patched:
        patched.setattr(yard.landing, "count", fail)
        with stream.landing(yard.landing) as member:
            time.sleep(2)
            assert member.count("records_landed") == 0
            patched.undo()
            wait(records_done(member, 12))
    assert yard.landed() == [f"m{number:02}" for number in range(12)]


def test_a_record_that_cannot_pass_holds_up_its_own_partition_only(
    yard: Yard, stream: Stream, brokers: MockBrokers, monkeypatch: pytest.MonkeyPatch
) -> None:
    brokers.make_topic(stream.settings().topic("events"), 8)
    for number in range(20):
        ship(yard, stream, f"m{number:02}")
    insert = yard.landing.insert

    def refuse(kind: Kind, lines: bytes, token: str) -> None:
        if b'"m00"' in lines:
            raise RefusedError("a reason that nobody thought of")
        insert(kind, lines, token)

    with monkeypatch.context() as patched:
        patched.setattr(yard.landing, "insert", refuse)
        with stream.landing(yard.landing) as member:
            wait(lambda: len(yard.landed()) >= 10)
            assert "m00" not in yard.landed()
            patched.undo()
            wait(records_done(member, 20))
    assert (yard.landed(), yard.rejected()) == ([f"m{number:02}" for number in range(20)], [])


def test_a_record_of_somebody_else_is_kept_on_disk_and_passed_over(yard: Yard, stream: Stream) -> None:
    stream.put(b"not ours", headers={"format": "2"})
    ship(yard, stream, "a")
    with stream.landing(yard.landing) as member:
        wait(lambda: yard.landed() == ["a"] and member.count("records_unreadable") == 1)
    (kept,) = (stream.root / "damaged").iterdir()
    assert kept.read_bytes() == b"not ours"


def test_rows_that_clickhouse_only_says_it_has_are_inserted_again(
    yard: Yard, stream: Stream, make_landing: Callable[[], Landing]
) -> None:
    """A server that is killed between an insert's token and its rows ignores the rows when they come again."""
    segment, batch_id = yard.record(yard.line("a")), yard.batch_id
    (lines,) = read(segment, may_be_torn=False).lines.values()
    (chunk,) = cut(batch_id, Kind.EVENTS, lines, 10_000)
    yard.landing.insert(Kind.EVENTS, chunk.lines, chunk.identifier)
    parameters = {"batch_id": chunk.identifier}
    yard.client.command("delete from raw.events where batch_id = {batch_id:String}", parameters=parameters)
    yard.put(segment, batch_id)
    assert yard.shipper_to(stream.destination()).ship_available() == 1
    with stream.landing(make_landing()) as member:
        wait(records_done(member, 1))
        assert member.count("rows_repeated") == 1
    assert yard.landed() == ["a"]


def test_members_that_come_and_go_share_the_work_and_lose_and_double_nothing(
    yard: Yard, stream: Stream, make_landing: Callable[[], Landing]
) -> None:
    names: list[str] = []
    members: list[Member] = []

    def ship_one_more_until(condition: Callable[[], bool]) -> Callable[[], bool]:
        def is_done() -> bool:
            names.append(f"m{len(names):05}")
            ship(yard, stream, names[-1])
            return condition()

        return is_done

    with ExitStack() as stack:
        members.extend(stack.enter_context(stream.landing(make_landing())) for _ in range(2))
        with stream.landing(make_landing()) as guest:
            members.append(guest)
            wait(ship_one_more_until(lambda: all(member.count("records_landed") > 0 for member in members)))
        # Of the partitions that the guest gave back, one has a record by now.
        begun = len(names)
        wait(ship_one_more_until(lambda: len(names) > begun + 20))
        wait(lambda: len(yard.landed()) >= len(names))
    assert yard.landed() == names


def test_records_that_the_brokers_deleted_before_they_were_read_are_told_of(
    yard: Yard, stream: Stream, brokers: MockBrokers
) -> None:
    topic = stream.settings().topic("events")
    brokers.make_topic(topic, 1)
    ship(yard, stream, "a")
    with stream.landing(yard.landing) as member:
        wait(records_done(member, 1))
    # The mock keeps the last 5 MB of a partition.
    for _ in range(8):
        stream.put(os.urandom(1_000_000 - 1000))
    ship(yard, stream, "z")
    with stream.landing(yard.landing) as member:
        wait(lambda: yard.landed() == ["a", "z"])
        assert member.count("records_gone") + member.count("records_unreadable") == 8
        assert member.count("records_gone") > 0
