from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from engine.activity import Asked, activity, asked, instant, numbered
from engine.event_table import EventTable
from engine.renderings import Bind, ask
from reference.calendar_buckets import utc_offset_s
from reference.events import Counted
from reference.lifecycle import Statuses, lifecycle

DAY = timedelta(days=1)
START = datetime(2024, 5, 6, tzinfo=UTC)
STATUSES = ["new", "returning", "resurrecting", "dormant", "active"]


def rows(
    table: EventTable, question: Asked, project: int, *, rolled: bool = False, **more: Any
) -> list[dict[str, Any]]:
    def arguments(bind: Bind) -> dict[str, Any]:
        calendar = question.of_macro(bind)
        source = activity(bind, table, project, question.event, calendar, rolled=rolled, end=calendar["end"])
        return calendar | {"activity": source, "now": instant(bind, question.now)} | more

    return ask(table.client, "insights_lifecycle", arguments)


def counted(row: dict[str, Any]) -> list[int]:
    return [row[f"{status}_persons"] for status in STATUSES]


def expected(statuses: Statuses) -> list[int]:
    return [(-1 if status == "dormant" else 1) * len(getattr(statuses, status)) for status in STATUSES]


def persons(table: EventTable, question: Asked, project: int, at: datetime, status: str) -> set[str]:
    def arguments(bind: Bind) -> dict[str, Any]:
        calendar = question.of_macro(bind)
        calendar |= {"at": instant(bind, at), "status": status}
        source = activity(bind, table, project, question.event, calendar)
        return {"activity": source} | {name: value for name, value in calendar.items() if name not in {"start", "end"}}

    names = numbered(question.history)
    return {names[row["actor"]] for row in ask(table.client, "insights_lifecycle_persons", arguments)}


def visits(*days: int) -> Asked:
    """Return one person's visits, by day of the week that is asked for; earlier days are negative."""
    at = [START + day * DAY + timedelta(hours=12) for day in days]
    return Asked(
        history=[
            Counted(message_id=f"m{number}", event="a", person="ann", timestamp=moment, received_at=moment)
            for number, moment in enumerate(at)
        ],
        start=START,
        end=START + 7 * DAY,
        interval="day",
        zone=ZoneInfo("UTC"),
        week_start=1,
        now=START + 5 * DAY,
        event=None,
    )


def by_day(table: EventTable, question: Asked) -> list[str]:
    """Return the status of the one person on each day, '-' when there is none."""
    found = rows(table, question, table.put(question.history))
    return [next((status for status in STATUSES if row[f"{status}_persons"]), "-") for row in found]


def test_a_first_visit_is_new_the_next_day_returning_and_then_dormant_once(table: EventTable) -> None:
    assert by_day(table, visits(1, 2)) == ["-", "new", "returning", "dormant", "-", "-", "-"]


def test_who_comes_back_after_a_pause_is_resurrecting(table: EventTable) -> None:
    assert by_day(table, visits(0, 2)) == ["new", "dormant", "resurrecting", "dormant", "-", "-", "-"]


def test_activity_before_the_range_makes_nobody_new_in_it(table: EventTable) -> None:
    assert by_day(table, visits(-300, 3)) == ["-", "-", "-", "resurrecting", "dormant", "-", "-"]
    assert by_day(table, visits(-1, 0)) == ["returning", "dormant", "-", "-", "-", "-", "-"]


def test_who_was_active_on_the_eve_of_the_range_is_dormant_on_its_first_day(table: EventTable) -> None:
    assert by_day(table, visits(-1)) == ["dormant", "-", "-", "-", "-", "-", "-"]


def test_a_day_that_has_not_ended_is_not_complete(table: EventTable) -> None:
    question = visits(1)
    found = rows(table, question, table.put(question.history))
    assert [bool(row["is_complete"]) for row in found] == [True] * 5 + [False] * 2


def test_with_keys_each_project_has_its_own_newcomers_and_no_empty_days(table: EventTable) -> None:
    question = visits(0, 2)
    projects = [table.put(question.history), table.put(visits(-9, 5).history)]

    def arguments(bind: Bind) -> dict[str, Any]:
        calendar = question.of_macro(bind)
        ids = bind(projects, "Array(UInt32)")
        source = activity(
            bind, table, "project_id", None, calendar, where=f"has({ids}, project_id)", keys=["project_id"]
        )
        return calendar | {"activity": source, "keys": ["project_id"]}

    found = ask(table.client, "insights_lifecycle", arguments)
    assert [(row["project_id"], (row["bucket"] - START).days, *counted(row)) for row in found] == [
        (projects[0], 0, 1, 0, 0, 0, 1),
        (projects[0], 1, 0, 0, 0, -1, 0),
        (projects[0], 2, 0, 0, 1, 0, 1),
        (projects[0], 3, 0, 0, 0, -1, 0),
        (projects[1], 5, 0, 0, 1, 0, 1),
        (projects[1], 6, 0, 0, 0, -1, 0),
    ]


@given(question=asked(), rolled=st.booleans(), status=st.sampled_from(STATUSES), place=st.integers(0, 50))
def test_every_status_equals_the_one_that_is_told_person_by_person(
    table: EventTable, *, question: Asked, rolled: bool, status: str, place: int
) -> None:
    project = table.put(question.history)
    wanted = lifecycle(question.history, **question.of_reference())
    found = rows(table, question, project, rolled=rolled and question.interval != "hour")
    assert [(row["bucket"], *counted(row)) for row in found] == [(each.at, *expected(each)) for each in wanted]
    for row in found:
        assert row["new_persons"] + row["returning_persons"] + row["resurrecting_persons"] == row["active_persons"]
        assert row["utc_offset_s"] == utc_offset_s(row["bucket"], question.zone)
        assert row["is_complete"] == (row["bucket_end"] <= question.now)
    if wanted:
        chosen = wanted[place % len(wanted)]
        assert persons(table, question, project, chosen.at, status) == getattr(chosen, status)
