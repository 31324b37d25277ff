from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.activity import EPOCH, instant
from engine.event_table import EventTable
from engine.insight_macros import render
from engine.renderings import Bind, ask
from engine.retention_questions import Question, cells, questions
from reference.calendar_buckets import bucket_start, utc_offset_s
from reference.events import Counted
from reference.retention import RetentionCell, averages, entries, is_back, retention, retention_by_value

START = datetime(2024, 5, 6, tzinfo=UTC)
HOUR = timedelta(hours=1)
PLAN = "JSONExtractString(properties, 'plan')"


def rows(table: EventTable, question: Question, project: int, **more: Any) -> list[dict[str, Any]]:
    def arguments(bind: Bind) -> dict[str, Any]:
        return question.of_events(bind, table.name, project) | {"now": instant(bind, question.now)} | more

    return ask(table.client, "insights_retention", arguments)


def persons(
    table: EventTable, question: Question, project: int, cohort: datetime, index: int, **more: Any
) -> list[str]:
    def arguments(bind: Bind) -> dict[str, Any]:
        cell = {"at": instant(bind, cohort), "period_index": bind(index, "UInt16")}
        return question.of_events(bind, table.name, project) | cell | {"actor": "person_id"} | more

    return [row["actor"] for row in ask(table.client, "insights_retention_persons", arguments)]


def daily(*visits: tuple[str, str, float], **more: Any) -> Question:
    """Ask who of the first day's comers came back; a visit is an event, a person and hours from START on."""
    return replace(
        Question(
            history=[
                Counted(
                    message_id=f"m{number}",
                    event=event,
                    person=person,
                    timestamp=START + hours * HOUR,
                    received_at=START,
                    sequence=number,
                )
                for number, (event, person, hours) in enumerate(visits)
            ],
            starts="a",
            returns="b",
            start=START,
            end=START + 24 * HOUR,
            period="day",
            zone=ZoneInfo("UTC"),
            periods=3,
            now=START + 1000 * HOUR,
        ),
        **more,
    )


def counts(table: EventTable, question: Question) -> list[int]:
    return [row["persons"] for row in rows(table, question, table.put(question.history))]


def test_a_calendar_day_later_may_be_an_hour_later_and_a_rolling_one_is_24(table: EventTable) -> None:
    visits = [("a", "ann", 23), ("b", "ann", 24)]
    assert counts(table, daily(*visits)) == [1, 1, 0, 0]
    assert counts(table, daily(*visits, clock="rolling")) == [1, 0, 0, 0]
    assert counts(table, daily(("a", "ann", 23), ("b", "ann", 47), clock="rolling")) == [1, 1, 0, 0]


def test_the_first_start_ever_counts_even_before_the_range(table: EventTable) -> None:
    visits = [("a", "ann", -1), ("a", "ann", 1), ("b", "ann", 25)]
    assert counts(table, daily(*visits)) == [0, 0, 0, 0]
    assert counts(table, daily(*visits, cohort="recurring")) == [1, 1, 0, 0]


def test_a_person_of_a_recurring_cohort_enters_in_each_period(table: EventTable) -> None:
    visits = [("a", "ann", 1), ("a", "ann", 2), ("a", "ann", 25), ("b", "ann", 49)]
    question = daily(*visits, cohort="recurring", end=START + 48 * HOUR)
    assert counts(table, question) == [1, 0, 1, 0, 1, 1, 0, 0]


def test_a_rolling_clock_of_a_recurring_cohort_starts_at_the_first_start_of_the_period(table: EventTable) -> None:
    visits = [("a", "ann", 1), ("a", "ann", 20), ("b", "ann", 26)]
    assert counts(table, daily(*visits, cohort="recurring", clock="rolling")) == [1, 1, 0, 0]


