"""Figures of several series over time, each counted bucket by bucket from the events themselves."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import fmean
from zoneinfo import ZoneInfo

from reference.calendar_buckets import Bucket, bucket, bucket_end, bucket_start, buckets, following
from reference.events import Counted

_PERCENTILES = {"median": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
_LONGEST = {
    "hour": timedelta(hours=2),
    "day": timedelta(days=2),
    "week": timedelta(days=8),
    "month": timedelta(days=31),
}


@dataclass(frozen=True)
class Series:
    """What one series measures: the events that fit, a measure of them, their number, over how many buckets."""

    fits: Callable[[Counted], bool]
    measure: str
    number: Callable[[Counted], float | None] = lambda _: None
    trailing: int = 1


@dataclass(frozen=True)
class Question:
    """What is asked of all series together; `compare` is None, "previous" or another range; no range is empty."""

    series: Sequence[Series]
    start: datetime
    end: datetime
    interval: str
    zone: ZoneInfo
    week_start: int = 1
    breakdown: Sequence[Callable[[Counted], str]] = ()
    top: int = 10
    compare: str | tuple[datetime, datetime] | None = None
    moving_average: int = 1
    cumulative: bool = False
    actor: Callable[[Counted], str] = lambda event: event.person


@dataclass(frozen=True)
class Point:
    """One row: the figures of all series in one bucket of one period, for one value of the breakdown."""

    period: str
    bucket_index: int
    bucket: datetime
    bucket_end: datetime
    rank: int
    is_other: bool
    values: tuple[str, ...]
    is_none: tuple[bool, ...]
    figures: tuple[float | None, ...]


def trends(events: Iterable[Counted], asked: Question) -> list[Point]:
    """Return the points by rank, period and bucket."""
    chosen = [event for event in events if any(one.fits(event) for one in asked.series)]
    periods = [("current", asked.start, asked.end)]
    if asked.compare == "previous":
        periods.append(("previous", previous_start(asked), asked.start))
    elif isinstance(asked.compare, tuple):
        periods.append(("previous", *asked.compare))
    points: list[Point] = []
    for rank, is_other, value, line in _lines(chosen, asked, [(start, end) for _, start, end in periods]):
        values = tuple("(other)" if is_other else each or "(none)" for each in value)
        is_none = tuple(not is_other and not each for each in value)
        for name, start, end in periods:
            for index, (first, last, figures) in enumerate(_period(line, asked, start, end)):
                points.append(Point(name, index, first, last, rank, is_other, values, is_none, figures))
    return points


def previous_start(asked: Question) -> datetime:
    """Return where the period of the same length begins that ends at the start: by months, days or milliseconds."""
    for unit in ("month", "day") if asked.interval == "month" else ("day",):
        first, last = (bucket(instant, unit, asked.zone) for instant in (asked.start, asked.end))
        if bucket_start(first, asked.zone) == asked.start and bucket_start(last, asked.zone) == asked.end:
            count = 0
            while following(first, unit, count) < last:
                count += 1
            return bucket_start(following(first, unit, -count), asked.zone)
    return asked.start - (asked.end - asked.start)


def percentile(numbers: Sequence[float], level: float) -> float:
    """Interpolate linearly between the closest ranks."""
    ordered = sorted(numbers)
    place = level * (len(ordered) - 1)
    below, above = math.floor(place), math.ceil(place)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def _look_back(asked: Question) -> int:
    """Return how many buckets before the first one are needed."""
    return max(one.trailing for one in asked.series) - 1 + asked.moving_average - 1


def _read(asked: Question, event: Counted, start: datetime, end: datetime) -> bool:
    """Whether a period looks at an event: its own range, and when it looks back, the buckets before it."""
    if not _look_back(asked):
        return start <= event.timestamp < end
    known, first = _buckets(asked, start, end)
    # One bucket more is read; what is in it shows nowhere, but it may name a value.
    earliest = following(known[first], asked.interval, -_look_back(asked) - 1)
    return bucket_start(earliest, asked.zone) <= event.timestamp < end


def _lines(
    events: list[Counted], asked: Question, ranges: list[tuple[datetime, datetime]]
) -> Iterable[tuple[int, bool, tuple[str, ...], list[Counted]]]:
    """Yield rank, whether it is the rest, the value ('' is missing) and the events of each line."""
    if not asked.breakdown:
        yield 1, False, (), events
        return
    by_value: dict[tuple[str, ...], list[Counted]] = {}
    for event in events:
        if any(_read(asked, event, start, end) for start, end in ranges):
            by_value.setdefault(tuple(value(event) for value in asked.breakdown), []).append(event)

    def place(value: tuple[str, ...]) -> tuple[int, list[tuple[bool, str]]]:
        inside = sum(asked.start <= event.timestamp < asked.end for event in by_value[value])
        return -inside, [(each == "", each) for each in value]

    ranked = sorted(by_value, key=place)
    for rank, value in enumerate(ranked[: asked.top], start=1):
        yield rank, False, value, by_value[value]
    rest = [event for value in ranked[asked.top :] for event in by_value[value]]
    if rest:
        yield asked.top + 1, True, ("",) * len(asked.breakdown), rest


def _buckets(asked: Question, start: datetime, end: datetime) -> tuple[list[Bucket], int]:
    """Return the buckets of a period after those that it looks back at, and the place of its own first."""
    own = buckets(start, end, asked.interval, asked.zone, asked.week_start)
    earlier = start - _LONGEST[asked.interval] * (_look_back(asked) + 2)
    known = buckets(earlier, end, asked.interval, asked.zone, asked.week_start)
    return known, known.index(own[0])


def _period(
    line: list[Counted], asked: Question, start: datetime, end: datetime
) -> Iterable[tuple[datetime, datetime, tuple[float | None, ...]]]:
    """Yield start, end and figures of each bucket of a period."""
    if asked.interval == "total":
        inside = [event for event in line if start <= event.timestamp < end]
        yield start, end, tuple(_figure(one, inside, asked) for one in asked.series)
        return
    known, first = _buckets(asked, start, end)
    looks_back = _look_back(asked) > 0
    held: dict[Bucket, list[Counted]] = {each: [] for each in known}
    for event in line:
        each = bucket(event.timestamp, asked.interval, asked.zone, asked.week_start)
        if each in held and event.timestamp < end and (looks_back or start <= event.timestamp):
            held[each].append(event)

    def measured(one: Series, place: int) -> float | None:
        since = first if asked.cumulative else place - one.trailing + 1
        return _figure(one, [event for each in known[since : place + 1] for event in held[each]], asked)

    def smoothed(one: Series, place: int) -> float | None:
        recent = [measured(one, place - back) for back in range(asked.moving_average)]
        present = [value for value in recent if value is not None]
        return fmean(present) if present else None

    for place in range(first, len(known)):
        begins = bucket_start(known[place], asked.zone)
        ends = bucket_end(begins, asked.interval, asked.zone, asked.week_start)
        yield begins, ends, tuple(smoothed(one, place) for one in asked.series)


def _figure(one: Series, events: list[Counted], asked: Question) -> float | None:
    """Return the measure of the events that fit the series; None is no value."""
    fitting = [event for event in events if one.fits(event)]
    numbered = [(event, number) for event in fitting if (number := one.number(event)) is not None]
    numbers = [number for _, number in numbered]
    actors = {asked.actor(event) for event in fitting}
    counts = {
        "events": len(fitting),
        "actors": len(actors),
        "sessions": len({event.session for event in fitting}),
        "sum": sum(numbers),
    }
    if one.measure in counts:
        return counts[one.measure]
    if one.measure == "events_per_actor":
        return len(fitting) / len(actors) if actors else None
    if not numbers:
        return None
    if one.measure == "sum_per_actor":
        return sum(numbers) / len({asked.actor(event) for event, _ in numbered})
    if one.measure in _PERCENTILES:
        return percentile(numbers, _PERCENTILES[one.measure])
    return {"avg": fmean, "min": min, "max": max}[one.measure](numbers)
