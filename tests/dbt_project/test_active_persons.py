from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from engine.activity import Asked, activity, asked, instant, numbered
from engine.event_table import EventTable
from engine.insight_macros import render
from engine.renderings import Bind, ask
from reference.active_persons import active_persons
from reference.calendar_buckets import utc_offset_s
from reference.events import Counted

START = datetime(2024, 5, 6, tzinfo=UTC)


def rows(
    table: EventTable, question: Asked, project: int, trailings: list[int], *, rolled: bool = False
) -> list[dict[str, Any]]:
    def arguments(bind: Bind) -> dict[str, Any]:
        calendar = question.of_macro(bind)
        bounds = {name: calendar[name] for name in ("start", "end")} | {"before": bind(max(trailings) - 1, "UInt16")}
        return calendar | {
            "activity": activity(bind, table, project, question.event, calendar, rolled=rolled, **bounds),
            "trailings": bind(trailings, "Array(UInt16)"),
            "now": instant(bind, question.now),
        }

    return ask(table.client, "insights_active_persons", arguments)


def persons(table: EventTable, question: Asked, project: int, at: datetime, trailing: int) -> set[str]:
    def arguments(bind: Bind) -> dict[str, Any]:
        calendar = question.of_macro(bind)
        source = activity(bind, table, project, question.event, calendar)
        named_so = {"at": instant(bind, at), "trailing": bind(trailing, "UInt16")}
        named = {name: value for name, value in calendar.items() if name not in {"start", "end"}}
        return named | named_so | {"activity": source}

    names = numbered(question.history)
    return {names[row["actor"]] for row in ask(table.client, "insights_active_persons_list", arguments)}


def days(*visits: tuple[str, int], count: int = 3) -> Asked:
    """Ask about the days from START on; a visit is a person and a day."""
    moments = [(person, START + timedelta(days=day, hours=9)) for person, day in visits]
    return Asked(
        history=[
            Counted(message_id=f"m{number}", event="a", person=person, timestamp=at, received_at=at)
            for number, (person, at) in enumerate(moments)
        ],
        start=START,
        end=START + timedelta(days=count),
        interval="day",
        zone=ZoneInfo("UTC"),
        week_start=1,
        now=START + timedelta(days=1),
        event=None,
    )


def test_weekly_active_persons_are_those_of_the_last_seven_days_with_the_day_itself(table: EventTable) -> None:
    question = days(("ann", -6), ("bob", -5), ("ann", 1), ("ann", 1))
    found = rows(table, question, table.put(question.history), [1, 7])
    assert [row["persons"] for row in found] == [0, 1, 0, 2, 2, 1]
    assert [row["trailing"] for row in found] == [1, 1, 1, 7, 7, 7]


def test_monthly_active_persons_are_those_of_thirty_days(table: EventTable) -> None:
    question = days(("ann", -29), ("bob", -30))
    assert [row["persons"] for row in rows(table, question, table.put(question.history), [30])] == [1, 0, 0]


def test_a_day_is_complete_when_it_has_ended(table: EventTable) -> None:
    question = days()
    assert [bool(row["is_complete"]) for row in rows(table, question, table.put([]), [1])] == [True, False, False]


def test_groups_are_counted_exactly_by_numbers_made_for_the_question(table: EventTable) -> None:
    question = days(count=1)
    history = [
        Counted(message_id=f"m{number}", event="a", person=person, group=group, timestamp=START, received_at=START)
        for number, (person, group) in enumerate([("ann", "acme"), ("bob", "acme"), ("cat", "bolt"), ("dan", "")])
    ]
    project = table.put(history)

    def arguments(bind: Bind) -> dict[str, Any]:
        calendar = question.of_macro(bind)
        where = "group_type = 'account' and group_id != ''"
        numbers = render(
            "insights_numbered", relation=table.name, project=bind(project, "UInt32"), actor="group_id", where=where
        )
        source = activity(bind, table, project, None, calendar, relation=numbers, where=where, actor="actor_number")
        return calendar | {"activity": source, "trailings": "[1]"}

    assert [row["persons"] for row in ask(table.client, "insights_active_persons", arguments)] == [2]


def test_with_keys_a_project_has_rows_only_where_somebody_was_active(table: EventTable) -> None:
    question = days(("ann", 0), ("ann", 4), count=9)
    projects = [table.put(question.history), table.put(days(("bob", -1)).history), table.put([])]

    def arguments(bind: Bind) -> dict[str, Any]:
        calendar = question.of_macro(bind)
        where = f"has({bind(projects, 'Array(UInt32)')}, project_id)"
        source = activity(bind, table, "project_id", None, calendar, where=where, keys=["project_id"])
        return calendar | {"activity": source, "trailings": "[1, 3]", "keys": ["project_id"]}

    found = ask(table.client, "insights_active_persons", arguments)
    assert [(row["project_id"], row["trailing"], (row["bucket"] - START).days) for row in found] == [
        *[(projects[0], 1, day) for day in (0, 4)],
        *[(projects[0], 3, day) for day in (0, 1, 2, 4, 5, 6)],
        *[(projects[1], 3, day) for day in (0, 1)],
    ]


@given(
    question=asked(("day", "week", "month")),
    rolled=st.booleans(),
    trailings=st.lists(st.integers(1, 5), min_size=1, max_size=3, unique=True),
    place=st.integers(0, 20),
)
def test_every_window_equals_the_one_that_is_counted_day_by_day(
    table: EventTable, *, question: Asked, rolled: bool, trailings: list[int], place: int
) -> None:
    project = table.put(question.history)
    wanted = [
        (trailing, at, persons)
        for trailing in sorted(trailings)
        for at, persons in active_persons(question.history, **question.of_reference(), trailing=trailing)
    ]
    found = rows(table, question, project, trailings, rolled=rolled)
    assert [(row["trailing"], row["bucket"], row["persons"]) for row in found] == [
        (trailing, at, len(persons)) for trailing, at, persons in wanted
    ]
    for row in found:
        assert row["utc_offset_s"] == utc_offset_s(row["bucket"], question.zone)
        assert row["is_complete"] == (row["bucket_end"] <= question.now)
    if wanted:
        trailing, at, chosen = wanted[place % len(wanted)]
        assert persons(table, question, project, at, trailing) == chosen
