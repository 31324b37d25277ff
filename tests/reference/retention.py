"""Who came back: of each cohort, who did so in which period after entering."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from reference.calendar_buckets import Bucket, bucket, bucket_start, buckets, following
from reference.events import Counted

Condition = Callable[[Counted], bool]
LENGTHS = {
    "hour": timedelta(hours=1),
    "day": timedelta(hours=24),
    "week": 7 * timedelta(hours=24),
    "month": 30 * timedelta(hours=24),
}


@dataclass(frozen=True, kw_only=True)
class Retention:
    """What is asked; `brackets` (first and last period of each) go with the rule 'brackets' and replace `periods`."""

    starts: Condition
    returns: Condition
    start: datetime
    end: datetime
    period: str
    zone: ZoneInfo
    now: datetime
    periods: int = 0
    week_start: int = 1
    cohort: str = "first_time"
    clock: str = "calendar"
    rule: str = "on"
    brackets: Sequence[tuple[int, int]] = ()
    actor: Callable[[Counted], str] = field(default=lambda event: event.person)

    def bucket(self, at: datetime) -> Bucket:
        """Return the calendar bucket that holds an instant."""
        return bucket(at, self.period, self.zone, self.week_start)

    def last_periods(self) -> list[int]:
        """Return, for each column from 0, the last period that it waits for."""
        return [0, *(last for _, last in self.brackets)] if self.rule == "brackets" else list(range(self.periods + 1))


@dataclass(frozen=True)
class RetentionCell:
    """One cell of the grid: of a cohort's persons, how many came back in a period, and whether it has ended."""

    cohort: datetime
    period_index: int
    persons: int
    cohort_size: int
    is_complete: bool


@dataclass(frozen=True)
class Entry:
    """A person in a cohort, by the event with which they entered."""

    person: str
    event: Counted
    cohort: Bucket


def retention(events: Iterable[Counted], asked: Retention) -> list[RetentionCell]:
    """Return the cells of every cohort that [start, end) touches, by cohort and period."""
    events = list(events)
    return grid(events, entries(events, asked), asked)


def entries(events: Iterable[Counted], asked: Retention) -> list[Entry]:
    """Return who enters which cohort.

    First time: once, by the first event ever that starts, if it lies in the range. Recurring: in each bucket, by the
    first event there that starts and lies in the range.
    """
    found: dict[tuple[str, Bucket | None], Counted] = {}
    for event in sorted(events, key=lambda event: event.order):
        if not asked.starts(event):
            continue
        if asked.cohort == "first_time":
            found.setdefault((asked.actor(event), None), event)
        elif asked.start <= event.timestamp < asked.end:
            found.setdefault((asked.actor(event), asked.bucket(event.timestamp)), event)
    return [
        Entry(person, event, asked.bucket(event.timestamp))
        for (person, _), event in found.items()
        if asked.start <= event.timestamp < asked.end
    ]


def grid(events: Iterable[Counted], entered: Iterable[Entry], asked: Retention) -> list[RetentionCell]:
    """Return the cells of all cohorts that the range touches, those without persons too."""
    events, entered = list(events), list(entered)
    histories: defaultdict[str, list[Counted]] = defaultdict(list)
    for event in events:
        histories[asked.actor(event)].append(event)
    cells: list[RetentionCell] = []
    for cohort in buckets(asked.start, asked.end, asked.period, asked.zone, asked.week_start):
        members = [entry for entry in entered if entry.cohort == cohort]
        for index in range(len(asked.last_periods())):
            back = [entry for entry in members if is_back(entry, index, histories[entry.person], asked)]
            complete = ends_at(cohort, index, asked) <= asked.now
            begins_at = bucket_start(cohort, asked.zone)
            cells.append(RetentionCell(begins_at, index, len(back), len(members), is_complete=complete))
    return cells


def is_back(entry: Entry, index: int, history: Iterable[Counted], asked: Retention) -> bool:
    """Tell whether somebody counts in a column; column 0 is the cohort itself."""
    distances = [distance(entry, event, asked) for event in history if asked.returns(event)]
    later = [periods for periods in distances if periods >= 1]
    if index == 0:
        return True
    if asked.rule == "on":
        return index in later
    if asked.rule == "on_or_after":
        return any(periods >= index for periods in later)
    first, last = asked.brackets[index - 1]
    return any(first <= periods <= last for periods in later)


def distance(entry: Entry, event: Counted, asked: Retention) -> int:
    """Return how many periods after the entry an event lies; -1 for any before it."""
    if event.timestamp < entry.event.timestamp:
        return -1
    if asked.clock == "rolling":
        return (event.timestamp - entry.event.timestamp) // LENGTHS[asked.period]
    count = 0
    while following(entry.cohort, asked.period, count + 1) <= asked.bucket(event.timestamp):
        count += 1
    return count


def ends_at(cohort: Bucket, index: int, asked: Retention) -> datetime:
    """Return when a column's last period has ended for everyone who may be in the cohort."""
    last = asked.last_periods()[index]
    if asked.clock == "calendar":
        return bucket_start(following(cohort, asked.period, last + 1), asked.zone)
    entered_until = min(bucket_start(following(cohort, asked.period, 1), asked.zone), asked.end)
    return entered_until + (last + 1) * LENGTHS[asked.period]


def averages(cells: Iterable[RetentionCell]) -> dict[int, tuple[float, float] | None]:
    """Return by period the average weighted by cohort size and the simple one, over complete cells with persons."""
    cells = list(cells)
    found: dict[int, tuple[float, float] | None] = {}
    for index in sorted({cell.period_index for cell in cells}):
        column = [cell for cell in cells if cell.period_index == index and cell.is_complete and cell.cohort_size]
        if column:
            weighted = sum(cell.persons for cell in column) / sum(cell.cohort_size for cell in column)
            simple = sum(cell.persons / cell.cohort_size for cell in column) / len(column)
            found[index] = (weighted, simple)
        else:
            found[index] = None
    return found


@dataclass(frozen=True)
class Series:
    """The grid of one value of a breakdown; `kind` tells a value that reads like `(other)` from the rest."""

    text: str
    kind: str
    rank: int
    cells: list[RetentionCell]


def retention_by_value(
    events: Iterable[Counted], asked: Retention, value: Callable[[Counted], str], top: int
) -> list[Series]:
    """Return a grid for each of the `top` values with most entries, and one for the rest; '' is a missing value."""
    events = list(events)
    by_value: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in entries(events, asked):
        by_value[value(entry.event)].append(entry)
    ranked = sorted(by_value, key=lambda text: (-len(by_value[text]), text))
    series = [
        Series(text or "(none)", "value" if text else "none", rank, grid(events, by_value[text], asked))
        for rank, text in enumerate(ranked[:top], start=1)
    ]
    rest = [entry for text in ranked[top:] for entry in by_value[text]]
    if rest:
        series.append(Series("(other)", "other", top + 1, grid(events, rest, asked)))
    return series
