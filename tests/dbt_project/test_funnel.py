from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.event_table import EventTable, milliseconds, sql_instant
from engine.insight_macros import render
from reference.events import Counted
from reference.funnel import FunnelStep, Step, funnel

START = datetime(2024, 3, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

# Few names, persons and instants, so that ties, repeats and edges of windows are common. `ab` fits two steps.
NAMES = ["a", "b", "c", "ab"]
MATCHING = {"a": {"a", "ab"}, "b": {"b", "ab"}, "c": {"c"}, "any": set(NAMES)}

moments = st.integers(min_value=-3, max_value=15).map(lambda minute: START + minute * MINUTE)


@st.composite
def histories(draw: st.DrawFn) -> list[Counted]:
    events = draw(
        st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from("abcdef"), moments, st.integers(0, 3)), max_size=40)
    )
    return [
        Counted(message_id=f"m{number}", event=name, person=person, timestamp=at, received_at=at, sequence=sequence)
        for number, (name, person, at, sequence) in enumerate(events)
    ]


def ask(table: EventTable, project: int, names: list[str], window_minutes: int, end: datetime) -> list[FunnelStep]:
    """Ask with literals, as a dbt model does, and with bound placeholders, as the API does; both must agree."""
    window_ms = window_minutes * 60_000
    literal = render(
        "insights_funnel",
        relation=table.name,
        project=str(project),
        steps=["event in (" + ", ".join(f"'{name}'" for name in sorted(MATCHING[step])) + ")" for step in names],
        start=sql_instant(START),
        end=sql_instant(end),
        window_ms=window_ms,
    )
    bound = render(
        "insights_funnel",
        relation=table.name,
        project="{project_id:UInt32}",
        steps=[f"has({{step_{number}:Array(String)}}, event)" for number in range(len(names))],
        start="fromUnixTimestamp64Milli({start:Int64}, 'UTC')",
        end="fromUnixTimestamp64Milli({end:Int64}, 'UTC')",
        window_ms="{window_ms:Int64}",
    )
    parameters: dict[str, Any] = {
        "project_id": project,
        "start": milliseconds(START),
        "end": milliseconds(end),
        "window_ms": window_ms,
    } | {f"step_{number}": sorted(MATCHING[step]) for number, step in enumerate(names)}
    rows = table.client.query(literal).result_rows
    assert rows == table.client.query(bound, parameters=parameters).result_rows
    return [FunnelStep(*row) for row in rows]


def expected(history: list[Counted], names: list[str], window_minutes: int, end: datetime) -> list[FunnelStep]:
    return funnel(history, [fits(name) for name in names], START, end, window_minutes * MINUTE)


def history(*events: tuple[str, int]) -> list[Counted]:
    """Return one person's events, given as (name, minute), sent in this order."""
    return [
        Counted(
            message_id=f"m{number}",
            event=name,
            person="ann",
            timestamp=START + minute * MINUTE,
            received_at=START,
            sequence=number,
        )
        for number, (name, minute) in enumerate(events)
    ]


def reached(table: EventTable, events: list[Counted], names: list[str]) -> list[int]:
    """Return the persons at each step within a window of ten minutes."""
    return [step.persons for step in ask(table, table.put(events), names, 10, START + 60 * MINUTE)]


def test_the_window_includes_its_end(table: EventTable) -> None:
    assert reached(table, history(("a", 0), ("b", 10)), ["a", "b"]) == [1, 1]
    assert reached(table, history(("a", 0), ("b", 11)), ["a", "b"]) == [1, 0]


def test_a_later_entry_counts_when_it_gets_further(table: EventTable) -> None:
    assert reached(table, history(("a", 0), ("b", 1), ("a", 8), ("b", 9), ("c", 18)), ["a", "b", "c"]) == [1, 1, 1]


def test_of_equal_attempts_the_earliest_counts(table: EventTable) -> None:
    events = history(("a", 0), ("a", 4), ("b", 5))
    assert ask(table, table.put(events), ["a", "b"], 10, START + 60 * MINUTE)[1].median_ms == 5 * 60_000


def test_events_of_one_instant_may_be_taken_in_step_order(table: EventTable) -> None:
    assert reached(table, history(("b", 3), ("a", 3)), ["a", "b"]) == [1, 1]


def test_repeated_steps_want_as_many_events(table: EventTable) -> None:
    assert reached(table, history(("a", 0), ("b", 1)), ["a", "b", "a", "b"]) == [1, 1, 0, 0]
    assert reached(table, history(("a", 0), ("b", 0), ("a", 0), ("b", 0)), ["a", "b", "a", "b"]) == [1, 1, 1, 1]
    assert reached(table, history(("ab", 0)), ["a", "b"]) == [1, 0]


def fits(name: str) -> Step:
    return lambda event: event.event in MATCHING[name]


@given(
    history=histories(),
    names=st.lists(st.sampled_from(sorted(MATCHING)), min_size=1, max_size=5),
    window_minutes=st.integers(min_value=0, max_value=12),
    last=st.integers(min_value=1, max_value=12),
)
def test_every_funnel_equals_the_one_that_is_tried_entry_by_entry(
    table: EventTable, history: list[Counted], names: list[str], window_minutes: int, last: int
) -> None:
    end = START + last * MINUTE
    asked = ask(table, table.put(history), names, window_minutes, end)
    for got, wanted in zip(asked, expected(history, names, window_minutes, end), strict=True):
        assert (got.step, got.persons, got.median_ms) == (wanted.step, wanted.persons, wanted.median_ms)
        assert got.avg_ms == (pytest.approx(wanted.avg_ms) if wanted.avg_ms is not None else None)
