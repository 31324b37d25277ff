from hypothesis import given
from hypothesis import strategies as st

from engine.event_table import EventTable
from engine.funnel_histories import histories, plain_questions
from engine.funnels import START, Question, cell, rows
from reference.events import Counted
from reference.funnel import counted_attempts
from reference.funnel_figures import top_values


@given(history=histories(), question=plain_questions(), lost=st.booleans(), step=st.integers(1, 3))
def test_the_actors_of_a_step_are_listed_who_entered_last_first(
    table: EventTable, *, history: list[Counted], question: Question, lost: bool, step: int
) -> None:
    count = len(question.steps)
    step = min(step, count)
    asked = rows(table, "insights_funnel_actors", history, question, step=step, lost=lost)
    attempts = counted_attempts(history, question.reference)
    if question.breakdown is None:
        shown = {(person, "", ""): attempt for (person, _), attempt in attempts.items()}
    else:
        shown = dict(top_values(attempts, question.top or len(attempts)))
    wanted = sorted(
        (-(attempt[0] - START), person, kind, value, attempt[step - 1], len(attempt))
        for (person, value, kind), attempt in shown.items()
        if (len(attempt) == step < count if lost else len(attempt) >= step)
    )
    assert [
        (-(row["entered_at"] - START), row["actor"], *reversed(cell(row)), row["reached_at"], row["steps_reached"])
        for row in asked
    ] == wanted
