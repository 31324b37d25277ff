from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from engine.event_table import EventTable
from engine.funnels import MINUTE, START, Question, history, rows
from reference.events import Counted
from reference.funnel import counted_attempts
from reference.funnel_figures import trend

ZONES = ["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns"]
SPREAD = {"hour": timedelta(hours=5), "day": timedelta(days=4), "week": timedelta(days=20), "month": timedelta(days=90)}
AROUND = [datetime.fromisoformat("2024-03-31T01:00Z"), datetime.fromisoformat("2024-12-31T18:00Z")]


@given(data=st.data(), interval=st.sampled_from(sorted(SPREAD)), around=st.sampled_from(AROUND))
def test_a_trend_counts_by_the_calendar_bucket_of_the_entry(
    table: EventTable, data: st.DataObject, interval: str, around: datetime
) -> None:
    quarter = timedelta(minutes=15)
    moments = st.integers(-(SPREAD[interval] // quarter), SPREAD[interval] // quarter).map(
        lambda number: around + number * quarter
    )
    drawn = data.draw(st.lists(st.tuples(st.sampled_from("ac"), st.sampled_from("pqrs"), moments), max_size=25))
    events = [
        Counted(message_id=f"m{number}", event=name, person=person, timestamp=at, received_at=at)
        for number, (name, person, at) in enumerate(drawn)
    ]
    first, last = sorted((data.draw(moments), data.draw(moments)))
    question = Question(
        steps=["a", "c"],
        start=(first - START) // MINUTE,
        end=(last - START) // MINUTE,
        window=SPREAD[interval] // MINUTE,
    )
    zone, week_start = ZoneInfo(data.draw(st.sampled_from(ZONES))), data.draw(st.sampled_from([1, 7]))
    asked = rows(
        table,
        "insights_funnel_trend",
        events,
        question,
        interval=interval,
        timezone=f"'{zone.key}'",
        week_start=str(week_start),
    )
    attempts = counted_attempts(events, question.reference).values()
    assert [(row["bucket"], row["step"], row["persons"]) for row in asked] == trend(
        attempts, 2, first, last, interval=interval, zone=zone, week_start=week_start
    )


def test_a_trend_by_value_has_every_bucket_for_each_value_and_says_what_is_incomplete(table: EventTable) -> None:
    events = [*history(("a", 0, {"plan": "p"}), ("b", 1)), *history(("a", 70, {"plan": "q"}), person="bob")]
    question = Question(steps=["a", "b"], breakdown="plan", end=120, now=START + 75 * MINUTE)
    asked = rows(table, "insights_funnel_trend", events, question, interval="hour", timezone="'UTC'")
    assert [
        (row["breakdown"], row["bucket"] == START, row["step"], row["persons"], row["incomplete_persons"])
        for row in asked
    ] == [
        ("p", True, 1, 1, 0),
        ("p", True, 2, 1, 0),
        ("p", False, 1, 0, 0),
        ("p", False, 2, 0, 0),
        ("q", True, 1, 0, 0),
        ("q", True, 2, 0, 0),
        ("q", False, 1, 1, 1),
        ("q", False, 2, 0, 0),
    ]
