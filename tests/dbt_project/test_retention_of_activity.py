from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.activity import activity, instant, numbered, starts_of_days
from engine.event_table import EventTable
from engine.renderings import Bind, ask
from engine.retention_questions import Question, cells, questions
from reference.calendar_buckets import bucket_start, utc_offset_s
from reference.events import Counted
from reference.retention import entries, is_back, retention

START = datetime(2024, 5, 6, tzinfo=UTC)
DAY = timedelta(days=1)


def of_activity(
    bind: Bind, table: EventTable, project: int | str, question: Question, *, rolled: bool = False, **more: Any
) -> dict[str, Any]:
    asked = question.of_calendar(bind)
    calendar = asked | {"interval": question.period}
    if rolled:
        starts = starts_of_days(bind, table, project, question.starts, asked, **more)
    else:
        since_start = {} if question.cohort == "first_time" else {"start": asked["start"]}
        starts = activity(bind, table, project, question.starts, calendar, end=asked["end"], **since_start, **more)
    return asked | {
        "starts": starts,
        "returns": activity(
            bind, table, project, question.returns, calendar, rolled=rolled, start=asked["start"], **more
        ),
        "now": instant(bind, question.now),
    }


def persons(table: EventTable, question: Question, project: int, cohort: datetime, index: int) -> list[str]:
    distances = {
        "on": (index, index),
        "on_or_after": (index, None),
        "brackets": question.brackets[index - 1] if question.rule == "brackets" else (None, None),
    }[question.rule]
    first, last = (None, None) if index == 0 else distances

    def arguments(bind: Bind) -> dict[str, Any]:
        given = of_activity(bind, table, project, question)
        return {name: given[name] for name in ("starts", "returns", "period", "timezone", "week_start", "cohort")} | {
            "at": instant(bind, cohort),
            "first_distance": None if first is None else bind(first, "UInt16"),
            "last_distance": None if last is None else bind(last, "UInt16"),
        }

    names = numbered(question.history)
    return [names[row["actor"]] for row in ask(table.client, "insights_retention_persons_of_activity", arguments)]


@given(question=questions(clocks=("calendar",), whole="period"))
def test_every_grid_of_sets_equals_the_one_that_is_counted_cell_by_cell(table: EventTable, question: Question) -> None:
    assert_counted(table, question, rolled=False)


@given(question=questions(clocks=("calendar",), periods=("day", "week", "month"), whole="day"))
def test_every_grid_of_sets_by_day_equals_the_one_that_is_counted_cell_by_cell(
    table: EventTable, question: Question
) -> None:
    assert_counted(table, question, rolled=True)


def assert_counted(table: EventTable, question: Question, *, rolled: bool) -> None:
    project = table.put(question.history)
    found = ask(
        table.client,
        "insights_retention_of_activity",
        lambda bind: of_activity(bind, table, project, question, rolled=rolled),
    )
    assert cells(found) == retention(question.history, question.of_reference())
    assert [row["utc_offset_s"] for row in found] == [utc_offset_s(row["cohort"], question.zone) for row in found]


@given(question=questions(clocks=("calendar",), whole="period"), place=st.integers(0, 50), index=st.integers(0, 5))
def test_every_list_holds_the_persons_that_its_cell_counts(
    table: EventTable, question: Question, place: int, index: int
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
        and is_back(entry, column, [event for event in question.history if event.person == entry.person], asked)
    }
    names = numbered(question.history)
    at = bucket_start(cohort, question.zone)
    assert persons(table, question, table.put(question.history), at, column) == sorted(wanted, key=names.index)


def visits(*days: tuple[str, int]) -> Question:
    """Ask about two days' comers; a visit is a person and a day from START on."""
    return Question(
        history=[
            Counted(message_id=f"m{number}", event="a", person=person, timestamp=START + day * DAY, received_at=START)
            for number, (person, day) in enumerate(days)
        ],
        starts="a",
        returns=None,
        start=START,
        end=START + 2 * DAY,
        period="day",
        zone=ZoneInfo("UTC"),
        periods=2,
        now=START + 9 * DAY,
    )


@pytest.mark.parametrize("rolled", [False, True])
@pytest.mark.parametrize("rule", ["on", "on_or_after", "brackets"])
@pytest.mark.parametrize("cohort", ["first_time", "recurring"])
def test_with_keys_each_project_has_its_own_cohorts_and_only_those_with_persons(
    table: EventTable, cohort: str, rule: str, *, rolled: bool
) -> None:
    question = replace(visits(("ann", 0), ("ann", 2), ("bob", 1)), cohort=cohort, rule=rule, brackets=[(1, 1), (2, 2)])
    other = replace(question, history=visits(("cat", 1), ("cat", 2), ("ann", 2)).history)
    projects = [table.put(question.history), table.put(other.history)]

    def arguments(bind: Bind) -> dict[str, Any]:
        where = f"has({bind(projects, 'Array(UInt32)')}, project_id)"
        given = of_activity(bind, table, "project_id", question, rolled=rolled, where=where, keys=["project_id"])
        return given | {"keys": ["project_id"]}

    found = ask(table.client, "insights_retention_of_activity", arguments)
    wanted = [
        (project, cell.cohort, cell.period_index, cell.persons)
        for project, each in zip(projects, (question, other), strict=True)
        for cell in retention(each.history, each.of_reference())
        if cell.cohort_size > 0
    ]
    assert [(row["project_id"], row["cohort"], row["period_index"], row["persons"]) for row in found] == wanted
