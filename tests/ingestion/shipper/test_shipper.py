import time
from collections.abc import Generator
from pathlib import Path
from threading import Thread

import pytest
from clickhouse_connect.driver.client import Client

from ingestion.shipper.errors import RefusedError, UnableError, UnreachableError
from ingestion.shipper.landing import Landing
from ingestion.shipper.ledger import LedgerReport
from ingestion.shipper.metrics import ShipperMetrics
from ingestion.spool.directory import ADOPTED, usage, writers
from ingestion.spool.ledger import Ledger, Tally
from ingestion.spool.records import HEADER_BYTES, Kind
from runtime.instance import Instance
from runtime.project_keys import ProjectKeys
from tests.ingestion.harness import free_port
from tests.ingestion.yard import Yard


@pytest.fixture
def yard(tmp_path: Path, runtime: Instance, client: Client, project: ProjectKeys) -> Generator[Yard]:
    """Return an empty yard before the embedded server."""
    landing = Landing(runtime.clickhouse_url, timeout_s=30)
    yield Yard(tmp_path, landing, client, project.id)
    landing.close()


def test_a_segment_lands_and_leaves_nothing_behind(yard: Yard) -> None:
    yard.put(yard.record(yard.line("a"), yard.line("b")) + yard.record(yard.line("c")))
    assert yard.ship() == 1
    assert yard.landed() == ["a", "b", "c"]
    yard.ship()
    assert writers(yard.spool) == []


def test_a_segment_that_is_sent_again_lands_once(yard: Yard) -> None:
    segment, batch_id = yard.record(yard.line("a"), yard.line("b")), yard.batch_id
    for _ in range(3):
        yard.put(segment, batch_id)
        assert yard.ship() == 1
    assert yard.landed() == ["a", "b"]


def test_equal_segments_of_different_batches_both_land(yard: Yard) -> None:
    for _ in range(2):
        yard.put(yard.record(yard.line("a")))
    assert yard.ship() == 2
    assert yard.landed() == ["a", "a"]


POISON = {"sequence": "not a number"}


@pytest.mark.parametrize("positions", [[0], [6], [0, 3, 6], list(range(7))])
def test_poison_rows_are_isolated_and_all_others_land(yard: Yard, positions: list[int]) -> None:
    lines = [yard.line(f"m{index}", **(POISON if index in positions else {})) for index in range(7)]
    yard.put(yard.record(*lines))
    assert yard.ship() == 1
    assert yard.landed() == [f"m{index}" for index in range(7) if index not in positions]
    expected = [("refused_by_warehouse", f"m{index}", lines[index].rstrip()) for index in positions]
    assert yard.rejected() == expected


