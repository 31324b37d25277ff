"""Ways through events: sequences, cut and collapsed one by one, and the nodes and edges counted in them."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import fmean

from reference.events import Counted

Step = tuple[str, datetime]


@dataclass(frozen=True)
class Question:
    """What is asked; `window` None asks within sessions; `name` gives '' for an event without a node."""

    name: Callable[[Counted], str]
    start: datetime
    end: datetime
    excludes: Callable[[Counted], bool] = lambda _: False
    window: timedelta | None = None
    start_point: str | None = None
    end_point: str | None = None
    max_steps: int = 5
    min_sequences: int = 1
    actor: Callable[[Counted], str] = lambda event: event.person


@dataclass(frozen=True)
class Row:
    """A node when `next_name` is None, else an edge from it."""

    position: int
    name: str
    next_name: str | None
    sequences: int
    avg_ms: float | None
    drop_offs: int | None


def paths(events: Iterable[Counted], asked: Question) -> set[Row]:
    """Return the rows that at least `min_sequences` sequences take."""
    came: defaultdict[tuple[int, str], list[bool]] = defaultdict(list)
    went: defaultdict[tuple[int, str, str], list[float]] = defaultdict(list)
    for sequence in _sequences(events, asked):
        walk = _cut_to_points(_collapse([(asked.name(event), event.timestamp) for event in sequence]), asked)
        if walk is None:
            continue
        if asked.end_point is not None and asked.start_point is None:
            kept = walk[-asked.max_steps :]
            first = asked.max_steps - len(kept) + 1
        else:
            kept = walk[: asked.max_steps]
            first = 1
        drops_off = asked.end_point is None and len(kept) == len(walk)
        for position, (name, _) in enumerate(kept, start=first):
            came[position, name].append(drops_off and position == first + len(kept) - 1)
        for position, ((name, at), (next_name, next_at)) in enumerate(pairwise(kept), start=first):
            went[position, name, next_name].append((next_at - at) / timedelta(milliseconds=1))
    nodes = {Row(*node, None, len(left), None, sum(left)) for node, left in came.items()}
    edges = {Row(*edge, len(waits), fmean(waits), None) for edge, waits in went.items()}
    return {row for row in nodes | edges if row.sequences >= asked.min_sequences}


def fits(pattern: str, path: str) -> bool:
    """Whether a pattern fits a whole path: `**` is any text, `*` any without a slash, all else itself."""
    if pattern.startswith("**"):
        return any(fits(pattern[2:], path[taken:]) for taken in range(len(path) + 1))
    if pattern.startswith("*"):
        segment = len(path.split("/", maxsplit=1)[0])
        return any(fits(pattern[1:], path[taken:]) for taken in range(segment + 1))
    if pattern and path:
        return pattern[0] == path[0] and fits(pattern[1:], path[1:])
    return pattern == path


def grouped(path: str, patterns: Sequence[str]) -> str:
    """Return the first pattern that fits, or the path."""
    return next((pattern for pattern in patterns if fits(pattern, path)), path)


def _sequences(events: Iterable[Counted], asked: Question) -> Iterable[list[Counted]]:
    """Yield the sequences that the range selects, in the order of their events."""
    streams: defaultdict[tuple[str, ...], list[Counted]] = defaultdict(list)
    for event in sorted(events, key=lambda event: event.order):
        if asked.name(event) and not asked.excludes(event):
            actor = asked.actor(event)
            streams[(actor,) if asked.window is not None else (actor, event.session)].append(event)
    for stream in streams.values():
        if asked.window is None:
            if asked.start <= stream[0].timestamp < asked.end:
                yield stream
        else:
            yield from _windows(stream, asked.window, asked)


def _windows(stream: list[Counted], window: timedelta, asked: Question) -> Iterable[list[Counted]]:
    open_window: list[Counted] = []
    for event in stream:
        if open_window and event.timestamp <= open_window[0].timestamp + window:
            open_window.append(event)
        elif asked.start <= event.timestamp < asked.end and asked.start_point in {None, asked.name(event)}:
            if open_window:
                yield open_window
            open_window = [event]
    if open_window:
        yield open_window


def _collapse(steps: list[Step]) -> list[Step]:
    """Keep the first of repeats in a row."""
    return [step for place, step in enumerate(steps) if place == 0 or steps[place - 1][0] != step[0]]


def _cut_to_points(walk: list[Step], asked: Question) -> list[Step] | None:
    """Return what lies from the first start point to the first end point after it; None when one is missing."""
    names = [name for name, _ in walk]
    if asked.start_point is not None:
        if asked.start_point not in names:
            return None
        begins = names.index(asked.start_point)
        walk, names = walk[begins:], names[begins:]
    if asked.end_point is not None:
        earliest = 0 if asked.start_point is None else 1
        if asked.end_point not in names[earliest:]:
            return None
        walk = walk[: names.index(asked.end_point, earliest) + 1]
    return walk
