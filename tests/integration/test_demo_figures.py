"""The demo's figures, recomputed in plain Python over the data set, against what the API and the marts say."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from core import warehouse
from core.warehouse import ProjectScope
from demo_pipeline import Pipeline
from reference.events import Counted
from reference.funnel_figures import ordered_funnel
from reference.retention import Retention, RetentionCell, retention
from reference.timeseries import timeseries
from runtime.demo.dataset import FUNNEL_STEPS, DemoData

# One worker runs all of them: the system that they share is started once.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROWS = 31_106
WINDOW = timedelta(days=14)


@pytest.fixture(scope="module")
def events(pipeline: Pipeline) -> list[Counted]:
    """Read the data set as the demo sent it: every event names its user and its session."""
    return [
        Counted(
            message_id=event.message_id,
            event=event.event,
            person=event.user_id,
            session=event.session_id,
            timestamp=event.timestamp,
            received_at=event.timestamp,
            sequence=sequence,
        )
        for sequence, event in enumerate(DemoData(pipeline.ends_at).events())
    ]


@pytest.fixture(scope="module")
def reach(events: list[Counted]) -> tuple[date, date]:
    """Cover every event with whole days."""
    instants = [event.timestamp for event in events]
    return min(instants).date(), max(instants).date() + timedelta(days=1)


@pytest.fixture(scope="module")
def api(pipeline: Pipeline) -> Any:
    """Ask the running API over HTTP."""
    headers = {"authorization": f"Bearer {pipeline.api_key}"}
    base = f"{pipeline.api_url}/v1/projects/{pipeline.project_id}/"
    with httpx.Client(base_url=base, headers=headers, timeout=60, trust_env=False) as client:
        yield client


def _ask(api: httpx.Client, path: str, reach: tuple[date, date], **parameters: Any) -> Any:
    answer = api.get(path, params={"from": str(reach[0]), "to": str(reach[1])} | parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def _rows(pipeline: Pipeline, sql: str) -> list[tuple[Any, ...]]:
    client = warehouse.connect(pipeline.instance.clickhouse_reader_url)
    try:
        return [tuple(row) for row in ProjectScope(pipeline.project_id).run(client, sql).result_rows]
    finally:
        client.close()


def _midnights(reach: tuple[date, date]) -> tuple[datetime, datetime]:
    """Return the range's instants: the demo's project lies in UTC."""
    first, last = (datetime(day.year, day.month, day.day, tzinfo=UTC) for day in reach)
    return first, last


def test_every_event_that_was_sent_is_stored_modelled_and_answered(
    pipeline: Pipeline, events: list[Counted], api: httpx.Client, reach: tuple[date, date]
) -> None:
    assert len(events) == ROWS
    for table in ("raw.events", "staging.stg_collector__events", "marts.fct_events"):
        is_counted = "protocol != 'canary'" if table == "raw.events" else "true"
        sql = f"select uniqExact(message_id) from {table} where project_id = {{project_id:UInt32}} and {is_counted}"
        assert _rows(pipeline, sql) == [(ROWS,)]
    names = _ask(api, "event-names", reach)
    for row in names:
        named = [event for event in events if event.event == row["event"]]
        assert (row["events"], row["persons"]) == (len(named), len({event.person for event in named}))
    assert sum(row["events"] for row in names) == ROWS


def test_nothing_was_refused(pipeline: Pipeline) -> None:
    assert _rows(pipeline, "select count() from raw.rejects where project_id = {project_id:UInt32}") == [(0,)]


def test_the_funnel_is_the_same_in_python_in_the_mart_and_in_the_api(
    pipeline: Pipeline, events: list[Counted], api: httpx.Client, reach: tuple[date, date]
) -> None:
    expected = ordered_funnel(events, [_is(name) for name in FUNNEL_STEPS], *_midnights(reach), WINDOW)
    assert expected[0].persons > expected[-1].persons > 0

    answered = _ask(api, "insights/funnel", reach, step=list(FUNNEL_STEPS), window="14d")["steps"]
    assert [step["event"] for step in answered] == list(FUNNEL_STEPS)
    assert [step["persons"] for step in answered] == [step.persons for step in expected]
    assert [step["median_ms"] for step in answered] == [_about(step.median_ms) for step in expected]
    assert [step["average_ms"] for step in answered] == [_about(step.avg_ms) for step in expected]

    columns = "step, toString(step_name), persons, median_ms, avg_ms"
    sql = f"select {columns} from marts.funnel_checkout where project_id = {{project_id:UInt32}} order by step"
    assert _rows(pipeline, sql) == [
        (step.step, name, step.persons, _about(step.median_ms), _about(step.avg_ms))
        for step, name in zip(expected, FUNNEL_STEPS, strict=True)
    ]


def _is(name: str) -> Callable[[Counted], bool]:
    return lambda event: event.event == name


def _latest_first(event: Counted) -> float:
    return -event.timestamp.timestamp()


def _about(value: float | None) -> Any:
    return None if value is None else pytest.approx(value)


@pytest.mark.parametrize(
    ("period", "mart", "periods"), [("week", "retention_weekly", 12), ("day", "retention_daily", 14)]
)
def test_retention_is_the_same_in_python_in_the_mart_and_in_the_api(
    *,
    pipeline: Pipeline,
    events: list[Counted],
    api: httpx.Client,
    reach: tuple[date, date],
    period: str,
    mart: str,
    periods: int,
) -> None:
    start, end = _midnights(reach)
    asked = Retention(
        starts=lambda _: True,
        returns=lambda _: True,
        start=start,
        end=end,
        period=period,
        zone=ZoneInfo("UTC"),
        periods=periods,
        now=datetime.now(UTC),
    )
    # Any event counts, so that one a day says as much as all of them.
    days = {(event.person, event.timestamp.date()): event for event in sorted(events, key=_latest_first)}
    expected = retention(days.values(), asked)
    assert sum(cell.persons for cell in expected if cell.period_index == 0) == 600

    grid = _ask(api, "insights/retention", reach, period=period, periods=periods)["cohorts"]
    answered = [
        RetentionCell(
            datetime.fromisoformat(row["start"]),
            cell["period_index"],
            cell["persons"],
            row["size"],
            is_complete=cell["is_complete"],
        )
        for row in grid
        for cell in row["cells"]
    ]
    assert answered == expected

    columns = "cohort_date, period_index, persons, cohort_size"
    sql = f"select {columns} from marts.{mart} where project_id = {{project_id:UInt32}} order by 1, 2"
    assert _rows(pipeline, sql) == [
        (cell.cohort.date(), cell.period_index, cell.persons, cell.cohort_size)
        for cell in expected
        if cell.cohort_size > 0
    ]


def test_daily_active_users_are_the_same_in_python_in_the_mart_and_in_the_api(
    pipeline: Pipeline, events: list[Counted], api: httpx.Client, reach: tuple[date, date]
) -> None:
    start, end = _midnights(reach)
    zone = ZoneInfo("UTC")
    expected = timeseries(events, event=None, start=start, end=end, interval="day", zone=zone, measure="persons")
    assert max(value for _, value in expected) > 1

    buckets = _ask(api, "insights/timeseries", reach, measure="persons", interval="day")["buckets"]
    assert [(datetime.fromisoformat(bucket["start"]), bucket["value"]) for bucket in buckets] == expected

    sql = (
        "select event_date, groupBitmapMerge(persons) from marts.agg_events_daily "
        "where project_id = {project_id:UInt32} group by event_date order by event_date"
    )
    assert _rows(pipeline, sql) == [(start.date(), value) for start, value in expected if value > 0]


def test_the_page_is_served(pipeline: Pipeline) -> None:
    page = httpx.get(f"{pipeline.api_url}/", timeout=10, trust_env=False)
    assert (page.status_code, page.headers["content-type"].split(";")[0]) == (200, "text/html")
