"""Web analytics: visits of persons, told from the events themselves."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias, TypeVar
from zoneinfo import ZoneInfo

from reference.breakdown import lines
from reference.calendar_buckets import bucket, bucket_start, buckets
from reference.events import Counted

T = TypeVar("T")

_VIEWS = {"page", "screen"}


@dataclass(frozen=True)
class Visit:
    """A session with a view."""

    person: str
    started_at: datetime
    duration_ms: int
    views: int
    is_bounce: bool
    entry_path: str
    exit_path: str
    channel: str


@dataclass(frozen=True, kw_only=True)
class Question:
    """A range cut into buckets, and what it is broken down by; `interval` may be 'total'."""

    start: datetime
    end: datetime
    interval: str
    zone: ZoneInfo
    week_start: int = 1
    top: int = 10


Row: TypeAlias = tuple[int, bool, str, datetime, tuple[float | None, ...]]
"""Rank, whether it is the rest, the value, where the bucket begins, and the figures."""


def visits(events: Iterable[Counted]) -> list[Visit]:
    """Return the sessions that have a view."""
    sessions: dict[str, list[Counted]] = {}
    for event in sorted(events, key=lambda event: event.order):
        sessions.setdefault(event.session, []).append(event)
    found: list[Visit] = []
    for members in sessions.values():
        views = sum(event.type in _VIEWS for event in members)
        paths = [event.path for event in members if event.path] or [""]
        channels = [channel for event in members if (channel := str(event.properties.get("channel", "")))]
        if views:
            found.append(
                Visit(
                    person=members[0].person,
                    started_at=members[0].timestamp,
                    duration_ms=(members[-1].timestamp - members[0].timestamp) // timedelta(milliseconds=1),
                    views=views,
                    is_bounce=views == 1 and all(event.type != "track" for event in members),
                    entry_path=paths[0],
                    exit_path=paths[-1],
                    channel=(channels or [""])[0],
                )
            )
    return found


def web(events: Iterable[Counted], asked: Question, value: Callable[[Visit], str] | None) -> list[Row]:
    """Return visitors, sessions, views, bounces, bounce rate, average duration, views per session."""

    def figures(held: list[Visit]) -> tuple[float | None, ...]:
        count, views, bounces = len(held), sum(each.views for each in held), sum(each.is_bounce for each in held)
        rates = (bounces, sum(each.duration_ms for each in held), views)
        of_each = [rate / count if count else None for rate in rates]
        return (len({each.person for each in held}), count, views, bounces, *of_each)

    return _table(visits(events), lambda visit: visit.started_at, asked, value, figures)


def pages(events: Iterable[Counted], asked: Question, value: Callable[[Counted], str] | None) -> list[Row]:
    """Return visitors, views and sessions of what was viewed."""

    def figures(held: list[Counted]) -> tuple[float | None, ...]:
        return (len({each.person for each in held}), len(held), len({each.session for each in held}))

    views = [event for event in events if event.type in _VIEWS]
    return _table(views, lambda event: event.timestamp, asked, value, figures)


def _table(
    members: Iterable[T],
    at: Callable[[T], datetime],
    asked: Question,
    value: Callable[[T], str] | None,
    figures: Callable[[list[T]], tuple[float | None, ...]],
) -> list[Row]:
    inside = [member for member in members if asked.start <= at(member) < asked.end]
    rows: list[Row] = []
    for line in lines(inside, value, lambda _: True, asked.top):
        place = (line.rank, line.is_other, line.value)
        if asked.interval == "total":
            rows.append((*place, asked.start, figures(list(line.members))))
            continue
        calendar = (asked.interval, asked.zone, asked.week_start)
        for each in buckets(asked.start, asked.end, *calendar):
            held = [member for member in line.members if bucket(at(member), *calendar) == each]
            rows.append((*place, bucket_start(each, asked.zone), figures(held)))
    return rows
