"""Who is new, who stays, who comes back and who is gone, period by period."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from reference.calendar_buckets import bucket, bucket_start, buckets
from reference.events import Counted


@dataclass(frozen=True)
class Statuses:
    """The persons of each status in one period."""

    at: datetime
    new: frozenset[str]
    returning: frozenset[str]
    resurrecting: frozenset[str]
    dormant: frozenset[str]
    active: frozenset[str]


def lifecycle(
    events: Iterable[Counted],
    *,
    event: str | None,
    start: datetime,
    end: datetime,
    interval: str,
    zone: ZoneInfo,
    week_start: int = 1,
) -> list[Statuses]:
    """Return the statuses in every period that [start, end) touches, taken whole; `event` None means any event."""
    did = [
        (found.person, bucket(found.timestamp, interval, zone, week_start))
        for found in events
        if event in {None, found.event}
    ]
    periods: list[Statuses] = []
    for each in buckets(start, end, interval, zone, week_start):
        before = bucket(bucket_start(each, zone) - timedelta(milliseconds=1), interval, zone, week_start)
        active = frozenset(person for person, at in did if at == each)
        previous = frozenset(person for person, at in did if at == before)
        earlier = frozenset(person for person, at in did if at < each)
        periods.append(
            Statuses(
                at=bucket_start(each, zone),
                new=active - earlier,
                returning=active & previous,
                resurrecting=(active & earlier) - previous,
                dormant=previous - active,
                active=active,
            )
        )
    return periods
