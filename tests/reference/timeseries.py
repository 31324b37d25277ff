"""One figure per calendar bucket; daily persons are the daily active users."""

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from reference.calendar_buckets import bucket, bucket_start, buckets
from reference.events import Counted


def timeseries(
    events: Iterable[Counted],
    *,
    event: str | None,
    start: datetime,
    end: datetime,
    interval: str,
    zone: ZoneInfo,
    measure: str,
    week_start: int = 1,
) -> list[tuple[datetime, int]]:
    """Return (bucket start, value) for every bucket that [start, end) touches; `event` None means any event."""
    chosen = [found for found in events if start <= found.timestamp < end and event in {None, found.event}]
    series: list[tuple[datetime, int]] = []
    for each in buckets(start, end, interval, zone, week_start):
        inside = [found for found in chosen if bucket(found.timestamp, interval, zone, week_start) == each]
        values = {
            "events": len(inside),
            "persons": len({found.person for found in inside}),
            "sessions": len({found.session for found in inside}),
        }
        series.append((bucket_start(each, zone), values[measure]))
    return series
