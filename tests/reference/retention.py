"""Who came back: first-time cohorts on calendar buckets."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from reference.calendar_buckets import bucket, bucket_start, buckets, following
from reference.events import Counted

Condition = Callable[[Counted], bool]


@dataclass(frozen=True)
class RetentionCell:
    """One cell of the grid: of a cohort's persons, how many came back in a bucket, and whether it has ended."""

    cohort: datetime
    period_index: int
    persons: int
    cohort_size: int
    is_complete: bool


def retention(
    events: Iterable[Counted],
    *,
    starts: Condition,
    returns: Condition,
    start: datetime,
    end: datetime,
    period: str,
    zone: ZoneInfo,
    periods: int,
    now: datetime,
    week_start: int = 1,
) -> list[RetentionCell]:
    """Return the cells of every cohort that [start, end) touches, for the periods 0 … `periods`.

    A person enters once, in the bucket of the first event ever that `starts`, and is back in a bucket that has an event
    that `returns`. Period 0 is the cohort itself.
    """
    histories: defaultdict[str, list[Counted]] = defaultdict(list)
    for event in events:
        histories[event.person].append(event)
    entered: dict[str, datetime] = {}
    for person, history in histories.items():
        firsts = [event.timestamp for event in history if starts(event)]
        if firsts and start <= min(firsts) < end:
            entered[person] = min(firsts)
    cells: list[RetentionCell] = []
    for cohort in buckets(start, end, period, zone, week_start):
        members = [person for person, at in entered.items() if bucket(at, period, zone, week_start) == cohort]
        for index in range(periods + 1):
            current = following(cohort, period, index)
            back = [
                person
                for person in members
                if index == 0
                or any(
                    returns(event) and bucket(event.timestamp, period, zone, week_start) == current
                    for event in histories[person]
                )
            ]
            ends_at = bucket_start(following(current, period, 1), zone)
            cells.append(
                RetentionCell(bucket_start(cohort, zone), index, len(back), len(members), is_complete=ends_at <= now)
            )
    return cells
