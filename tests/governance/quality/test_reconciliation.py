import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from engine.reconciled import Books, books
from governance.quality import ProjectDay, judge, missing_pages, reconcile, reconciliation

# Not longer ago than ClickHouse keeps what was acknowledged.
NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=3)
DAY = NOON.date()
LEDGER = "1778000000000-00000000000000ff"


class Yesterday:
    """Segments as collector and shipper leave them in ClickHouse, to be tampered with."""

    def __init__(self, made: Books) -> None:
        self.client = made.client
        self.databases = made.databases
        self._books = made
        self._pages = 0

    def segment(self, *message_ids: str, at: datetime = NOON, rejects: int = 0, **acknowledged: Any) -> str:
        """Land a segment of project 1 with these events, and a page that says so unless told otherwise."""
        batch_id = f"{round(at.timestamp() * 1000):013d}-{os.urandom(8).hex()}"
        self.land(batch_id, *message_ids, at=at)
        names = ["project_id", "batch_id", "received_at", "inserted_at", "reason", "payload"]
        for number in range(rejects):
            self._insert("rejects", [1, batch_id, at, at + timedelta(seconds=2), "illegal_id", str(number)], names)
        self._pages += "ledger_id" not in acknowledged
        self.tell(batch_id, at=at, page=self._pages, **{"events": len(message_ids), "rejects": rejects, **acknowledged})
        return batch_id

    def land(self, batch_id: str, *message_ids: str, at: datetime = NOON, protocol: str = "segment") -> None:
        """Land rows."""
        names = ["project_id", "message_id", "batch_id", "received_at", "inserted_at", "sequence", "protocol"]
        for sequence, message_id in enumerate(message_ids):
            self._insert("events", [1, message_id, batch_id, at, at + timedelta(seconds=2), sequence, protocol], names)

    def tell(self, batch_id: str, *, at: datetime = NOON, **row: Any) -> None:
        """Tell what was acknowledged of a segment."""
        told = {"project_id": 1, "batch_id": batch_id, "source": "collector", "ledger_id": LEDGER, "begun_at": at} | row
        self._insert("acknowledged", list(told.values()), list(told))

    def model(self) -> None:
        """Build the models."""
        self._books.model(1)

    def delete(self, table: str, condition: str) -> None:
        """Delete rows behind everybody's back."""
        self.client.command(f"delete from {self.databases.landing}.{table} where {condition}")

    def reconcile(self, **options: Any) -> ProjectDay:
        """Compare the day and return the only row."""
        (row,) = reconcile(self.client, DAY, databases=self.databases, **options)
        return row

    def failed(self) -> set[str]:
        """Return the rules that are broken."""
        outcomes = judge([self.reconcile()], missing_pages=missing_pages(self.client, [DAY], databases=self.databases))
        return {outcome.rule.name for outcome in outcomes if not outcome.passed}

    def _insert(self, table: str, row: list[Any], names: list[str]) -> None:
        self.client.insert(table, [row], column_names=names, database=self.databases.landing)


@pytest.fixture
def yesterday(client: Client) -> Iterator[Yesterday]:
    """Return a day of three segments with eight events, two rejects, a repeated delivery and a canary, all in order."""
    landing = f"landing_{os.urandom(6).hex()}"
    client.command(f"create database {landing}")
    for table in ("events", "rejects", "acknowledged"):
        client.command(f"create table {landing}.{table} as raw.{table}")
    with books(client, landing) as made:
        day = Yesterday(made)
        day.segment("a", "b", "c", at=NOON - timedelta(hours=13))
        day.segment("d", "e", rejects=2)
        last = day.segment("f", "a", "g", at=NOON + timedelta(hours=1), events=4)
        day.land(last, "canary", at=NOON + timedelta(hours=1), protocol="canary")
        day.segment("h", at=NOON + timedelta(hours=13), ledger_id="of another collector")
        day.model()
        yield day
    client.command(f"drop database {landing}")


def test_a_normal_day_comes_out_even(yesterday: Yesterday) -> None:
    row = yesterday.reconcile()
    assert (row.acknowledged, row.landed, row.rejected) == (8, 6, 2)
    assert (row.modelled, row.canaries, row.duplicates) == (4, 1, 1)
    assert yesterday.failed() == set()


def test_the_first_delivery_of_an_event_counts_on_the_day_of_its_segment(yesterday: Yesterday) -> None:
    """`a` was delivered the day before too: here it is a duplicate."""
    (before,) = reconcile(yesterday.client, DAY - timedelta(days=1), databases=yesterday.databases)
    (after,) = reconcile(yesterday.client, DAY + timedelta(days=1), databases=yesterday.databases)
    assert (before.landed, before.modelled, before.duplicates) == (3, 3, 0)
    assert (after.landed, after.modelled) == (1, 1)


def test_what_lands_between_the_two_questions_is_no_negative_duplicate(
    yesterday: Yesterday, monkeypatch: pytest.MonkeyPatch
) -> None:
    segments = reconciliation._segments  # pyright: ignore[reportPrivateUsage]

    def then_land(*arguments: Any) -> Any:
        found = segments(*arguments)
        yesterday.land(yesterday.segment(events=2), "y", "z", at=NOON)
        return found

    monkeypatch.setattr(reconciliation, "_segments", then_land)
    row = yesterday.reconcile()
    assert (row.landed, row.duplicates) == (6, 1)


def test_a_deleted_row_is_lost(yesterday: Yesterday) -> None:
    yesterday.delete("events", "message_id = 'd'")
    assert yesterday.reconcile().lost == 1
    assert yesterday.failed() == {"nothing_lost", "everything_modelled"}