def test_on_or_after_counts_who_comes_at_any_later_time(table: EventTable) -> None:
    visits = [("a", "ann", 1), ("b", "ann", 49), ("a", "bob", 1), ("b", "bob", 900)]
    assert counts(table, daily(*visits, rule="on_or_after")) == [2, 2, 2, 1]


def test_brackets_count_who_comes_in_any_of_their_days_once(table: EventTable) -> None:
    visits = [("a", "ann", 1), ("b", "ann", 49), ("b", "ann", 73), ("a", "bob", 1), ("b", "bob", 5)]
    assert counts(table, daily(*visits, rule="brackets", brackets=[(0, 1), (2, 3), (2, 2)])) == [2, 0, 1, 1]


def test_column_0_is_the_cohort_whether_or_not_anybody_came_back_that_day(table: EventTable) -> None:
    assert counts(table, daily(("a", "ann", 1), ("a", "bob", 2), ("b", "bob", 3), periods=0)) == [2]


def test_a_rolling_period_is_complete_when_it_has_ended_for_the_last_who_may_enter(table: EventTable) -> None:
    question = daily(("a", "ann", 1), clock="rolling", now=START + 72 * HOUR)
    assert [row["is_complete"] for row in rows(table, question, table.put(question.history))] == [1, 1, 0, 0]


def test_mixpanels_example_of_ten_users_of_whom_seven_and_six_come_back(table: EventTable) -> None:
    """The example of https://docs.mixpanel.com/reference/retention-query.

    10 entered on 2 January 2012, 7 came back between 24 and 48 hours later and 6 between 48 and 72; those of the first
    24 hours are not counted here.
    """
    people = [f"user {number}" for number in range(10)]
    visits = [("a", person, number / 2) for number, person in enumerate(people)]
    visits += [("b", person, number / 2 + 5) for number, person in enumerate(people[:9])]
    visits += [("b", person, number / 2 + 24) for number, person in enumerate(people[3:], start=3)]
    visits += [("b", person, number / 2 + 71.9) for number, person in enumerate(people[:6])]
    assert counts(table, daily(*visits, clock="rolling", periods=2)) == [10, 7, 6]


def test_who_comes_on_day_two_counts_for_the_days_before_it_too(table: EventTable) -> None:
    """Return on or after, as https://amplitude.com/docs/faq/retention-analysis explains it."""
    assert counts(table, daily(("a", "ann", 1), ("b", "ann", 49), rule="on_or_after")) == [1, 1, 1, 0]


def test_a_value_that_reads_like_the_rest_is_told_from_the_rest(table: EventTable) -> None:
    plans = {"ann": "(other)", "bob": "(other)", "cat": "x", "dan": "y", "eve": ""}
    question = daily(*(("a", person, 1) for person in plans), periods=0)
    history = [replace(event, properties={"plan": plans[event.person]}) for event in question.history]
    found = rows(table, question, table.put(history), breakdown=PLAN, top="2")
    assert [(row["breakdown"], row["breakdown_kind"], row["persons"]) for row in found] == [
        ("(other)", "value", 2),
        ("(none)", "none", 1),
        ("(other)", "other", 2),
    ]


def test_the_value_of_the_entry_counts_not_that_of_a_later_start(table: EventTable) -> None:
    question = daily(("a", "ann", 1), ("a", "ann", 1), ("a", "ann", 9), periods=0)
    history = [replace(event, properties={"plan": f"plan {event.sequence}"}) for event in question.history]
    found = rows(table, question, table.put(history), breakdown=PLAN)
    assert [(row["breakdown"], row["breakdown_rank"]) for row in found] == [("plan 0", 1)]


def test_groups_come_back_when_any_of_their_members_does(table: EventTable) -> None:
    question = daily(("a", "ann", 1), ("b", "bob", 25), ("a", "cat", 1))
    groups = {"ann": "acme", "bob": "acme", "cat": ""}
    history = [replace(event, group=groups[event.person]) for event in question.history]
    by_group = {"actor": "group_id", "where": "group_type = 'account' and group_id != ''"}
    assert [row["persons"] for row in rows(table, question, table.put(history), **by_group)] == [1, 1, 0, 0]


