from typing import Any

import pytest
from hypothesis import given

from engine.event_table import EventTable
from engine.funnel_histories import histories, questions
from engine.funnels import MINUTE, START, Question, assert_attempts, history, rows
from reference.events import Counted


@given(history=histories(), question=questions())
def test_every_attempt_equals_the_one_that_is_tried_event_by_event(
    table: EventTable, history: list[Counted], question: Question
) -> None:
    assert_attempts(table, history, question)


def reached(table: EventTable, events: list[Counted], *steps: str, **question: Any) -> list[int]:
    """Return the persons at each step; the window is ten minutes."""
    asked = rows(table, "insights_funnel_actors", events, Question(steps=steps, **question), step=1)
    return persons_at_steps([row["steps_ms"] for row in asked], len(steps))


def by_value(table: EventTable, events: list[Counted], *steps: str, **question: Any) -> dict[str, list[int]]:
    """Return the persons at each step by shown value of the plan and its kind."""
    asked = rows(table, "insights_funnel_actors", events, Question(steps=steps, breakdown="plan", **question), step=1)
    found: dict[str, list[Any]] = {}
    for row in asked:
        found.setdefault(f"{row['breakdown']} {row['breakdown_kind']}", []).append(row["steps_ms"])
    return {value: persons_at_steps(attempts, len(steps)) for value, attempts in found.items()}


def persons_at_steps(attempts: list[Any], count: int) -> list[int]:
    return [sum(len(attempt) >= step for attempt in attempts) for step in range(1, count + 1)]


def test_the_window_includes_its_end(table: EventTable) -> None:
    assert reached(table, history(("a", 0), ("b", 10)), "a", "b") == [1, 1]
    assert reached(table, history(("a", 0), ("b", 11)), "a", "b") == [1, 0]


def test_a_later_step_may_follow_after_the_range_and_an_entry_may_not(table: EventTable) -> None:
    assert reached(table, history(("a", 4), ("b", 7)), "a", "b", end=5) == [1, 1]
    assert reached(table, history(("a", 5), ("b", 7)), "a", "b", end=5) == [0, 0]


def test_a_later_entry_counts_when_it_gets_further(table: EventTable) -> None:
    events = history(("a", 0), ("b", 1), ("a", 8), ("b", 9), ("c", 18))
    assert reached(table, events, "a", "b", "c") == [1, 1, 1]
    assert reached(table, events, "a", "b", "c", attempts="first") == [1, 1, 0]


def test_of_equal_attempts_the_earliest_counts(table: EventTable) -> None:
    asked = rows(table, "insights_funnel", history(("a", 0), ("a", 4), ("b", 5)), Question(steps=["a", "b"]))
    assert asked[1]["median_ms"] == 5 * 60_000


def test_events_of_one_instant_may_be_taken_in_step_order(table: EventTable) -> None:
    assert reached(table, history(("b", 3), ("a", 3)), "a", "b") == [1, 1]


def test_the_tie_grace_lets_a_step_come_a_little_before_its_predecessor(table: EventTable) -> None:
    events = history(("b", 2), ("a", 3))
    assert reached(table, events, "a", "b") == [1, 0]
    assert reached(table, events, "a", "b", grace=1) == [1, 1]
    assert reached(table, events, "a", "b", grace=0.5) == [1, 0]


def test_repeated_steps_want_as_many_events(table: EventTable) -> None:
    assert reached(table, history(("a", 0), ("b", 1)), *"abab") == [1, 1, 0, 0]
    assert reached(table, history(("a", 0), ("b", 0), ("a", 0), ("b", 0)), *"abab") == [1, 1, 1, 1]
    assert reached(table, history(("ab", 0)), "a", "b") == [1, 0]
    assert reached(table, history(("a", 0), ("b", 1), ("a", 2)), *"abaa", grace=3) == [1, 1, 1, 0]


def test_in_strict_order_no_track_may_come_between(table: EventTable) -> None:
    assert reached(table, history(("a", 0), ("b", 1)), "a", "b", order="strict") == [1, 1]
    assert reached(table, history(("a", 0), ("x", 1), ("b", 2)), "a", "b", order="strict") == [1, 0]
    assert reached(table, history(("a", 0), ("x", 1), ("a", 2), ("b", 3)), "a", "b", order="strict") == [1, 1]


