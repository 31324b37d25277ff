"""In how many of the periods persons were active."""

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from reference.calendar_buckets import bucket, buckets
from reference.events import Counted


def stickiness(
    events: Iterable[Counted],
    *,
    event: str | None,
    start: datetime,
    end: datetime,
    interval: str,
    zone: ZoneInfo,
    week_start: int = 1,
) -> list[set[str]]:
    """Return who was active in exactly 1, 2 … n of the n periods that [start, end) touches, taken whole."""
    touched = buckets(start, end, interval, zone, week_start)
    active: dict[str, set[object]] = {}
    for found in events:
        at = bucket(found.timestamp, interval, zone, week_start)
        if event in {None, found.event} and at in touched:
            active.setdefault(found.person, set()).add(at)
    return [
        {person for person, periods in active.items() if len(periods) == count} for count in range(1, len(touched) + 1)
    ]
