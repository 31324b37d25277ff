"""Rollups by day and hour answer whole days as the events do."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import assume, given
from hypothesis import strategies as st

from engine.activity import EPOCH, ZONES, instant
from engine.event_table import EventTable
from engine.insight_macros import render
from engine.renderings import Bind, ask
from reference.events import Counted
from reference.timeseries import timeseries

# Clocks change, a day is skipped, a year ends, and time begins.
DAYS = [date(2024, 3, 30), date(2024, 4, 6), date(2011, 12, 29), date(2023, 12, 30), date(1970, 1, 2)]
HOURS = {"hour": 1, "day": 4, "week": 20, "month": 70}


@st.composite
def questions(draw: st.DrawFn) -> dict[str, Any]:
    """Draw events around a few days, and a range of whole days."""
    interval, zone = draw(st.sampled_from(sorted(HOURS))), ZoneInfo(draw(st.sampled_from(ZONES)))
    first, reach = draw(st.sampled_from(DAYS)), HOURS[interval]
    start, end = (day_start(first + timedelta(days=draw(st.integers(low, reach))), zone) for low in (0, 1))
    assume(start < end)
    minutes = st.integers(-1440, (reach + 2) * 1440)
    people = st.sampled_from(["ann", "bob", "cat"])
    drawn = draw(st.lists(st.tuples(st.sampled_from("ab"), people, minutes), max_size=25))
    began = datetime.combine(first, time(), UTC)
    history: list[Counted] = []
    for number, (name, person, minute) in enumerate(drawn):
        at = max(EPOCH, began + timedelta(minutes=minute))
        history.append(
            Counted(message_id=f"m{number}", event=name, person=person, session="s", timestamp=at, received_at=at)
        )
    return {
        "history": history,
        "event": draw(st.sampled_from(["a", None])),
        "start": start,
        "end": end,
        "interval": interval,
        "zone": zone,
        "measure": draw(st.sampled_from(["events", "persons"])),
        "week_start": draw(st.integers(1, 7)),
    }


def day_start(day: date, zone: ZoneInfo) -> datetime:
    """Return the instant at which a day begins; of one that the zone skipped, where the next one does."""
    found = datetime.combine(day, time(), zone).astimezone(UTC)
    while found.astimezone(zone).date() < day:
        found += timedelta(minutes=15)
    return found


def rollup(table: EventTable, interval: str, timezone: str) -> str:
    """Return a rollup of the table's events by the hour or day in a zone."""
    when = "hour_at" if interval == "hour" else "event_date"
    bucket = render(
        "insights_bucket", instant="timestamp", interval="hour" if interval == "hour" else "day", timezone=timezone
    )
    return (
        f"(select project_id, event, {bucket} as {when}, count() as events, groupBitmapState(person_number) as persons"
        f" from {table.name} group by project_id, event, {when})"
    )


def arguments_of(table: EventTable, project: int, question: dict[str, Any], bind: Bind) -> dict[str, Any]:
    timezone = bind(question["zone"].key, "String")
    return {
        "relation": rollup(table, question["interval"], timezone),
        "project": bind(project, "UInt32"),
        "start": instant(bind, question["start"]),
        "end": instant(bind, question["end"]),
        "timezone": timezone,
    }


@given(question=questions())
def test_every_series_of_whole_days_equals_the_one_that_is_counted_bucket_by_bucket(
    table: EventTable, question: dict[str, Any]
) -> None:
    history, event = question["history"], question["event"]
    project = table.put(history)
    found = ask(
        table.client,
        "insights_timeseries_of_rollup",
        lambda bind: (
            arguments_of(table, project, question, bind)
            | {
                "condition": "true" if event is None else f"event = {bind(event, 'String')}",
                "interval": question["interval"],
                "measure": question["measure"],
                "week_start": bind(question["week_start"], "UInt8"),
            }
        ),
    )
    asked = {name: value for name, value in question.items() if name != "history"}
    assert [(row["bucket"], row["value"]) for row in found] == timeseries(history, **asked)


@given(question=questions())
def test_event_names_of_whole_days_equal_those_of_the_events(table: EventTable, question: dict[str, Any]) -> None:
    project = table.put(question["history"])
    question |= {"interval": "day"}
    found = ask(table.client, "insights_event_names_of_days", lambda bind: arguments_of(table, project, question, bind))
    of_name: dict[str, list[str]] = {}
    for event in question["history"]:
        if question["start"] <= event.timestamp < question["end"]:
            of_name.setdefault(event.event, []).append(event.person)
    counted = [(name, len(persons), len(set(persons))) for name, persons in of_name.items()]
    wanted = sorted(counted, key=lambda row: (-row[1], row[0]))
    assert [tuple(row.values()) for row in found] == wanted
