"""Web analytics against the reference, over sessions that collide in time, person and value."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.event_table import EventTable
from engine.ranges import of_macro, ranges
from engine.renderings import Bind, ask
from reference.calendar_buckets import utc_offset_s
from reference.events import Counted
from reference.web import Question, Row, Visit, pages, web

OF_SESSIONS = (
    *("visitors", "sessions", "views", "bounces"),
    *("bounce_rate", "avg_duration_ms", "views_per_session"),
)
OF_PAGES = ("visitors", "views", "sessions")
START = datetime(2024, 5, 1, tzinfo=UTC)
DAY = timedelta(days=1)
BREAKDOWNS: dict[str, Callable[[Visit], str]] = {
    "channel": lambda visit: visit.channel,
    "entry_path": lambda visit: visit.entry_path,
    "exit_path": lambda visit: visit.exit_path,
}


def sessions(table: EventTable) -> str:
    """Return a relation like fct_sessions."""
    ordering, channel = "(timestamp, received_at, sequence, message_id)", "JSONExtractString(properties, 'channel')"
    return (
        f"(select project_id, session_id, argMin(person_number, {ordering}) as person_number,"
        " min(timestamp) as started_at, toUInt64(dateDiff('millisecond', started_at, max(timestamp))) as duration_ms,"
        " countIf(type in ('page', 'screen')) as views, toBool(views = 1 and countIf(type = 'track') = 0) as is_bounce,"
        f" argMinIf(page_path, {ordering}, page_path != '') as entry_path,"
        f" argMaxIf(page_path, {ordering}, page_path != '') as exit_path,"
        f" argMinIf({channel}, {ordering}, {channel} != '') as channel"
        f" from {table.name} group by project_id, session_id)"
    )


def rollup(table: EventTable, timezone: str) -> str:
    """Return a relation like agg_sessions_daily."""
    pairs = ", ".join(["('all', '')", *(f"('{name}', {name})" for name in BREAKDOWNS)])
    return (
        f"(select project_id, toDate32(started_at, {timezone}) as started_date, arrayJoin([{pairs}]) as pair,"
        " pair.1 as dimension, pair.2 as value, count() as sessions, sum(made.views) as views,"
        " sum(is_bounce) as bounces,"
        " sum(made.duration_ms) as duration_ms, groupBitmapState(person_number) as persons"
        f" from {sessions(table)} as made where made.views > 0 group by project_id, started_date, pair)"
    )


def found(table: EventTable, macro: str, project: int, asked: dict[str, Any], **others: Any) -> list[Row]:
    """Ask both renderings; `asked` is a range, with `breakdown` and `top`."""

    def arguments(bind: Bind) -> dict[str, Any]:
        calendar = of_macro(bind, asked)
        relation = table.name if macro == "insights_web_pages" else sessions(table)
        relation = rollup(table, calendar["timezone"]) if others.get("rolled") else relation
        top = bind(asked["top"], "UInt32")
        return (
            calendar
            | {
                "relation": relation,
                "project": bind(project, "UInt32"),
                "breakdown": asked["breakdown"],
                "top": top,
            }
            | others
        )

    rows: list[Row] = []
    for row in ask(table.client, macro, arguments):
        assert row["utc_offset_s"] == utc_offset_s(row["bucket"], asked["zone"])
        place = (row.get("rank", 1), bool(row.get("is_other")), row.get("breakdown_1", ""))
        names = OF_PAGES if macro == "insights_web_pages" else OF_SESSIONS
        rows.append((*place, row["bucket"], tuple(row[name] for name in names)))
    return rows


def same(rows: list[Row], wanted: list[Row]) -> None:
    assert [row[:4] for row in rows] == [row[:4] for row in wanted]
    assert [row[4] for row in rows] == [tuple(_near(figure) for figure in row[4]) for row in wanted]


def _near(figure: float | None) -> Any:
    return None if figure is None else pytest.approx(figure)


def question(asked: dict[str, Any]) -> Question:
    return Question(**{name: value for name, value in asked.items() if name != "breakdown"})


@st.composite
def histories(draw: st.DrawFn, moments: st.SearchStrategy[datetime]) -> list[Counted]:
    event = st.tuples(
        st.sampled_from("pqr"),
        st.sampled_from("stuvw"),
        moments,
        st.sampled_from(["page", "page", "screen", "track", "identify"]),
        st.sampled_from(["/", "/a", "/b", ""]),
        st.sampled_from(["search", "email", "(other)", ""]),
    )
    return [
        Counted(
            message_id=f"m{number}",
            event=kind,
            person=person,
            session=session,
            timestamp=at,
            received_at=at,
            type=kind,
            path=path,
            properties={"channel": channel} if channel else {},
        )
        for number, (person, session, at, kind, path, channel) in enumerate(draw(st.lists(event, max_size=25)))
    ]


REPORTS = ["sessions", "days of sessions", "pages"]


@given(data=st.data(), report=st.sampled_from(REPORTS), by=st.sampled_from(sorted(BREAKDOWNS)), top=st.integers(0, 3))
def test_every_report_equals_the_one_that_is_told_session_by_session(
    table: EventTable, data: st.DataObject, report: str, by: str, top: int
) -> None:
    asked, moments = data.draw(ranges(whole_days=report == "days of sessions"))
    is_broken_down = data.draw(st.booleans())
    history = data.draw(histories(moments))
    project = table.put(history)
    asked |= {"top": top}
    if report == "pages":
        asked |= {"breakdown": ["page_path"] if is_broken_down else []}
        wanted = pages(history, question(asked), (lambda event: event.path) if is_broken_down else None)
        same(found(table, "insights_web_pages", project, asked), wanted)
    else:
        asked |= {"breakdown": [by] if is_broken_down else []}
        wanted = web(history, question(asked), BREAKDOWNS[by] if is_broken_down else None)
        same(found(table, "insights_web", project, asked, rolled=report == "days of sessions"), wanted)


def seen(session: str, *hours: float, kind: str = "page", person: str = "ann") -> list[Counted]:
    """Return the events of a session, at hours after START."""
    return [
        Counted(
            message_id=f"{session}{number}",
            event=kind,
            person=person,
            session=session,
            timestamp=START + timedelta(hours=hour),
            received_at=START,
            type=kind,
            path="/",
        )
        for number, hour in enumerate(hours)
    ]


def by_day(table: EventTable, history: list[Counted], **others: Any) -> list[dict[str, float | None]]:
    """Return the figures of two days from START."""
    asked = {"start": START, "end": START + 2 * DAY, "interval": "day", "zone": ZoneInfo("UTC"), "week_start": 1}
    rows = found(table, "insights_web", table.put(history), asked | {"breakdown": [], "top": 10}, **others)
    return [dict(zip(OF_SESSIONS, row[4], strict=True)) for row in rows]


def test_a_session_over_midnight_belongs_as_a_whole_to_the_day_on_which_it_starts(table: EventTable) -> None:
    first, second = by_day(table, seen("s", 23.5, 24.5, 25))
    assert (first["sessions"], first["views"], first["avg_duration_ms"]) == (1, 3, 90 * 60 * 1000)
    assert (second["visitors"], second["sessions"], second["views"], second["bounce_rate"]) == (0, 0, 0, None)


def test_a_session_without_a_view_is_no_visit(table: EventTable) -> None:
    """A purchase that a server reports neither adds a session nor makes the bounce rate better."""
    history = [*seen("s", 1), *seen("t", 5, kind="track", person="bob")]
    first, _ = by_day(table, history)
    assert (first["visitors"], first["sessions"], first["bounce_rate"]) == (1, 1, 1)


def test_a_visitor_of_two_days_is_counted_on_both_and_once_in_all(table: EventTable) -> None:
    history = [*seen("s", 1), *seen("t", 30)]
    assert [each["visitors"] for each in by_day(table, history)] == [1, 1]
    assert [each["visitors"] for each in by_day(table, history, interval="total")] == [1]


def test_the_period_before_stands_beside_each_report(table: EventTable) -> None:
    project = table.put([*seen("s", 1, 2), *seen("t", -24)])
    rows = ask(
        table.client,
        "insights_web",
        lambda bind: (
            of_macro(
                bind, {"start": START, "end": START + DAY, "interval": "day", "zone": ZoneInfo("UTC"), "week_start": 1}
            )
            | {"relation": sessions(table), "project": bind(project, "UInt32"), "compare": "previous"}
        ),
    )
    assert [(row["period"], row["bucket_index"], row["bounce_rate"], row["views"]) for row in rows] == [
        ("current", 0, 0, 2),
        ("previous", 0, 1, 1),
    ]


def test_a_report_of_all_projects_tells_them_apart(table: EventTable) -> None:
    projects = [table.put(seen("s", 1)), table.put([*seen("s", 1), *seen("t", 2, 3)])]

    def arguments(bind: Bind) -> dict[str, Any]:
        asked = {"start": START, "end": START + DAY, "interval": "total", "zone": ZoneInfo("UTC"), "week_start": 1}
        within = f"has({bind(projects, 'Array(UInt32)')}, project_id)"
        more = {"relation": sessions(table), "project": "project_id", "where": within, "keys": ["project_id"]}
        return of_macro(bind, asked) | more

    rows = ask(table.client, "insights_web", arguments)
    assert [(row["project_id"], row["sessions"], row["bounce_rate"]) for row in rows] == [
        (projects[0], 1, 1),
        (projects[1], 2, 0.5),
    ]
