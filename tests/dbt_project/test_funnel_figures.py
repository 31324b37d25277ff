from typing import Any

import pytest
from hypothesis import given

from engine.event_table import EventTable
from engine.funnel_histories import histories, plain_questions
from engine.funnels import MINUTE, Question, cell, cells_of, history, rows
from reference.events import Counted
from reference.funnel_figures import FunnelStep, funnel_steps

FIGURES = ["avg", "p25", "median", "p75", "p90", "p95", "p99"]


@given(history=histories(), question=plain_questions())
def test_counts_and_times_of_each_step_equal_those_of_the_attempts(
    table: EventTable, history: list[Counted], question: Question
) -> None:
    asked = rows(table, "insights_funnel", history, question)
    assert [(cell(row), funnel_step(row)) for row in asked] == [
        (of, step)
        for of, attempts in cells_of(history, question).items()
        for step in funnel_steps(attempts, len(question.steps), question.window * MINUTE, question.now)
    ]


def funnel_step(row: dict[str, Any]) -> FunnelStep:
    def times(prefix: str) -> Any:
        found = {name: row[f"{prefix}{name}_ms"] for name in FIGURES}
        if set(found.values()) == {None}:
            return None
        return {name: pytest.approx(value) for name, value in found.items()}

    return FunnelStep(
        row["step"], row["persons"], row["lost_persons"], row["incomplete_persons"], times(""), times("total_")
    )


def test_percentiles_interpolate_between_closest_ranks(table: EventTable) -> None:
    events = [*history(("a", 0), ("b", 1)), *history(("a", 0), ("b", 2), person="bob")]
    asked = rows(table, "insights_funnel", events, Question(steps=["a", "b"]))
    assert (asked[1]["p25_ms"], asked[1]["median_ms"], asked[1]["p90_ms"]) == (75_000, 90_000, 114_000)


def test_what_the_tie_grace_took_early_took_no_time(table: EventTable) -> None:
    asked = rows(table, "insights_funnel", history(("b", 2), ("a", 3)), Question(steps=["a", "b"], grace=1))
    assert asked[1]["median_ms"] == 0


def test_a_funnel_that_nobody_entered_has_its_steps(table: EventTable) -> None:
    asked = rows(table, "insights_funnel", [], Question(steps=["a", "b"]))
    assert [(row["step"], row["persons"], row["median_ms"]) for row in asked] == [(1, 0, None), (2, 0, None)]
