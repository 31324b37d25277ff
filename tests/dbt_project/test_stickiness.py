from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from engine.activity import Asked, activity, asked, numbered
from engine.event_table import EventTable
from engine.renderings import Bind, ask
from reference.events import Counted
from reference.stickiness import stickiness

START = datetime(2024, 5, 6, tzinfo=UTC)
HISTORIES = {"ann": [0, 0, 1, 6], "bob": [2, 3, 5], "cat": [-1, 4, 7], "dan": [-2]}


def week(*, start: datetime = START, end: datetime = START + timedelta(days=7)) -> Asked:
    """Ask about the days of a week; a person visits on the days that HISTORIES names."""
    visits = [(person, START + timedelta(days=day, hours=9)) for person, days in HISTORIES.items() for day in days]
    return Asked(
        history=[
            Counted(message_id=f"m{number}", event="a", person=person, timestamp=at, received_at=at)
            for number, (person, at) in enumerate(visits)
        ],
        start=start,
        end=end,
        interval="day",
        zone=ZoneInfo("UTC"),
        week_start=1,
        now=START,
        event=None,
    )


def rows(table: EventTable, question: Asked, project: int, *, rolled: bool = False) -> list[dict[str, Any]]:
    def arguments(bind: Bind) -> dict[str, Any]:
        calendar = question.of_macro(bind)
        bounds = {name: calendar[name] for name in ("start", "end")}
        return calendar | {
            "activity": activity(bind, table, project, question.event, calendar, rolled=rolled, **bounds)
        }

    return ask(table.client, "insights_stickiness", arguments)


def persons(table: EventTable, question: Asked, project: int, buckets: int, *, at_least: bool) -> list[str]:
    def arguments(bind: Bind) -> dict[str, Any]:
        calendar = question.of_macro(bind)
        source = activity(bind, table, project, question.event, calendar)
        named = {"buckets": bind(buckets, "UInt32"), "at_least": at_least}
        return calendar | named | {"activity": source}

    names = numbered(question.history)
    return [names[row["actor"]] for row in ask(table.client, "insights_stickiness_persons", arguments)]


def test_two_visits_on_a_day_are_one_day_and_days_outside_of_the_range_do_not_count(table: EventTable) -> None:
    question = week()
    found = rows(table, question, table.put(question.history))
    assert [(row["buckets"], row["persons"]) for row in found if row["persons"]] == [(1, 1), (3, 2)]
    assert len(found) == 7


def test_at_least_counts_those_of_more_days_too(table: EventTable) -> None:
    question = week()
    found = rows(table, question, table.put(question.history))
    assert [row["persons_at_least"] for row in found] == [3, 2, 2, 0, 0, 0, 0]


def test_a_range_that_cuts_days_takes_them_whole(table: EventTable) -> None:
    cut = week(start=START + timedelta(hours=20), end=START + timedelta(days=6, hours=1))
    project = table.put(cut.history)
    assert rows(table, cut, project) == rows(table, week(), project)


def test_with_keys_each_project_has_rows_up_to_its_stickiest_person(table: EventTable) -> None:
    question = week()
    projects = [table.put(question.history), table.put([])]

    def arguments(bind: Bind) -> dict[str, Any]:
        calendar = question.of_macro(bind)
        where = f"has({bind(projects, 'Array(UInt32)')}, project_id)"
        source = activity(bind, table, "project_id", None, calendar, where=where, keys=["project_id"])
        return calendar | {"activity": source, "keys": ["project_id"]}

    found = ask(table.client, "insights_stickiness", arguments)
    assert [tuple(row.values()) for row in found] == [
        (projects[0], 1, 1, 3),
        (projects[0], 2, 0, 2),
        (projects[0], 3, 2, 2),
    ]


@given(question=asked(), rolled=st.booleans(), at_least=st.booleans(), place=st.integers(0, 20))
def test_every_count_equals_the_one_that_is_made_person_by_person(
    table: EventTable, *, question: Asked, rolled: bool, at_least: bool, place: int
) -> None:
    project = table.put(question.history)
    wanted = stickiness(question.history, **question.of_reference())
    found = rows(table, question, project, rolled=rolled and question.interval != "hour")
    assert [(row["buckets"], row["persons"]) for row in found] == [
        (count, len(persons)) for count, persons in enumerate(wanted, start=1)
    ]
    assert [row["persons_at_least"] for row in found] == [sum(map(len, wanted[count:])) for count in range(len(wanted))]
    if wanted:
        count = place % min(len(wanted), 6) + 1
        chosen = set().union(*wanted[count - 1 :]) if at_least else wanted[count - 1]
        names = numbered(question.history)
        listed = persons(table, question, project, count, at_least=at_least)
        assert listed == sorted(chosen, key=names.index)
