from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.event_table import EventTable, milliseconds, sql_instant
from engine.insight_macros import render
from reference.calendar_buckets import utc_offset_s
from reference.events import Counted
from reference.retention import RetentionCell, retention

# What a client means that sends 0 as the time.
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The clocks of Berlin change within reach of the first; a month and a year end in reach of the longer periods.
AROUND = [datetime(2024, 3, 31, 1, tzinfo=UTC), EPOCH + timedelta(hours=4)]
REACH = {"hour": timedelta(hours=8), "day": timedelta(days=5), "week": timedelta(days=30), "month": timedelta(days=120)}


@st.composite
def questions(draw: st.DrawFn) -> dict[str, Any]:
    period = draw(st.sampled_from(sorted(REACH)))
    around = draw(st.sampled_from(AROUND))
    quarters = REACH[period] // timedelta(minutes=15)
    moments = st.integers(-quarters, quarters).map(lambda quarter: max(EPOCH, around + quarter * timedelta(minutes=15)))
    start, end = sorted((draw(moments), draw(moments)))
    drawn = draw(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("pqrstu"), moments), max_size=30))
    return {
        "history": [
            Counted(message_id=f"m{number}", event=name, person=person, timestamp=at, received_at=at)
            for number, (name, person, at) in enumerate(drawn)
        ],
        "starts": draw(st.sampled_from(["a", "b", None])),
        "returns": draw(st.sampled_from(["a", "b", None])),
        "start": start,
        "end": end,
        "period": period,
        "zone": ZoneInfo(draw(st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/Havana"]))),
        "periods": draw(st.integers(0, 5)),
        "now": draw(moments),
        "week_start": draw(st.sampled_from([1, 7])),
    }


def ask(table: EventTable, project: int, question: dict[str, Any]) -> list[RetentionCell]:
    """Ask with literals, as a dbt model does, and with bound placeholders, as the API does; both must agree."""
    starts, returns = question["starts"], question["returns"]
    literal = render(
        "insights_retention",
        relation=table.name,
        project=str(project),
        start_condition=f"event = '{starts}'" if starts else "true",
        return_condition=f"event = '{returns}'" if returns else "true",
        start=sql_instant(question["start"]),
        end=sql_instant(question["end"]),
        period=question["period"],
        timezone=f"'{question['zone'].key}'",
        periods=question["periods"],
        week_start=question["week_start"],
        now=sql_instant(question["now"]),
    )
    bound = render(
        "insights_retention",
        relation=table.name,
        project="{project_id:UInt32}",
        start_condition="event = {starts:String}" if starts else "true",
        return_condition="event = {returns:String}" if returns else "true",
        start="fromUnixTimestamp64Milli({start:Int64}, 'UTC')",
        end="fromUnixTimestamp64Milli({end:Int64}, 'UTC')",
        period=question["period"],
        timezone="{timezone:String}",
        periods="{periods:UInt32}",
        week_start="{week_start:UInt8}",
        now="fromUnixTimestamp64Milli({now:Int64}, 'UTC')",
    )
    parameters = {
        "project_id": project,
        "starts": starts or "",
        "returns": returns or "",
        "start": milliseconds(question["start"]),
        "end": milliseconds(question["end"]),
        "timezone": question["zone"].key,
        "periods": question["periods"],
        "week_start": question["week_start"],
        "now": milliseconds(question["now"]),
    }
    rows = table.client.query(literal).result_rows
    assert rows == table.client.query(bound, parameters=parameters).result_rows
    assert [row[1] for row in rows] == [utc_offset_s(row[0], question["zone"]) for row in rows]
    return [RetentionCell(row[0], *row[2:5], is_complete=bool(row[5])) for row in rows]


def expected(question: dict[str, Any]) -> list[RetentionCell]:
    starts, returns = question["starts"], question["returns"]
    return retention(
        question["history"],
        starts=lambda event: starts in {None, event.event},
        returns=lambda event: returns in {None, event.event},
        start=question["start"],
        end=question["end"],
        period=question["period"],
        zone=question["zone"],
        periods=question["periods"],
        now=question["now"],
        week_start=question["week_start"],
    )


@given(question=questions())
def test_every_grid_equals_the_one_that_is_counted_cell_by_cell(table: EventTable, question: dict[str, Any]) -> None:
    assert ask(table, table.put(question["history"]), question) == expected(question)


@pytest.mark.parametrize(
    ("period", "zone", "cohort"),
    [
        ("hour", "Asia/Kolkata", "1969-12-31T23:30:00Z"),
        ("day", "America/New_York", "1969-12-31T05:00:00Z"),
        ("week", "UTC", "1969-12-29T00:00:00Z"),
        ("month", "America/New_York", "1969-12-01T05:00:00Z"),
    ],
)
def test_who_came_when_time_began_is_in_a_cohort_of_1969(
    table: EventTable, period: str, zone: str, cohort: str
) -> None:
    visits = [EPOCH + timedelta(seconds=5), EPOCH + timedelta(days=40)]
    question: dict[str, Any] = {
        "history": [
            Counted(message_id=f"m{number}", event="a", person="p", timestamp=at, received_at=at)
            for number, at in enumerate(visits)
        ],
        "starts": None,
        "returns": None,
        "start": EPOCH,
        "end": EPOCH + timedelta(hours=1),
        "period": period,
        "zone": ZoneInfo(zone),
        "periods": 6,
        "now": EPOCH + timedelta(days=50),
        "week_start": 1,
    }
    cells = ask(table, table.put(question["history"]), question)
    assert (cells[0].cohort, cells[0].persons) == (datetime.fromisoformat(cohort), 1)
    assert cells == expected(question)