def test_a_deleted_reject_is_lost(yesterday: Yesterday) -> None:
    yesterday.delete("rejects", "true")
    row = yesterday.reconcile()
    assert (row.lost, row.rejected) == (2, 0)
    assert yesterday.failed() == {"nothing_lost"}


def test_a_row_that_is_there_twice_is_doubled_and_hides_no_loss(yesterday: Yesterday) -> None:
    yesterday.land(yesterday.segment(events=1), "x", "x", at=NOON)
    yesterday.delete("events", "message_id = 'd'")
    row = yesterday.reconcile()
    assert (row.doubled, row.lost) == (1, 1)
    assert "nothing_lost" in yesterday.failed()


def test_a_segment_that_is_missing_is_lost_whole(yesterday: Yesterday) -> None:
    yesterday.segment(events=7, rejects=0)
    row = yesterday.reconcile()
    assert (row.lost, row.missing_segments) == (7, 1)
    assert yesterday.failed() == {"nothing_lost"}


def test_a_segment_that_waits_in_the_spool_is_not_lost(yesterday: Yesterday) -> None:
    batch_id = yesterday.segment("i", events=7, is_in_spool=1)
    row = yesterday.reconcile()
    assert (row.waiting, row.lost) == (6, 0)
    assert "nothing_waits" in yesterday.failed()
    yesterday.tell(batch_id, events=7, page=5, is_in_spool=0)
    assert yesterday.reconcile().lost == 6


def test_rows_of_a_segment_of_which_no_ledger_tells_are_noticed(yesterday: Yesterday) -> None:
    yesterday.delete("acknowledged", "page = 2")
    assert yesterday.reconcile().unledgered == 4
    assert yesterday.failed() == {"nothing_lost", "ledger_whole"}


def test_rows_that_landed_a_short_while_ago_need_not_be_in_the_ledger_yet(yesterday: Yesterday) -> None:
    """The page of a segment of a backlog comes after its rows."""
    yesterday.delete("acknowledged", "page = 2")
    row = yesterday.reconcile(settled_after=timedelta(days=30))
    assert (row.unreported, row.unledgered, row.doubled) == (4, 0, 0)


def test_rows_are_noticed_where_there_is_no_page_at_all(yesterday: Yesterday) -> None:
    """Nobody knows what was acknowledged then; that must not look as if all were in order."""
    yesterday.delete("acknowledged", "true")
    row = yesterday.reconcile()
    assert (row.acknowledged, row.unledgered) == (0, 8)
    assert yesterday.failed() == {"nothing_lost"}


def test_events_of_a_collector_that_was_killed_before_it_acknowledged_them_are_no_loss(yesterday: Yesterday) -> None:
    batch_id = yesterday.segment("i", "j", "k", events=2)
    yesterday.tell(batch_id, source="shipper", ledger_id="", events=3)
    yesterday.model()
    row = yesterday.reconcile()
    assert (row.unacknowledged, row.lost, row.doubled) == (1, 0, 0)
    assert yesterday.failed() == set()


def test_an_acknowledged_event_that_a_torn_segment_lacks_is_lost(yesterday: Yesterday) -> None:
    batch_id = yesterday.segment("i", "j", events=3)
    yesterday.tell(batch_id, source="shipper", ledger_id="", events=2)
    assert yesterday.reconcile().lost == 1


def test_a_replay_of_old_rejects_is_found_by_its_segment(yesterday: Yesterday) -> None:
    batch_id = yesterday.segment(events=1)
    yesterday.land(batch_id, "old", at=NOON - timedelta(days=300))
    yesterday.model()
    assert yesterday.failed() == set()


def test_an_event_that_the_models_lack_is_noticed_once_they_should_have_it(yesterday: Yesterday) -> None:
    yesterday.client.command(
        f"delete from {yesterday.databases.staging}.stg_collector__events where message_id in ('d', 'f')"
    )
    assert yesterday.reconcile(settled_after=timedelta(days=30)).unsettled == 2
    row = yesterday.reconcile()
    assert (row.unmodelled, row.modelled) == (2, 2)
    assert yesterday.failed() == {"everything_modelled"}


def test_an_event_of_the_models_that_never_landed_is_noticed(yesterday: Yesterday) -> None:
    batch_id = yesterday.segment("ghost")
    yesterday.model()
    yesterday.delete("events", f"batch_id = '{batch_id}'")
    row = yesterday.reconcile()
    assert (row.unfounded, row.lost) == (1, 1)


def test_what_landed_before_there_was_a_ledger_is_left_out(yesterday: Yesterday) -> None:
    yesterday.delete("acknowledged", "page < 3")
    row = yesterday.reconcile()
    assert (row.landed, row.unledgered) == (4, 0)


def test_the_latest_comparison_of_a_day_is_the_one_that_counts(yesterday: Yesterday) -> None:
    yesterday.reconcile()
    yesterday.delete("events", "message_id = 'd'")
    yesterday.reconcile()
    table = f"{yesterday.databases.governance}.reconciliation"
    rows = yesterday.client.query(f"select day, project_id, lost from {table} final").result_rows
    assert rows == [(DAY, 1, 1)]


def test_ids_are_compared_in_parts_when_there_are_many(yesterday: Yesterday, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = yesterday.reconcile()
    monkeypatch.setattr("governance.quality.reconciliation._IDS_AT_ONCE", 2)
    assert yesterday.reconcile() == whole
