"""Histories and questions for funnels: few names, persons, values and instants, so that they collide often."""

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from engine.funnels import MINUTE, START, Question
from reference.events import Counted

moments = st.integers(min_value=-3, max_value=12).map(lambda minute: START + minute * MINUTE)
_any_steps = st.lists(st.sampled_from(["a", "b", "c", "any"]), min_size=1, max_size=4)
_values = st.sampled_from(["", "p", "q", "r"])


@st.composite
def histories(draw: st.DrawFn) -> list[Counted]:
    """Draw the events of up to four persons; many share an instant, and few carry no value."""
    drawn = draw(
        st.lists(
            st.tuples(
                st.sampled_from(["a", "a", "b", "b", "c", "ab", "x"]),
                st.sampled_from("abcd"),
                moments,
                st.integers(0, 2),
                st.sampled_from(["track", "track", "track", "identify"]),
                _values,
                _values,
            ),
            max_size=40,
        )
    )
    return [
        Counted(
            message_id=f"m{number}",
            event=name,
            person=person,
            timestamp=at,
            received_at=START,
            sequence=sequence,
            type=kind,
            properties={name: value for name, value in (("plan", plan), ("order", order)) if value},
        )
        for number, (name, person, at, sequence, kind, plan, order) in enumerate(drawn)
    ]


@st.composite
def questions(draw: st.DrawFn, *, steps: st.SearchStrategy[list[str]] = _any_steps, **fixed: Any) -> Question:
    """Draw a question; `fixed` says what is not drawn."""
    drawn = draw(steps)
    question = Question(
        steps=drawn,
        end=draw(st.integers(1, 12)),
        window=draw(st.integers(0, 10)),
        order=draw(st.sampled_from(["ordered", "strict", "unordered"])),
        attempts=draw(st.sampled_from(["best", "best", "first"])),
        grace=draw(st.sampled_from([0, 0, 1, 3])),
        exclusions=draw(st.lists(_exclusions(len(drawn)), max_size=2)) if len(drawn) > 1 else [],
        held=draw(st.sampled_from([[], [], ["order"], ["order", "plan"]])),
        breakdown=draw(st.sampled_from([None, "plan"])),
        attribution=draw(st.sampled_from(["first", "last", *range(1, len(drawn) + 1)])),
        top=draw(st.sampled_from([None, 1, 2])),
        now=draw(moments),
        hide_incomplete=draw(st.sampled_from([False, False, False, True])),
    )
    return replace(question, **fixed)


def plain_questions() -> st.SearchStrategy[Question]:
    """Draw questions for tests of figures, which take attempts as they are."""
    steps = st.lists(st.sampled_from(["a", "c", "x"]), min_size=1, max_size=3, unique=True)
    return questions(steps=steps, order="ordered", exclusions=(), held=(), attempts="best", grace=0)


@st.composite
def _exclusions(draw: st.DrawFn, count: int) -> dict[str, Any]:
    first = draw(st.integers(1, count - 1))
    return {
        "condition": draw(st.sampled_from(["x", "b"])),
        "from_step": first,
        "to_step": draw(st.integers(first + 1, count)),
        "effect": draw(st.sampled_from(["stop", "drop_attempt", "drop_person"])),
    }
