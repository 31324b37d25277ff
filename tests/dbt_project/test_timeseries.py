from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import given
from hypothesis import strategies as st

from engine.event_table import EventTable, milliseconds, sql_instant
from engine.insight_macros import render
from reference.calendar_buckets import bucket_end, utc_offset_s
from reference.events import Counted
from reference.timeseries import timeseries

# Clock changes at midnight (Havana), by half an hour (Lord Howe), odd offsets, a day that a zone skipped (Apia).
ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/Havana",
    "America/Sao_Paulo",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "America/St_Johns",
]
# Whose rules are odd or were changed lately; each costs the engine 50 ms and its table of days.
MORE_ZONES = [
    "Africa/Cairo",
    "Africa/Casablanca",
    "America/Asuncion",
    "America/Nuuk",
    "America/Santiago",
    "America/Vancouver",
    "Antarctica/Troll",
    "Asia/Amman",
    "Asia/Beirut",
    "Asia/Gaza",
    "Asia/Tehran",
    "Atlantic/Azores",
    "Pacific/Chatham",
    "Pacific/Kwajalein",
]
# What a client means that sends 0 as the time.
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOMENTS = [
    EPOCH + timedelta(hours=4),
    datetime(2024, 3, 31, 1, tzinfo=UTC),
    datetime(2024, 10, 27, 1, tzinfo=UTC),
    datetime(2024, 11, 3, 5, tzinfo=UTC),
    datetime(2018, 11, 4, 3, tzinfo=UTC),
    datetime(2024, 4, 6, 15, tzinfo=UTC),
    datetime(2011, 12, 30, 10, tzinfo=UTC),
    datetime(2023, 12, 31, 23, 59, tzinfo=UTC),
    datetime(2024, 2, 29, 12, tzinfo=UTC),
]
REACH = {
    "hour": timedelta(hours=30),
    "day": timedelta(days=4),
    "week": timedelta(days=40),
    "month": timedelta(days=200),
}


@st.composite
def instants(draw: st.DrawFn, around: datetime, reach: timedelta) -> datetime:
    """Draw an instant near `around`; full and half hours, where buckets meet, come often."""
    within = reach // timedelta(milliseconds=1)
    if draw(st.booleans()):
        return max(EPOCH, around + timedelta(milliseconds=draw(st.integers(-within, within))))
    halves = reach // timedelta(minutes=30)
    return max(EPOCH, around.replace(minute=0) + draw(st.integers(-halves, halves)) * timedelta(minutes=30))


@st.composite
def questions(draw: st.DrawFn) -> dict[str, Any]:
    interval = draw(st.sampled_from(sorted(REACH)))
    around = draw(st.sampled_from(MOMENTS))
    moments = instants(around, REACH[interval])
    start, end = sorted((draw(moments), draw(moments)))
    people = st.sampled_from(["ann", "bob", "cat"])
    drawn = draw(st.lists(st.tuples(st.sampled_from("ab"), people, st.sampled_from("st"), moments), max_size=25))
    return {
        "history": [
            Counted(message_id=f"m{number}", event=name, person=person, session=session, timestamp=at, received_at=at)
            for number, (name, person, session, at) in enumerate(drawn)
        ],
        "event": draw(st.sampled_from(["a", "b", None])),
        "start": start,
        "end": end,
        "interval": interval,
        "zone": ZoneInfo(draw(st.sampled_from(ZONES))),
        "measure": draw(st.sampled_from(["events", "persons", "sessions"])),
        "week_start": draw(st.integers(1, 7)),
    }


