"""Trends against the reference, over histories in which values, actors and instants collide."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import given
from hypothesis import strategies as st

from core.insights.formula import formula_sql
from engine.event_table import EventTable, milliseconds
from engine.renderings import Bind, ask
from reference.calendar_buckets import bucket, bucket_end, bucket_start, utc_offset_s
from reference.events import Counted
from reference.trends import Point, Question, Series, trends

MEASURES = [
    *("events", "actors", "sessions", "sum", "avg", "min", "max"),
    *("median", "p90", "p95", "p99", "events_per_actor", "sum_per_actor"),
]
ZONES = ["UTC", "Europe/Berlin", "America/Havana", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia"]
# Clock changes of these zones, a day that one of them skipped, the end of a year, and what 0 means as a time.
MOMENTS = [
    datetime(1970, 1, 1, 4, tzinfo=UTC),
    datetime(2011, 12, 30, 10, tzinfo=UTC),
    datetime(2024, 3, 31, 1, tzinfo=UTC),
    datetime(2024, 4, 6, 15, tzinfo=UTC),
    datetime(2024, 11, 3, 5, tzinfo=UTC),
    datetime(2023, 12, 31, 23, 59, tzinfo=UTC),
]
REACH = {
    "hour": timedelta(hours=8),
    "day": timedelta(days=4),
    "week": timedelta(days=25),
    "month": timedelta(days=100),
    "total": timedelta(days=4),
}
# As JSON holds them; a text that is a number counts as one. Quarters, so that sums are exact.
AMOUNTS: list[str | float] = [0, 1, 2.25, -3.5, 12, "7.5", "many", "nan", "-inf", ""]
COLOURS = ["red", "blue", "green", "", "(other)", "(none)"]
ROLLED = ["events", "actors", "events_per_actor"]
ROLLED_COLUMNS = {
    "JSONExtractString(properties, 'colour')": "colour",
    "JSONExtract(properties, 'size', 'Nullable(String)')": "size",
}
FORMULAS = [formula_sql("A / B", 2), formula_sql("(A - B) * 100", 2)]


def number(event: Counted) -> float | None:
    try:
        value = float(event.properties["amount"])
    except (KeyError, ValueError):
        return None
    return value if math.isfinite(value) else None


def colour(event: Counted) -> str:
    return str(event.properties.get("colour", ""))


def name(event: Counted) -> str:
    return event.event


def size(event: Counted) -> str:
    return str(event.properties.get("size", ""))


BREAKDOWNS: dict[str, Callable[[Counted], str]] = {
    "JSONExtractString(properties, 'colour')": colour,
    "JSONExtract(properties, 'size', 'Nullable(String)')": size,
    "event": name,
}


@st.composite
def histories(draw: st.DrawFn, moments: st.SearchStrategy[datetime]) -> list[Counted]:
    properties = st.fixed_dictionaries(
        {},
        optional={
            "amount": st.sampled_from(AMOUNTS),
            "colour": st.sampled_from(COLOURS),
            "size": st.sampled_from(["s", "m", ""]),
        },
    )
    who = st.tuples(st.sampled_from("abc"), st.sampled_from("pqrs"), st.sampled_from("uvw"), st.sampled_from("gh"))
    drawn = draw(st.lists(st.tuples(who, moments, properties), max_size=30))
    return [
        Counted(
            message_id=f"m{place}",
            event=name,
            person=person,
            session=session,
            group=group,
            timestamp=at,
            received_at=at,
            properties=said,
        )
        for place, ((name, person, session, group), at, said) in enumerate(drawn)
    ]


@st.composite
def questions(draw: st.DrawFn, *, rolled: bool = False) -> tuple[list[Counted], dict[str, Any]]:
    """Draw a history and a question; of whole days, where a rollup is to answer."""
    interval = draw(st.sampled_from(sorted(REACH.keys() - {"hour"} if rolled else REACH)))
    zone = ZoneInfo(draw(st.sampled_from(ZONES)))
    around, quarters = draw(st.sampled_from(MOMENTS)), REACH[interval] // timedelta(minutes=15)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    moments = st.integers(-quarters, quarters).map(lambda quarter: max(epoch, around + quarter * timedelta(minutes=15)))
    edges = moments
    if rolled or draw(st.booleans()):
        unit = draw(st.sampled_from(["day", "month"]))
        edges = moments.map(lambda moment: bucket_start(bucket(moment, unit, zone), zone))
    start, end = sorted((draw(edges), draw(edges)))
    end = bucket_end(start, "day", zone) if rolled and start == end else max(end, start + timedelta(minutes=15))
    way = draw(st.sampled_from(["plain", "moving_average", "cumulative"])) if interval != "total" else "plain"
    trailing = st.integers(1, 3) if interval != "total" and way != "cumulative" else st.just(1)
    other_end = min(start, draw(edges))
    other_start = other_end - timedelta(days=2)
    other_start = bucket_start(bucket(other_start, "day", zone), zone) if rolled else other_start
    compare = draw(st.sampled_from([None, "previous", (other_start, other_end)]))
    measures, breakdowns = (ROLLED, ["event", *ROLLED_COLUMNS]) if rolled else (MEASURES, sorted(BREAKDOWNS))
    return draw(histories(moments)), {
        "series": [
            (draw(st.sampled_from(["a", "b", None])), measure, draw(trailing))
            for measure in draw(st.lists(st.sampled_from(measures), min_size=2, max_size=3))
        ],
        "start": start,
        "end": end,
        "interval": interval,
        "zone": zone,
        "week_start": draw(st.sampled_from([1, 3, 7])),
        "breakdown": draw(st.lists(st.sampled_from(breakdowns), max_size=3, unique=True)),
        "top": draw(st.integers(0, 3)),
        "compare": compare,
        "moving_average": draw(st.integers(2, 3)) if way == "moving_average" else 1,
        "cumulative": way == "cumulative",
        "actor": "person_number" if rolled else draw(st.sampled_from(["person_number", "group_id"])),
        "rolled": rolled,
    }


def sql(bind: Bind, table: EventTable, project: int, asked: dict[str, Any]) -> dict[str, Any]:
    def instant(moment: datetime) -> str:
        return f"fromUnixTimestamp64Milli({bind(milliseconds(moment), 'Int64')}, 'UTC')"

    compare, timezone = asked.get("compare"), bind(asked["zone"].key, "String")
    relation, breakdown = table.name, asked.get("breakdown", [])
    if asked.get("rolled", False):
        breakdown = [ROLLED_COLUMNS.get(expression, expression) for expression in breakdown]
        columns = ", ".join(f"{expression} as {column}" for expression, column in ROLLED_COLUMNS.items())
        relation = (
            f"(select project_id, event, {columns}, toDate32(timestamp, {timezone}) as event_date, count() as events,"
            f" groupBitmapState(person_number) as persons from {table.name}"
            f" group by project_id, event, {', '.join(ROLLED_COLUMNS.values())}, event_date)"
        )
    return {
        "relation": relation,
        "project": bind(project, "UInt32"),
        "series": [
            {
                "condition": "true" if name is None else f"event = {bind(name, 'String')}",
                "measure": measure,
                "of": f"JSONExtract(properties, {bind('amount', 'String')}, 'Nullable(Float64)')",
                "trailing": trailing,
            }
            for name, measure, trailing in asked["series"]
        ],
        "start": instant(asked["start"]),
        "end": instant(asked["end"]),
        "interval": asked["interval"],
        "timezone": timezone,
        "rolled": asked.get("rolled", False),
        "week_start": bind(asked.get("week_start", 1), "UInt8"),
        "actor": asked.get("actor", "person_number"),
        "formulas": FORMULAS if len(asked["series"]) > 1 else [],
        "breakdown": breakdown,
        "top": bind(asked.get("top", 10), "UInt32"),
        "compare": [instant(moment) for moment in compare] if isinstance(compare, tuple) else compare,
        "moving_average": None if asked.get("moving_average", 1) == 1 else asked["moving_average"],
        "cumulative": asked.get("cumulative", False),
    }


def points(client: Client, table: EventTable, project: int, asked: dict[str, Any]) -> list[Point]:
    """Ask both renderings; the formulas are checked here against the figures beside them."""
    found: list[Point] = []
    for row in ask(client, "insights_trends", lambda bind: sql(bind, table, project, asked)):
        figures = [row["abc"[place]] for place in range(len(asked["series"]))]
        if len(figures) > 1:
            a, b = figures[:2]
            assert row["formula_1"] == (None if a is None or not b else a / b)
            assert row["formula_2"] == (None if a is None or b is None else (a - b) * 100)
        assert row["utc_offset_s"] == utc_offset_s(row["bucket"], asked["zone"])
        broken = range(1, len(asked.get("breakdown", [])) + 1)
        found.append(
            Point(
                row.get("period", "current"),
                row.get("bucket_index", -1),
                row["bucket"],
                row["bucket_end"],
                row.get("rank", 1),
                bool(row.get("is_other", 0)),
                tuple(row[f"breakdown_{place}"] for place in broken),
                tuple(bool(row[f"is_none_{place}"]) for place in broken),
                tuple(figures),
            )
        )
    return found


def expected(history: list[Counted], asked: dict[str, Any]) -> list[Point]:
    series = [
        Series(lambda event, name=name: name in {None, event.event}, measure, number, trailing)
        for name, measure, trailing in asked["series"]
    ]
    others = {name: value for name, value in asked.items() if name not in {"series", "breakdown", "actor", "rolled"}}
    return trends(
        history,
        Question(
            series=series,
            breakdown=[BREAKDOWNS[name] for name in asked.get("breakdown", [])],
            actor=(lambda event: event.group) if asked.get("actor") == "group_id" else (lambda event: event.person),
            **others,
        ),
    )


@given(drawn=questions())
def test_every_trend_equals_the_one_that_is_counted_bucket_by_bucket(
    client: Client, table: EventTable, drawn: tuple[list[Counted], dict[str, Any]]
) -> None:
    compare_with_reference(client, table, drawn)


@given(drawn=questions(rolled=True))
def test_every_trend_of_whole_days_is_read_off_a_rollup_as_it_is_counted(
    client: Client, table: EventTable, drawn: tuple[list[Counted], dict[str, Any]]
) -> None:
    compare_with_reference(client, table, drawn)


def compare_with_reference(client: Client, table: EventTable, drawn: tuple[list[Counted], dict[str, Any]]) -> None:
    history, asked = drawn
    got = points(client, table, table.put(history), asked)
    wanted = expected(history, asked)
    assert len(got) == len(wanted)
    for one, other in zip(got, wanted, strict=True):
        index = other.bucket_index if asked["compare"] else -1
        assert replace(one, figures=()) == replace(other, figures=(), bucket_index=index)
        for figure, number in zip(one.figures, other.figures, strict=True):
            assert figure == (None if number is None else pytest.approx(number))


START = datetime(2024, 5, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def visits(*seen: tuple[str, float] | tuple[str, float, Mapping[str, str | float]]) -> list[Counted]:
    """Return visits, given as (person, day, properties)."""
    return [
        Counted(
            message_id=f"m{place}",
            event="visit",
            person=person,
            timestamp=START + day * DAY,
            received_at=START,
            properties=said[0] if said else {},
        )
        for place, (person, day, *said) in enumerate(seen)
    ]


def column(table: EventTable, history: list[Counted], measure: str, **asked: Any) -> list[float | None]:
    """Return one series of all visits, in UTC days of three days unless asked otherwise."""
    defaults = {"start": START, "end": START + 3 * DAY, "interval": "day", "zone": ZoneInfo("UTC")}
    trailing = asked.pop("trailing", 1)
    question = defaults | {"series": [(None, measure, trailing)]} | asked
    return [point.figures[0] for point in points(table.client, table, table.put(history), question)]


def test_a_person_in_two_rest_values_counts_once_in_the_rest(table: EventTable) -> None:
    history = visits(
        *(("ann", 0, {"colour": "red"}) for _ in range(3)),
        ("bob", 0, {"colour": "blue"}),
        ("bob", 1, {"colour": "green"}),
    )
    asked = {"breakdown": ["JSONExtractString(properties, 'colour')"], "top": 1, "interval": "total"}
    assert column(table, history, "actors", **asked) == [1, 1]
    assert column(table, history, "events", **asked) == [3, 2]


def test_a_value_that_reads_other_or_none_is_told_from_the_rest_and_from_a_missing_one(table: EventTable) -> None:
    colours = ["(other)"] * 4 + ["(none)"] * 3 + [""] * 2 + ["red"]
    question: dict[str, Any] = {
        "series": [(None, "events", 1)],
        "start": START,
        "end": START + DAY,
        "interval": "total",
        "zone": ZoneInfo("UTC"),
        "breakdown": ["JSONExtractString(properties, 'colour')"],
        "top": 3,
    }
    history = visits(*(("ann", 0, {"colour": colour}) for colour in colours))
    found = points(table.client, table, table.put(history), question)
    assert [(point.rank, *point.values, point.is_other, *point.is_none, *point.figures) for point in found] == [
        (1, "(other)", False, False, 4),
        (2, "(none)", False, False, 3),
        (3, "(none)", False, True, 2),
        (4, "(other)", True, False, 1),
    ]


def test_cumulative_actors_are_a_running_union(table: EventTable) -> None:
    history = visits(("ann", 0), ("bob", 0), ("ann", 2), ("cat", 2))
    assert column(table, history, "actors", cumulative=True) == [2, 2, 3]
    assert column(table, history, "events_per_actor", cumulative=True) == [1, 1, 4 / 3]


def test_trailing_actors_know_who_came_before_the_range(table: EventTable) -> None:
    history = visits(("ann", -6), ("bob", -7), ("cat", 1))
    assert column(table, history, "actors", trailing=7) == [1, 1, 1]


def test_gaps_are_0_for_counts_and_sums_and_have_no_value_otherwise(table: EventTable) -> None:
    history = visits(("ann", 1, {"amount": "many"}))
    wanted = {"events": [0, 1, 0], "actors": [0, 1, 0], "sessions": [0, 1, 0], "sum": [0, 0, 0]}
    for measure in MEASURES:
        nothing = [None, 1, None] if measure == "events_per_actor" else [None] * 3
        assert column(table, history, measure) == wanted.get(measure, nothing)


def test_a_sum_per_actor_divides_by_those_who_have_a_number(table: EventTable) -> None:
    history = visits(("ann", 0, {"amount": 6}), ("ann", 0, {"amount": 4}), ("bob", 0, {"amount": 2}), ("cat", 0))
    assert column(table, history, "sum_per_actor", interval="total") == [6]
    assert column(table, history, "events_per_actor", interval="total") == [4 / 3]


def test_days_of_the_previous_period_are_days_of_the_calendar_over_a_clock_change(table: EventTable) -> None:
    zone = ZoneInfo("Europe/Berlin")
    start = datetime(2024, 3, 31, tzinfo=zone)
    question: dict[str, Any] = {
        "series": [(None, "events", 1)],
        "start": start.astimezone(UTC),
        "end": (start + 2 * DAY).astimezone(UTC),
        "interval": "day",
        "zone": zone,
        "compare": "previous",
    }
    found = points(table.client, table, table.put([]), question)
    assert [(point.period, point.bucket_index, point.bucket.astimezone(zone).day) for point in found] == [
        ("current", 0, 31),
        ("current", 1, 1),
        ("previous", 0, 29),
        ("previous", 1, 30),
    ]


def test_hours_before_1970_are_hours_too(table: EventTable) -> None:
    """What is compared with the first hours may lie there; half an hour of Kathmandu's offset makes it odd."""
    question: dict[str, Any] = {
        "series": [(None, "events", 1)],
        "start": datetime(1970, 1, 1, tzinfo=UTC),
        "end": datetime(1970, 1, 1, 1, 45, tzinfo=UTC),
        "interval": "hour",
        "zone": ZoneInfo("Asia/Kathmandu"),
        "compare": "previous",
    }
    found = points(table.client, table, table.put([]), question)
    assert [point.bucket.strftime("%H:%M") for point in found if point.period == "previous"] == [
        "21:30",
        "22:30",
        "23:30",
    ]


