from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.event_table import EventTable, milliseconds, sql_instant
from engine.insight_macros import render
from reference.events import Counted
from reference.retention import RetentionCell, retention

# The clocks of Berlin change within reach of it; a month and a year end in reach of the longer periods.
AROUND = datetime(2024, 3, 31, 1, tzinfo=UTC)
REACH = {"hour": timedelta(hours=8), "day": timedelta(days=5), "week": timedelta(days=30), "month": timedelta(days=120)}


@st.composite
def questions(draw: st.DrawFn) -> dict[str, Any]:
    period = draw(st.sampled_from(sorted(REACH)))
    quarters = REACH[period] // timedelta(minutes=15)
    moments = st.integers(-quarters, quarters).map(lambda quarter: AROUND + quarter * timedelta(minutes=15))
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
    return [RetentionCell(*row[:4], is_complete=bool(row[4])) for row in rows]


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
@settings(max_examples=100, deadline=None)
def test_every_grid_equals_the_one_that_is_counted_cell_by_cell(table: EventTable, question: dict[str, Any]) -> None:
    assert ask(table, table.put(question["history"]), question) == expected(question)