def ask(table: EventTable, project: int, question: dict[str, Any]) -> list[tuple[datetime, int]]:
    """Ask with literals, as a dbt model does, and with bound placeholders, as the API does; both must agree."""
    event, timezone = question["event"], question["zone"].key
    literal = render(
        "insights_timeseries",
        relation=table.name,
        project=str(project),
        event=f"'{event}'" if event else None,
        start=sql_instant(question["start"]),
        end=sql_instant(question["end"]),
        interval=question["interval"],
        timezone=f"'{timezone}'",
        measure=question["measure"],
        week_start=str(question["week_start"]),
    )
    bound = render(
        "insights_timeseries",
        relation=table.name,
        project="{project_id:UInt32}",
        event="{event:String}" if event else None,
        start="fromUnixTimestamp64Milli({start:Int64}, 'UTC')",
        end="fromUnixTimestamp64Milli({end:Int64}, 'UTC')",
        interval=question["interval"],
        timezone="{timezone:String}",
        measure=question["measure"],
        week_start="{week_start:UInt8}",
    )
    parameters = {
        "project_id": project,
        "event": event or "",
        "start": milliseconds(question["start"]),
        "end": milliseconds(question["end"]),
        "timezone": timezone,
        "week_start": question["week_start"],
    }
    rows = table.client.query(literal).result_rows
    assert rows == table.client.query(bound, parameters=parameters).result_rows
    zone, interval, week_start = question["zone"], question["interval"], question["week_start"]
    assert [row[1:3] for row in rows] == [
        (bucket_end(start, interval, zone, week_start), utc_offset_s(start, zone)) for start, *_ in rows
    ]
    return [(start, value) for start, _, _, value in rows]


@given(question=questions())
def test_every_series_equals_the_one_that_is_counted_bucket_by_bucket(
    table: EventTable, question: dict[str, Any]
) -> None:
    history = question["history"]
    wanted = timeseries(history, **{name: value for name, value in question.items() if name != "history"})
    assert ask(table, table.put(history), question) == wanted


def series(table: EventTable, **question: Any) -> list[datetime]:
    defaults = {"event": None, "measure": "events", "week_start": 1}
    return [bucket for bucket, _ in ask(table, table.put([]), defaults | question)]


@pytest.mark.parametrize(("day", "hours"), [("2024-03-31", 23), ("2024-10-27", 25), ("2024-06-01", 24)])
def test_a_day_over_a_clock_change_has_as_many_hours_as_it_has(table: EventTable, day: str, hours: int) -> None:
    zone = ZoneInfo("Europe/Berlin")
    start = datetime.fromisoformat(day).replace(tzinfo=zone)
    end = start + timedelta(days=1)
    asked = series(table, start=start.astimezone(UTC), end=end.astimezone(UTC), interval="hour", zone=zone)
    assert len(asked) == len(set(asked)) == hours


def test_a_day_that_a_zone_skipped_is_no_bucket(table: EventTable) -> None:
    asked = series(
        table,
        start=datetime(2011, 12, 29, 10, tzinfo=UTC),
        end=datetime(2012, 1, 1, 10, tzinfo=UTC),
        interval="day",
        zone=ZoneInfo("Pacific/Apia"),
    )
    assert [day.astimezone(ZoneInfo("Pacific/Apia")).date().isoformat() for day in asked] == [
        "2011-12-29",
        "2011-12-31",
        "2012-01-01",
    ]


def test_an_empty_window_has_no_bucket(table: EventTable) -> None:
    moment = datetime(2024, 5, 1, tzinfo=UTC)
    assert series(table, start=moment, end=moment, interval="day", zone=ZoneInfo("UTC")) == []


def test_the_first_day_of_1970_began_in_1969_west_of_greenwich(table: EventTable) -> None:
    asked = series(
        table, start=EPOCH, end=EPOCH + timedelta(hours=8), interval="day", zone=ZoneInfo("America/St_Johns")
    )
    assert asked == [datetime(1969, 12, 31, 3, 30, tzinfo=UTC), datetime(1970, 1, 1, 3, 30, tzinfo=UTC)]


@pytest.mark.parametrize("zone", [*ZONES, *MORE_ZONES])
def test_every_day_of_a_zone_begins_where_its_date_does_and_one_that_it_skipped_with_the_next(
    client: Client, zone: str
) -> None:
    timezone = f"'{zone}'"
    start = render("insights_bucket_start", bucket="day", interval="day", timezone=timezone)
    first = render("insights_bucket", instant="start", interval="day", timezone=timezone)
    before = render("insights_bucket", instant="start - toIntervalSecond(1)", interval="day", timezone=timezone)
    days = f"select toDate32('1970-01-01') + number as day, {start} as start from numbers(365 * 68)"
    wrong = f"select day, start from ({days}) where not ({first} >= day and {before} < day) limit 3"
    assert client.query(wrong).result_rows == []
