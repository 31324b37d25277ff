"""The figures of a funnel, taken from each person's counted attempt."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import fmean
from zoneinfo import ZoneInfo

from reference.calendar_buckets import bucket, bucket_start, buckets
from reference.events import Counted
from reference.funnel import Condition, Funnel, counted_attempts

Attempts = Mapping[tuple[str, str], Sequence[datetime]]
"""The instants of the steps reached, by person and value."""

SHARES = {"p25": 0.25, "median": 0.5, "p75": 0.75, "p90": 0.9, "p95": 0.95, "p99": 0.99}
NO_TIME = timedelta(0)


@dataclass(frozen=True)
class FunnelStep:
    """One row of a funnel; times in milliseconds, by the name of the figure."""

    step: int
    persons: int
    lost: int
    incomplete: int
    waited: Mapping[str, float] | None
    total_waited: Mapping[str, float] | None

    @property
    def median_ms(self) -> float | None:
        """The median time from the previous step."""
        return None if self.waited is None else self.waited["median"]

    @property
    def avg_ms(self) -> float | None:
        """The average time from the previous step."""
        return None if self.waited is None else self.waited["avg"]


def ordered_funnel(
    events: Iterable[Counted], steps: Sequence[Condition], start: datetime, end: datetime, window: timedelta
) -> list[FunnelStep]:
    """Return one row per step of a funnel by best attempts."""
    attempts = counted_attempts(events, Funnel(steps=steps, start=start, end=end, window=window))
    return funnel_steps(attempts.values(), len(steps), window, now=end)


def funnel_steps(
    attempts: Iterable[Sequence[datetime]], count: int, window: timedelta, now: datetime
) -> list[FunnelStep]:
    """Return one row per step of the attempts of one value."""
    attempts = list(attempts)
    rows: list[FunnelStep] = []
    for number in range(1, count + 1):
        reached = [attempt for attempt in attempts if len(attempt) >= number]
        timed = number > 1 and bool(reached)
        rows.append(
            FunnelStep(
                number,
                persons=len(reached),
                lost=sum(len(attempt) == number < count for attempt in reached),
                incomplete=sum(attempt[0] + window >= now for attempt in reached),
                waited=_times([waited(each, number - 1, number) for each in reached]) if timed else None,
                total_waited=_times([waited(each, 1, number) for each in reached]) if timed else None,
            )
        )
    return rows


def waited(attempt: Sequence[datetime], from_step: int, to_step: int) -> float:
    """Return the milliseconds from one step to another; by the tie grace one may come before its predecessor: 0."""
    return max(NO_TIME, attempt[to_step - 1] - attempt[from_step - 1]) / timedelta(milliseconds=1)


def top_values(attempts: Attempts, top: int) -> dict[tuple[str, str, str], Sequence[datetime]]:
    """Return the attempts by (person, shown value, kind): the values that most persons entered with, and the rest."""
    persons: defaultdict[str, int] = defaultdict(int)
    for _, value in attempts:
        persons[value] += 1
    shown = sorted(persons, key=lambda value: (-persons[value], value))[:top]
    merged: dict[tuple[str, str, str], Sequence[datetime]] = {}
    for (person, value), attempt in attempts.items():
        if value not in shown:
            key = (person, "(other)", "other")
        elif value:
            key = (person, value, "value")
        else:
            key = (person, "(none)", "none")
        known = merged.get(key)
        if known is None or (-len(attempt), attempt) < (-len(known), known):
            merged[key] = attempt
    return merged


def trend(
    attempts: Iterable[Sequence[datetime]],
    count: int,
    start: datetime,
    end: datetime,
    *,
    interval: str,
    zone: ZoneInfo,
    week_start: int,
) -> list[tuple[datetime, int, int]]:
    """Return (bucket start, step, persons) for every bucket that [start, end) touches."""
    attempts = list(attempts)
    rows: list[tuple[datetime, int, int]] = []
    for each in buckets(start, end, interval, zone, week_start):
        entered = [attempt for attempt in attempts if bucket(attempt[0], interval, zone, week_start) == each]
        rows += [
            (bucket_start(each, zone), step, sum(len(attempt) >= step for attempt in entered))
            for step in range(1, count + 1)
        ]
    return rows


def _times(values: Sequence[float]) -> dict[str, float]:
    return {"avg": fmean(values)} | {name: _share(sorted(values), share) for name, share in SHARES.items()}


def _share(ordered: Sequence[float], share: float) -> float:
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)
