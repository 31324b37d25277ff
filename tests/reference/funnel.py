"""Funnels, tried attempt by attempt."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from reference.events import Counted

Condition = Callable[[Counted], bool]
Value = Callable[[Counted], str]
"""The value that an event gives to a breakdown or a held property; empty when it has none."""


@dataclass(frozen=True)
class Exclusion:
    """An event that must not lie between two steps, and what happens if it does."""

    condition: Condition
    from_step: int
    to_step: int
    effect: str = "stop"


@dataclass(frozen=True, kw_only=True)
class Funnel:
    """A question. Only entries in [start, end) open attempts."""

    steps: Sequence[Condition]
    start: datetime
    end: datetime
    window: timedelta
    order: str = "ordered"
    attempts: str = "best"
    grace: timedelta = timedelta(0)
    exclusions: Sequence[Exclusion] = ()
    held: Sequence[Value] = ()
    breakdown: Value | None = None
    attribution: str | int = "first"
    between: Condition = lambda event: event.type == "track"


@dataclass
class Attempt:
    """What one entry comes to: the event that each step took, by its number, and whether an exclusion dropped it."""

    taken: dict[int, Counted]
    drops: set[str] = field(default_factory=set[str])

    @property
    def reached(self) -> list[Counted]:
        """The events of the steps in the order in which they were reached."""
        return list(self.taken.values())


def counted_attempts(events: Iterable[Counted], funnel: Funnel) -> dict[tuple[str, str], list[datetime]]:
    """Return the instants of the steps reached by (person, value) of each counted attempt; '' is a missing value."""
    histories: defaultdict[str, list[Counted]] = defaultdict(list)
    for event in sorted(events, key=lambda event: event.order):
        histories[event.person].append(event)
    counted: dict[tuple[str, str], list[datetime]] = {}
    for person, history in histories.items():
        entries = [event for event in history if funnel.start <= event.timestamp < funnel.end and _opens(event, funnel)]
        if funnel.attempts == "first":
            entries = entries[:1]
        tried = [_attempt(history, entry, funnel) for entry in entries]
        if any("drop_person" in attempt.drops for attempt in tried):
            continue
        for attempt in tried:
            if attempt.drops:
                continue
            key = (person, _value(attempt, funnel))
            # Only a longer one replaces: of equals the earliest counts.
            if len(attempt.taken) > len(counted.get(key, [])):
                counted[key] = [event.timestamp for event in attempt.reached]
    return counted


def _opens(event: Counted, funnel: Funnel) -> bool:
    first_steps = funnel.steps if funnel.order == "unordered" else funnel.steps[:1]
    return _has_held_values(event, funnel) and any(step(event) for step in first_steps)


def _has_held_values(event: Counted, funnel: Funnel) -> bool:
    return all(value(event) for value in funnel.held)


def _holds(event: Counted, entry: Counted, funnel: Funnel) -> bool:
    return all(value(event) and value(event) == value(entry) for value in funnel.held)


def _attempt(history: Sequence[Counted], entry: Counted, funnel: Funnel) -> Attempt:
    if funnel.order == "unordered":
        return _unordered(history, entry, funnel)
    attempt = Attempt({1: entry})
    used = [entry]
    for number in range(2, len(funnel.steps) + 1):
        following = _next(history, used, number, funnel)
        stop: Counted | None = None
        # Between all that the attempt has taken and what it takes next, or the end of its window.
        after = max(history.index(each) for each in used) + 1
        until = len(history) if following is None else history.index(following)
        for event in history[after:until]:
            if event.timestamp > entry.timestamp + funnel.window or stop is not None:
                break
            for exclusion in funnel.exclusions:
                applies = exclusion.from_step < number <= exclusion.to_step
                if applies and exclusion.condition(event) and _holds(event, entry, funnel):
                    if exclusion.effect == "stop":
                        stop = event
                    else:
                        attempt.drops.add(exclusion.effect)
        if following is None or stop is not None:
            # Beyond a step that was not reached nothing is between steps any more.
            break
        used.append(following)
        attempt.taken[number] = following
    return attempt


def _next(history: Sequence[Counted], used: Sequence[Counted], number: int, funnel: Funnel) -> Counted | None:
    """Return the event that the step takes; `used` are those of the steps before, the entry first."""
    entry, step = used[0], funnel.steps[number - 1]

    def fits(event: Counted) -> bool:
        in_time = event.timestamp <= entry.timestamp + funnel.window
        return in_time and step(event) and _holds(event, entry, funnel)

    if funnel.order == "strict":
        for event in history[history.index(used[-1]) + 1 :]:
            if _lies_between(event, funnel):
                return event if fits(event) else None
        return None
    for event in history:
        if event not in used and event.timestamp >= used[-1].timestamp - funnel.grace and fits(event):
            return event
    return None


def _lies_between(event: Counted, funnel: Funnel) -> bool:
    conditions = [funnel.between, *funnel.steps, *(exclusion.condition for exclusion in funnel.exclusions)]
    return any(condition(event) for condition in conditions)


def _unordered(history: Sequence[Counted], entry: Counted, funnel: Funnel) -> Attempt:
    within = [
        event
        for event in history[history.index(entry) :]
        if event.timestamp <= entry.timestamp + funnel.window and _holds(event, entry, funnel)
    ]
    taken: dict[int, Counted] = {}
    for number, step in enumerate(funnel.steps, start=1):
        fitting = [event for event in within if step(event) and event not in taken.values()]
        if fitting:
            taken[number] = fitting[0]
    if len(taken) == len(funnel.steps):
        last = max(within.index(event) for event in taken.values())
        between = within[1:last]
    else:
        between = within[1:]
    drops: set[str] = set()
    for event in between:
        hits = [] if event in taken.values() else [each for each in funnel.exclusions if each.condition(event)]
        drops |= {each.effect for each in hits if each.effect != "stop"}
        if any(each.effect == "stop" for each in hits):
            place = within.index(event)
            taken = {number: each for number, each in taken.items() if within.index(each) < place}
            break
    return Attempt(dict(sorted(taken.items(), key=lambda item: item[1].order)), drops)


def _value(attempt: Attempt, funnel: Funnel) -> str:
    if funnel.breakdown is None:
        return ""
    if isinstance(funnel.attribution, int):
        event = attempt.taken.get(funnel.attribution)
        return "" if event is None else funnel.breakdown(event)
    values = [value for value in map(funnel.breakdown, attempt.reached) if value]
    if not values:
        return ""
    return values[0] if funnel.attribution == "first" else values[-1]