@given(question=questions())
def test_every_grid_equals_the_one_that_is_counted_cell_by_cell(table: EventTable, question: Question) -> None:
    found = rows(table, question, table.put(question.history))
    assert cells(found) == retention(question.history, question.of_reference())
    assert [row["utc_offset_s"] for row in found] == [utc_offset_s(row["cohort"], question.zone) for row in found]


@given(question=questions(), top=st.integers(1, 3), nullable=st.booleans())
def test_every_breakdown_equals_the_one_that_is_counted_value_by_value(
    table: EventTable, *, question: Question, top: int, nullable: bool
) -> None:
    asked = question.of_reference()
    series = retention_by_value(question.history, asked, lambda event: str(event.properties.get("plan", "")), top)
    wanted = [(each.text, each.kind, each.rank, cell) for each in series for cell in each.cells if cell.cohort_size > 0]
    plan = f"nullIf({PLAN}, '')" if nullable else PLAN
    found = rows(table, question, table.put(question.history), breakdown=plan, top=str(top))
    kinds = [(row["breakdown"], row["breakdown_kind"], row["breakdown_rank"]) for row in found]
    assert [(*kind, cell) for kind, cell in zip(kinds, cells(found), strict=True)] == wanted


@given(question=questions(), place=st.integers(0, 50), index=st.integers(0, 5), value=st.sampled_from(["x", "", None]))
def test_every_list_holds_the_persons_that_its_cell_counts(
    table: EventTable, question: Question, place: int, index: int, value: str | None
) -> None:
    asked = question.of_reference()
    entered = entries(question.history, asked)
    if not entered:
        return
    cohort, column = entered[place % len(entered)].cohort, index % len(asked.last_periods())
    wanted = {
        entry.person
        for entry in entered
        if entry.cohort == cohort
        and value in {None, entry.event.properties.get("plan", "")}
        and is_back(entry, column, [event for event in question.history if event.person == entry.person], asked)
    }
    more = {} if value is None else {"breakdown": PLAN, "value_condition": f"start_value = '{value}'"}
    at = bucket_start(cohort, question.zone)
    assert persons(table, question, table.put(question.history), at, column, **more) == sorted(wanted)


@given(sizes=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.booleans(), st.integers(0, 2)), max_size=12))
def test_averages_leave_out_what_is_not_complete(table: EventTable, sizes: list[tuple[int, int, bool, int]]) -> None:
    drawn = [RetentionCell(START, index, min(back, size), size, done) for back, size, done, index in sizes]
    values = ", ".join(
        f"({cell.period_index}, {cell.persons}, {cell.cohort_size}, {cell.is_complete})" for cell in drawn
    )
    structure = "period_index UInt32, persons UInt64, cohort_size UInt64, is_complete Bool"
    grid = f"select * from values('{structure}', {values or '(0, 0, 0, false)'})"
    found = table.client.query(render("insights_retention_averages", grid=grid)).named_results()
    for row in found:
        wanted = averages(drawn).get(row["period_index"])
        got = (row["weighted_average"], row["simple_average"])
        assert got == ((None, None) if wanted is None else pytest.approx(wanted))


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
    question = Question(
        history=[
            Counted(message_id=f"m{number}", event="a", person="p", timestamp=at, received_at=at)
            for number, at in enumerate(visits)
        ],
        starts=None,
        returns=None,
        start=EPOCH,
        end=EPOCH + timedelta(hours=1),
        period=period,
        zone=ZoneInfo(zone),
        periods=6,
        now=EPOCH + timedelta(days=50),
    )
    found = cells(rows(table, question, table.put(question.history)))
    assert (found[0].cohort, found[0].persons) == (datetime.fromisoformat(cohort), 1)
    assert found == retention(question.history, question.of_reference())