def test_a_split_that_was_cut_off_is_finished_without_doubling(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    segment = yard.record(*(yard.line(f"m{index}", **(POISON if index == 5 else {})) for index in range(8)))
    path = yard.put(segment)
    insert = yard.landing.insert
    calls = 0

    def fail_at_the_fifth(kind: Kind, lines: bytes, token: str) -> None:
        nonlocal calls
        calls += 1
        if calls == 5:
            raise UnreachableError("gone")
        insert(kind, lines, token)

    monkeypatch.setattr(yard.landing, "insert", fail_at_the_fifth)
    assert yard.ship() == 0
    assert 0 < len(yard.landed()) < 7
    assert path.exists()
    assert yard.ship() == 1
    assert yard.landed() == [f"m{index}" for index in range(8) if index != 5]
    assert len(yard.rejected()) == 1


def test_a_split_that_was_cut_off_does_not_repeat_what_it_has_landed(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ClickHouse may have forgotten the tokens by then, as a segment with many bad rows takes very many."""
    yard.put(yard.record(*(yard.line(f"m{index}", **(POISON if index == 5 else {})) for index in range(8))))
    insert = yard.landing.insert
    landed: list[str] = []

    def fail_at_the_last(kind: Kind, lines: bytes, token: str) -> None:
        if token.endswith(":6-8") and len(landed) == 3:
            landed.append("")
            raise UnreachableError("gone")
        insert(kind, lines, token)
        landed.append(token)

    monkeypatch.setattr(yard.landing, "insert", fail_at_the_last)
    assert yard.ship() == 0
    assert yard.ship() == 1
    assert [token.rpartition("-")[0].rpartition(":")[2] for token in landed] == ["0", "4", "5", "", "6"]
    assert yard.landed() == [f"m{index}" for index in range(8) if index != 5]
    assert [message_id for _, message_id, _ in yard.rejected()] == ["m5"]


def test_a_batch_that_is_refused_for_an_unforeseen_reason_is_split_in_the_end(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    yard.put(yard.record(yard.line("good"), yard.line("bad")))
    insert = yard.landing.insert

    def refuse(kind: Kind, lines: bytes, token: str) -> None:
        if kind == Kind.EVENTS and b'"bad"' in lines:
            raise RefusedError("a reason that nobody thought of")
        insert(kind, lines, token)

    monkeypatch.setattr(yard.landing, "insert", refuse)
    shipper = yard.shipper()
    deadline = time.monotonic() + 20
    while not shipper.ship_available():
        assert time.monotonic() < deadline
    assert yard.landed() == ["good"]
    assert [message_id for _, message_id, _ in yard.rejected()] == ["bad"]


def test_a_segment_that_cannot_pass_does_not_hold_up_the_others(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    stuck = yard.put(yard.record(yard.line("stuck")))
    yard.put(yard.record(yard.line("next")))
    insert = yard.landing.insert

    def refuse(kind: Kind, lines: bytes, token: str) -> None:
        if token == stuck.stem:
            raise RefusedError("no")
        insert(kind, lines, token)

    monkeypatch.setattr(yard.landing, "insert", refuse)
    assert yard.ship() == 1
    assert yard.landed() == ["next"]


def test_rows_that_clickhouse_only_says_it_has_are_inserted_again(yard: Yard) -> None:
    """A server that is killed between an insert's token and its rows ignores the rows when they come again."""
    segment, batch_id = yard.record(yard.line("a"), yard.line("b")), yard.batch_id
    yard.put(segment, batch_id)
    assert yard.ship() == 1
    # What such a kill leaves behind: the token without the rows.
    yard.client.command("delete from raw.events where batch_id = {batch_id:String}", parameters={"batch_id": batch_id})
    assert yard.landed() == []
    yard.put(segment, batch_id)
    assert yard.ship() == 1
    assert yard.landed() == ["a", "b"]


def test_a_fault_of_the_server_rejects_no_row(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    path = yard.put(yard.record(yard.line("a"), yard.line("b")))
    insert = yard.landing.insert

    def fail(kind: Kind, lines: bytes, token: str) -> None:
        if kind == Kind.EVENTS:
            raise RefusedError("Cannot read from a file: a fault that nobody thought of")
        insert(kind, lines, token)

    shipper = yard.shipper()
    with monkeypatch.context() as patched:
        patched.setattr(yard.landing, "insert", fail)
        for _ in range(12):
            shipper.ship_available()
            time.sleep(0.011)
    assert (path.exists(), yard.rejected()) == (True, [])
    deadline = time.monotonic() + 20
    while not shipper.ship_available():
        assert time.monotonic() < deadline
    assert (yard.landed(), yard.rejected()) == (["a", "b"], [])


def test_a_server_that_can_take_nothing_now_is_asked_with_one_segment_only(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        yard.put(yard.record(yard.line(f"m{number}")))
    asked: list[str] = []

    def refuse(_kind: Kind, _lines: bytes, token: str) -> None:
        asked.append(token)
        raise UnableError("out of memory")

    with monkeypatch.context() as patched:
        patched.setattr(yard.landing, "insert", refuse)
        shipper = yard.shipper()
        shipper.ship_available()
        assert len(asked) == 1
        time.sleep(0.02)
        shipper.ship_available()
        # Another one, in case the first was the only one that is too much.
        assert len(set(asked)) == 2
    time.sleep(0.02)
    assert shipper.ship_available() == 5


def test_the_ledger_is_reported_while_a_backlog_is_shipped(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may take hours, and rows of which no page tells would pass for a fault meanwhile."""
    pages = Ledger(yard.root / "ledger")
    for number in range(3):
        page = pages.page(yard.batch_id)
        page.note(Tally({(yard.project_id, Kind.EVENTS): 1}))
        page.sync()
        page.seal()
        yard.put(yard.record(yard.line(f"m{number}")))
    metrics = ShipperMetrics(yard.spool)
    report = LedgerReport(yard.spool, yard.root / "ledger", yard.root / "damaged", yard.landing, metrics, interval_s=0)
    order: list[Kind] = []
    insert = yard.landing.insert

    def insert_noted(kind: Kind, lines: bytes, token: str) -> None:
        order.append(kind)
        insert(kind, lines, token)

    monkeypatch.setattr(yard.landing, "insert", insert_noted)
    assert yard.shipper().ship_available(ledger=report) == 3
    assert Kind.ACKNOWLEDGED in order[: order.index(Kind.EVENTS, 2)]


def test_what_can_be_read_of_a_rotten_segment_lands_and_the_segment_is_kept(yard: Yard) -> None:
    first, second, third = (yard.record(yard.line(name)) for name in "abc")
    rotten = bytearray(first + second + third)
    rotten[len(first) + HEADER_BYTES + 3] ^= 1
    path = yard.put(bytes(rotten))
    assert yard.ship() == 1
    assert yard.landed() == ["a", "c"]
    assert (yard.root / "damaged" / path.name).read_bytes() == bytes(rotten)


def test_a_torn_last_write_of_a_writer_that_died_is_dropped(yard: Yard) -> None:
    yard.put(yard.record(yard.line("a")) + yard.record(yard.line("b"))[:-5], suffix=ADOPTED)
    assert yard.ship() == 1
    assert yard.landed() == ["a"]
    assert not (yard.root / "damaged").exists()


def test_damage_at_the_end_of_a_segment_that_its_writer_sealed_is_no_torn_write(yard: Yard) -> None:
    """Every record in it was acknowledged."""
    rotten = yard.record(yard.line("a")) + yard.record(yard.line("b"))[:-5]
    path = yard.put(rotten)
    assert yard.ship() == 1
    assert yard.landed() == ["a"]
    assert (yard.root / "damaged" / path.name).read_bytes() == rotten


def test_two_shippers_on_one_spool_do_not_collide(yard: Yard, runtime: Instance) -> None:
    for number in range(30):
        yard.put(yard.record(yard.line(f"m{number:02}")))

    def ship() -> None:
        landing = Landing(runtime.clickhouse_url, timeout_s=30)
        shipper = yard.shipper_to(landing)
        while usage(yard.spool).segments:
            shipper.ship_available()
        landing.close()

    threads = [Thread(target=ship) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert yard.landed() == [f"m{number:02}" for number in range(30)]


def test_while_clickhouse_is_away_segments_are_kept_and_the_wait_grows(yard: Yard, runtime: Instance) -> None:
    path = yard.put(yard.record(yard.line("a")))
    metrics = ShipperMetrics(yard.spool)
    away = Landing(f"http://u:p@127.0.0.1:{free_port()}/", timeout_s=1)
    shipper = yard.shipper_to(away, metrics=metrics, max_backoff_s=60)
    assert [shipper.ship_available() for _ in range(5)] == [0] * 5
    assert path.exists()
    assert metrics.registry.get_sample_value("radixinsight_shipper_inserts_failed_total", {"code": "0"}) == 1
    back = Landing(runtime.clickhouse_url, timeout_s=30)
    assert yard.shipper_to(back).ship_available() == 1
    assert yard.landed() == ["a"]
