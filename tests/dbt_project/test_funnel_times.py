import itertools

from hypothesis import given
from hypothesis import strategies as st

from engine.event_table import EventTable
from engine.funnel_histories import histories, plain_questions
from engine.funnels import Question, cell, cells_of, rows
from reference.events import Counted
from reference.funnel_figures import waited


@given(history=histories(), question=plain_questions(), bins=st.integers(1, 4), minutes=st.sampled_from([None, 1, 2]))
def test_a_histogram_puts_every_conversion_into_one_bin(
    table: EventTable, history: list[Counted], question: Question, bins: int, minutes: int | None
) -> None:
    width = None if minutes is None else str(minutes * 60_000)
    asked = rows(table, "insights_funnel_times", history, question, bins=str(bins), bin_ms=width)
    count = len(question.steps)
    times = {
        of: [waited(attempt, 1, count) for attempt in attempts if len(attempt) == count]
        for of, attempts in cells_of(history, question).items()
    }
    for of, waits in times.items():
        mine = [row for row in asked if cell(row) == of]
        for row in mine:
            assert row["persons"] == sum(row["from_ms"] <= wait < row["to_ms"] for wait in waits)
        assert sum(row["persons"] for row in mine) == len(waits)
        assert all(before["to_ms"] == after["from_ms"] for before, after in itertools.pairwise(mine))
        assert len({row["to_ms"] - row["from_ms"] for row in mine}) <= 1
        assert minutes is not None or len(mine) <= bins
        assert minutes is None or all(row["from_ms"] % int(width or 1) == 0 for row in mine)
