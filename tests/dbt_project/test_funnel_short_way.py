"""Funnels in which only the steps matter are computed on a way of their own."""

from hypothesis import given

from engine.event_table import EventTable
from engine.funnel_histories import histories, questions
from engine.funnels import Question, assert_attempts
from reference.events import Counted


@given(
    history=histories(),
    question=questions(order="ordered", grace=0, exclusions=(), held=(), breakdown=None, top=None),
)
def test_every_attempt_equals_the_one_that_is_tried_event_by_event(
    table: EventTable, history: list[Counted], question: Question
) -> None:
    assert_attempts(table, history, question)
