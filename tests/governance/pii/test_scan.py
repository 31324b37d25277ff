import time
from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo
from typing import Any, Self

import pytest
from clickhouse_connect.driver.client import Client

from core import clock
from core.clock import utc_now
from governance.pii import Scan, ScanLimits, scan

MAIL = {"properties": '{"mail": "anna@example.org"}'}


@pytest.fixture
def run(client: Client, landing: str, governance: str) -> Callable[..., Scan]:
    """Return a function that scans the test's own tables, a moment from now unless told when."""

    def scanned(at: datetime | None = None, limits: ScanLimits | None = None) -> Scan:
        instant = at or utc_now() + timedelta(seconds=1)
        return scan(client, landing=landing, governance=governance, limits=limits, clock=lambda: instant)

    return scanned


def stored(client: Client, governance: str, columns: str) -> list[Any]:
    return [*client.query(f"select {columns} from {governance}.pii_findings final order by all").result_rows]


def test_findings_are_stored_without_any_value(
    client: Client, governance: str, land: Callable[..., None], run: Callable[..., Scan]
) -> None:
    land(MAIL)
    run()
    assert stored(client, governance, "project_id, event, property, entity, method, values_matched") == [
        (1, "signup", "properties.mail", "EMAIL_ADDRESS", "pattern", 1)
    ]
    assert "anna" not in str(stored(client, governance, "*"))


def test_a_scan_looks_at_new_events_only(land: Callable[..., None], run: Callable[..., Scan]) -> None:
    land(MAIL)
    later = utc_now() + timedelta(minutes=20)
    assert run(later).events == 1
    assert run(later + timedelta(minutes=5)).events == 0


def test_an_event_whose_insert_ended_after_the_last_scan_began_is_not_missed(
    land: Callable[..., None], run: Callable[..., Scan]
) -> None:
    run(utc_now() + timedelta(minutes=9))
    land(MAIL)
    assert [found.property for found in run(utc_now() + timedelta(minutes=9)).findings] == ["properties.mail"]


def test_a_scan_goes_by_the_clock_that_dates_the_inserts(
    client: Client, landing: str, governance: str, land: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Behind(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) - timedelta(days=1)

    land(MAIL)
    monkeypatch.setattr(clock, "datetime", Behind)
    # The scan reads what was inserted before the millisecond in which it began.
    time.sleep(0.01)
    assert scan(client, landing=landing, governance=governance).events == 1


def test_a_rerun_replaces_its_findings_and_keeps_when_they_were_first_made(
    client: Client, governance: str, land: Callable[..., None], run: Callable[..., Scan]
) -> None:
    land(MAIL)
    first = utc_now() + timedelta(seconds=1)
    run(first)
    second = first + timedelta(seconds=20)
    run(second)
    assert stored(client, governance, "first_found_at, last_found_at") == [(first, second)]


def test_a_warehouse_without_new_events_is_scanned_without_loading_anything(run: Callable[..., Scan]) -> None:
    done = run()
    assert (done.events, done.values_checked, list(done.findings)) == (0, 0, [])


def test_more_events_than_the_limit_are_sampled(land: Callable[..., None], run: Callable[..., Scan]) -> None:
    land(*([MAIL] * 100))
    assert run(limits=ScanLimits(events=30)).sampled_one_in == 4