@pytest.mark.parametrize("kind", ["identify", "alias", "group", "page"])
def test_in_strict_order_what_is_no_track_may_come_between(table: EventTable, kind: str) -> None:
    assert reached(table, history(("a", 0), ("", 1, {}, kind), ("b", 2)), "a", "b", order="strict") == [1, 1]


def test_in_strict_order_the_order_of_sending_decides_within_an_instant(table: EventTable) -> None:
    assert reached(table, history(("b", 1), ("a", 1)), "a", "b", order="strict") == [1, 0]
    assert reached(table, history(("a", 1), ("b", 1)), "a", "b", order="strict") == [1, 1]


def test_an_unordered_funnel_counts_how_many_steps_were_done(table: EventTable) -> None:
    assert reached(table, history(("c", 0), ("a", 5)), "a", "b", "c", order="unordered") == [1, 1, 0]
    assert reached(table, history(("c", 0), ("a", 5), ("b", 10)), "a", "b", "c", order="unordered") == [1, 1, 1]
    assert reached(table, history(("c", 0), ("a", 5), ("b", 11)), "a", "b", "c", order="unordered") == [1, 1, 0]


def excluding(effect: str, from_step: int = 1, to_step: int = 2) -> list[dict[str, Any]]:
    return [{"condition": "x", "from_step": from_step, "to_step": to_step, "effect": effect}]


def test_an_exclusion_stops_an_attempt_where_it_is(table: EventTable) -> None:
    events = history(("a", 0), ("x", 1), ("b", 2))
    assert reached(table, events, "a", "b", exclusions=excluding("stop")) == [1, 0]
    again = [*events, *history(("a", 20), ("b", 21), person="bob")]
    assert reached(table, again, "a", "b", exclusions=excluding("stop")) == [2, 1]


def test_an_exclusion_may_drop_the_attempt_or_the_person(table: EventTable) -> None:
    events = history(("a", 0), ("x", 1), ("b", 2), ("a", 20))
    assert reached(table, events, "a", "b", exclusions=excluding("drop_attempt")) == [1, 0]
    assert reached(table, events[:3], "a", "b", exclusions=excluding("drop_attempt")) == [0, 0]
    assert reached(table, events, "a", "b", exclusions=excluding("drop_person")) == [0, 0]


def test_an_exclusion_holds_between_its_steps_alone(table: EventTable) -> None:
    events = history(("a", 0), ("x", 1), ("b", 2), ("c", 3))
    assert reached(table, events, "a", "b", "c", exclusions=excluding("stop", 2, 3)) == [1, 1, 1]
    assert reached(table, events, "a", "b", "c", exclusions=excluding("stop", 1, 3)) == [1, 0, 0]


def test_an_exclusion_holds_until_the_window_ends_when_its_last_step_is_not_reached(table: EventTable) -> None:
    assert reached(table, history(("a", 0), ("x", 10)), "a", "b", exclusions=excluding("drop_attempt")) == [0, 0]
    assert reached(table, history(("a", 0), ("x", 11)), "a", "b", exclusions=excluding("drop_attempt")) == [1, 0]


def test_an_exclusion_of_an_unordered_funnel_holds_from_its_first_event_to_its_last(table: EventTable) -> None:
    asked = {"order": "unordered", "exclusions": excluding("stop")}
    assert reached(table, history(("b", 0), ("x", 1), ("a", 2)), "a", "b", **asked) == [1, 0]
    assert reached(table, history(("b", 0), ("a", 2), ("x", 3)), "a", "b", **asked) == [1, 1]


def test_a_held_value_must_be_there_and_stay_the_same(table: EventTable) -> None:
    order_1, order_2 = {"order": "1"}, {"order": "2"}
    held = {"held": ["order"]}
    assert reached(table, history(("a", 0, order_1), ("b", 1, order_2)), "a", "b", **held) == [1, 0]
    assert reached(table, history(("a", 0, order_1), ("b", 1), ("b", 2, order_1)), "a", "b", **held) == [1, 1]
    assert reached(table, history(("a", 0), ("b", 1)), "a", "b", **held) == [0, 0]
    events = history(("a", 0, order_1), ("a", 1, order_2), ("b", 2, order_2))
    assert reached(table, events, "a", "b", **held) == [1, 1]


