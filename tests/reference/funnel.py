"""An ordered funnel by best attempts, tried entry by entry."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import fmean, median

from reference.events import Counted

Step = Callable[[Counted], bool]


@dataclass(frozen=True)
class FunnelStep:
    """One row of a funnel: how many persons reached the step, and how long they took from the previous one."""

    step: int
    persons: int
    median_ms: float | None
    avg_ms: float | None


def funnel(
    events: Iterable[Counted], steps: Sequence[Step], start: datetime, end: datetime, window: timedelta
) -> list[FunnelStep]:
    """Return one row per step; each person counts by the attempt that gets furthest, the earliest among equals."""
    histories: defaultdict[str, list[Counted]] = defaultdict(list)
    for event in sorted(events, key=lambda event: event.order):
        histories[event.person].append(event)
    best: list[list[datetime]] = []
    for history in histories.values():
        attempts = [
            _attempt(history, entry, steps, window)
            for entry in history
            if start <= entry.timestamp < end and steps[0](entry)
        ]
        if attempts:
            # max() keeps the first of equals, and the history is in order.
            best.append(max(attempts, key=len))
    rows: list[FunnelStep] = []
    for number in range(1, len(steps) + 1):
        reached = [attempt for attempt in best if len(attempt) >= number]
        waits = [(attempt[number - 1] - attempt[number - 2]) / timedelta(milliseconds=1) for attempt in reached]
        timed = number > 1 and bool(reached)
        rows.append(FunnelStep(number, len(reached), median(waits) if timed else None, fmean(waits) if timed else None))
    return rows


def _attempt(history: list[Counted], entry: Counted, steps: Sequence[Step], window: timedelta) -> list[datetime]:
    """Return the instants of the steps that the attempt of `entry` reaches; equal instants may go in step order."""
    used = [entry]
    for step in steps[1:]:
        fitting = [
            event
            for event in history
            if step(event) and event not in used and used[-1].timestamp <= event.timestamp <= entry.timestamp + window
        ]
        if not fitting:
            break
        used.append(fitting[0])
    return [event.timestamp for event in used]
