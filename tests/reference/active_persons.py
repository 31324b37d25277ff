"""Unique persons of periods and of those that trail them: DAU, WAU, MAU."""

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from reference.calendar_buckets import bucket, bucket_start, buckets, following
from reference.events import Counted


def active_persons(
    events: Iterable[Counted],
    *,
    event: str | None,
    start: datetime,
    end: datetime,
    interval: str,
    zone: ZoneInfo,
    trailing: int,
    week_start: int = 1,
) -> list[tuple[datetime, set[str]]]:
    """Return who was active in each period that [start, end) touches, taken whole, or in the `trailing` - 1 before."""
    did = [
        (found.person, bucket(found.timestamp, interval, zone, week_start))
        for found in events
        if event in {None, found.event}
    ]
    series: list[tuple[datetime, set[str]]] = []
    for each in buckets(start, end, interval, zone, week_start):
        window = {following(each, interval, -back) for back in range(trailing)}
        series.append((bucket_start(each, zone), {person for person, at in did if at in window}))
    return series