def test_an_exclusion_of_another_held_value_does_not_exclude(table: EventTable) -> None:
    asked = {"held": ["order"], "exclusions": excluding("stop")}
    events = history(("a", 0, {"order": "1"}), ("x", 1, {"order": "2"}), ("b", 2, {"order": "1"}))
    assert reached(table, events, "a", "b", **asked) == [1, 1]


def test_attribution_skips_missing_values_unless_it_names_a_step(table: EventTable) -> None:
    events = history(("a", 0), ("b", 1, {"plan": "p"}), ("c", 2, {"plan": "q"}))
    assert by_value(table, events, "a", "b", "c") == {"p value": [1, 1, 1]}
    assert by_value(table, events, "a", "b", "c", attribution="last") == {"q value": [1, 1, 1]}
    assert by_value(table, events, "a", "b", "c", attribution=1) == {"(none) none": [1, 1, 1]}


def test_a_person_counts_in_each_value_by_the_best_attempt_there(table: EventTable) -> None:
    events = history(("a", 0, {"plan": "p"}), ("a", 20, {"plan": "q"}), ("b", 21))
    assert by_value(table, events, "a", "b", attribution=1) == {"p value": [1, 0], "q value": [1, 1]}


def test_what_is_beyond_the_top_values_is_one_rest_in_which_a_person_counts_once(table: EventTable) -> None:
    events = [
        *history(("a", 0, {"plan": "p"}), ("a", 20, {"plan": "q"}), ("b", 21), ("a", 40, {"plan": "(other)"})),
        *history(("a", 0, {"plan": "q"}), person="bob"),
    ]
    assert by_value(table, events, "a", "b", top=1) == {"q value": [2, 1], "(other) other": [1, 0]}


def test_a_value_that_reads_like_the_rest_is_not_merged_into_it(table: EventTable) -> None:
    events = [
        *history(("a", 0, {"plan": "(other)"}), ("a", 20, {"plan": "q"})),
        *history(("a", 0, {"plan": "(other)"}), person="bob"),
    ]
    assert by_value(table, events, "a", "b", top=1) == {"(other) value": [2, 0], "(other) other": [1, 0]}


def test_the_conversion_window_starts_at_the_entry_and_a_later_entry_has_its_own(table: EventTable) -> None:
    """Mixpanel's example: A at 1:00, A at 1:30, B at 1:45, C at 2:15, one hour.

    https://docs.mixpanel.com/docs/reports/funnels/funnels-advanced: not converted from the first entry, converted when
    every entry may count.
    """
    events = history(("a", 0), ("a", 30), ("b", 45), ("c", 75))
    assert reached(table, events, "a", "b", "c", window=60, end=120, attempts="first") == [1, 1, 0]
    assert reached(table, events, "a", "b", "c", window=60, end=120) == [1, 1, 1]


@pytest.mark.parametrize(("names", "wanted"), [("abcde", [1] * 5), ("abxcde", [1] * 5), ("abce", [1, 1, 1, 0, 0])])
def test_other_events_may_come_between_ordered_steps(table: EventTable, names: str, wanted: list[int]) -> None:
    """Mixpanel's three examples of loose ordering, where F comes between and where D is left out.

    https://help.mixpanel.com/hc/en-us/articles/115004561926
    """
    renamed = str.maketrans("de", "ab")
    events = history(*((name.translate(renamed), minute) for minute, name in enumerate(names)))
    assert reached(table, events, *"abcde".translate(renamed)) == wanted


def test_entries_whose_window_is_open_are_incomplete_and_can_be_hidden(table: EventTable) -> None:
    events = [*history(("a", 0), ("b", 1)), *history(("a", 5), ("b", 6), person="bob")]
    now = START + 15 * MINUTE
    asked = rows(table, "insights_funnel", events, Question(steps=["a", "b"], now=now))
    assert [(row["persons"], row["incomplete_persons"]) for row in asked] == [(2, 1), (2, 1)]
    assert reached(table, events, "a", "b", now=now, hide_incomplete=True) == [1, 1]