def test_whole_months_are_compared_with_as_many_months(table: EventTable) -> None:
    question: dict[str, Any] = {
        "series": [(None, "events", 1)],
        "start": datetime(2024, 3, 1, tzinfo=UTC),
        "end": datetime(2024, 5, 1, tzinfo=UTC),
        "interval": "month",
        "zone": ZoneInfo("UTC"),
        "compare": "previous",
    }
    found = points(table.client, table, table.put([]), question)
    assert [(point.period, point.bucket.month) for point in found] == [
        ("current", 3),
        ("current", 4),
        ("previous", 1),
        ("previous", 2),
    ]


def test_a_moving_average_takes_in_the_days_before_the_range(table: EventTable) -> None:
    """Mixpanel: "the 7-day-average calculation will include days before the selected time period".

    https://help.mixpanel.com/hc/en-us/articles/360032529592-Interpret-an-Insights-Report
    """
    history = visits(*(("ann", day) for day in range(-6, 1)))
    assert column(table, history, "events", moving_average=7) == [1, pytest.approx(6 / 7), pytest.approx(5 / 7)]


def test_a_moving_average_of_three_days_is_mixpanels(table: EventTable) -> None:
    """Views of 1, 2, 10, 12, 13, 100, 11 a day: on the third day (10 + 2 + 1) / 3, on the fourth 8.

    https://mixpanel.com/blog/introducing-rolling-averages/
    """
    counts = [1, 2, 10, 12, 13, 100, 11]
    history = visits(*(("ann", day) for day, count in enumerate(counts) for _ in range(count)))
    asked = column(table, history, "events", start=START + 2 * DAY, end=START + 7 * DAY, moving_average=3)
    assert asked == pytest.approx([13 / 3, 8, 35 / 3, 125 / 3, 124 / 3])


def test_a_mart_over_all_projects_has_every_bucket_of_each_project_with_events(table: EventTable) -> None:
    projects = [table.put(visits(("ann", 0), ("bob", 2))), table.put([]), table.put(visits(("ann", 1)))]

    def arguments(bind: Bind) -> dict[str, Any]:
        question = {"series": [(None, "actors", 1)], "start": START, "end": START + 3 * DAY, "interval": "day"}
        wanted = sql(bind, table, 0, question | {"zone": ZoneInfo("UTC"), "cumulative": True})
        within = f"has({bind(projects, 'Array(UInt32)')}, project_id)"
        return wanted | {"project": "project_id", "where": within, "keys": ["project_id"]}

    rows = ask(table.client, "insights_trends", arguments)
    assert [(row["project_id"], row["a"]) for row in rows] == [
        *((projects[0], value) for value in (1, 1, 2)),
        *((projects[2], value) for value in (0, 1, 1)),
    ]
