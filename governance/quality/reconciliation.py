"""Compares what the collectors acknowledged with what landed, and what landed with what is modelled.

A day is the UTC day on which a spool segment was begun, so that every segment belongs to one day, whole. The comparison
is made segment by segment: a loss in one cannot hide behind a surplus in another.

    acknowledged + unacknowledged + doubled + unledgered + unreported = landed + rejected + waiting + lost
    landed = duplicates + canaries + modelled + unsettled + unmodelled

The two lines are counted one after the other: of a day on which events still land, the second one may tell of more.
"""

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from datetime import UTC, date, datetime, timedelta
from math import ceil
from typing import Any

from clickhouse_connect.driver.client import Client

from core.clock import utc_now
from governance.quality import reconciliation_queries as queries

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
# What a segment holds was received within the day before it was begun, but for what is replayed from the rejects.
_RECEIVED_BEFORE = timedelta(days=1)
# What only leads to another count.
_STEPS = frozenset({"deliveries", "firsts"})
# Ids that are compared at once: about 1 GB of memory in ClickHouse.
_IDS_AT_ONCE = 5_000_000


@dataclass(frozen=True, slots=True)
class Databases:
    """Where the tables are."""

    landing: str = "raw"
    staging: str = "staging"
    governance: str = "governance"


@dataclass(frozen=True, slots=True)
class ProjectDay:
    """One row of `governance.reconciliation`; the migration that makes the table says what each number is."""

    day: date
    project_id: int
    acknowledged: int
    unacknowledged: int
    landed: int
    rejected: int
    waiting: int
    lost: int
    doubled: int
    unledgered: int
    unreported: int
    missing_segments: int
    duplicates: int
    canaries: int
    unsettled: int
    modelled: int
    unmodelled: int
    unfounded: int


def reconcile(
    client: Client,
    day: date,
    *,
    databases: Databases | None = None,
    settled_after: timedelta = timedelta(minutes=30),
) -> list[ProjectDay]:
    """Compare one day, record it in `governance.reconciliation`, and return one row per project in order of its id.

    An event that landed less than `settled_after` ago may not be modelled yet, nor its segment reported. Segments from
    before the first page of any ledger are left out; where there is no page at all, nobody knows what was acknowledged,
    and none is. Reads the ids of all history once, in as many parts as the day's ids need.
    """
    databases = databases or Databases()
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
    window = _window(client, begin, databases)
    if window is None:
        return []
    window["settled_after_s"] = int(settled_after.total_seconds())
    segments = _segments(client, window, databases)
    models = _models(client, window, segments, databases)
    nothing: dict[str, int] = dict.fromkeys(queries.MODEL_COUNTS, 0)
    found = [
        _project_day(day, project_id, segments.get(project_id), models.get(project_id, nothing))
        for project_id in sorted({*segments, *models})
    ]
    if found:
        now = utc_now()
        names = [*(field.name for field in fields(ProjectDay)), "reconciled_at"]
        client.insert(
            "reconciliation",
            [[*astuple(row), now] for row in found],
            column_names=names,
            database=databases.governance,
        )
    return found


def missing_pages(client: Client, days: Iterable[date], *, databases: Databases | None = None) -> int:
    """Return how many pages are missing between the first and the last of each ledger on these days.

    The day before them is looked at too, so that a page at midnight has neighbours.
    """
    databases = databases or Databases()
    wanted = sorted(days)
    if not wanted:
        return 0
    first, last = (datetime(day.year, day.month, day.day, tzinfo=UTC) for day in (wanted[0], wanted[-1]))
    bound = {"landing": databases.landing, "begin": first - _DAY, "end": last + _DAY}
    return int(client.query(queries.MISSING_PAGES, parameters=bound).result_rows[0][0])


def _window(client: Client, begin: datetime, databases: Databases) -> dict[str, Any] | None:
    # 0 where there is none.
    first_ms = int(client.query(queries.FIRST_PAGE, parameters={"landing": databases.landing}).result_rows[0][0])
    end = begin + _DAY
    begin_ms, end_ms = (round(instant.timestamp() * 1000) for instant in (begin, end))
    begin_ms = max(begin_ms, first_ms)
    if begin_ms >= end_ms:
        return None
    # A segment's id begins with the milliseconds at which it was begun, in 13 digits until the year 2286.
    return {
        "begin": datetime.fromtimestamp(begin_ms / 1000, UTC),
        "end": end,
        "first_batch": f"{begin_ms:013d}",
        "end_batch": f"{end_ms:013d}",
        "received_since": begin - _RECEIVED_BEFORE,
    }


def _segments(client: Client, window: dict[str, Any], databases: Databases) -> dict[int, dict[str, int]]:
    """Count by project; look into all history when something is missing from where it should be."""
    bound = {"landing": databases.landing}
    rows = _by_project(client, queries.SEGMENTS, bound | window)
    if any(row["lost"] for row in rows.values()):
        window["received_since"] = _EPOCH
        rows = _by_project(client, queries.SEGMENTS, bound | window)
    return rows


def _models(
    client: Client,
    window: dict[str, Any],
    segments: dict[int, dict[str, int]],
    databases: Databases,
) -> dict[int, dict[str, int]]:
    buckets = max(1, ceil(sum(row["landed"] for row in segments.values()) / _IDS_AT_ONCE))
    bound = {"landing": databases.landing, "staging": databases.staging}
    bound |= window | {"buckets": buckets}
    total: dict[int, dict[str, int]] = {}
    for bucket in range(buckets):
        for project_id, row in _by_project(client, queries.MODELS, bound | {"bucket": bucket}).items():
            so_far = total.setdefault(project_id, dict.fromkeys(queries.MODEL_COUNTS, 0))
            total[project_id] = {name: so_far[name] + row[name] for name in queries.MODEL_COUNTS}
    return total


def _by_project(client: Client, sql: str, parameters: dict[str, Any]) -> dict[int, dict[str, int]]:
    return {int(row.pop("project_id")): row for row in client.query(sql, parameters=parameters).named_results()}


def _project_day(day: date, project_id: int, segments: dict[str, int] | None, models: dict[str, int]) -> ProjectDay:
    counts = segments or dict.fromkeys(queries.SEGMENT_COUNTS, 0)
    return ProjectDay(
        day=day,
        project_id=project_id,
        **{name: int(counts[name]) for name in queries.SEGMENT_COUNTS},
        # Not from what the first question counted: while events of that day still land, the second one sees more.
        duplicates=int(models["deliveries"] - models["firsts"]),
        **{name: int(models[name]) for name in queries.MODEL_COUNTS if name not in _STEPS},
    )


def total(rows: Sequence[ProjectDay], name: str) -> int:
    """Return the sum of one of the counts."""
    return sum(getattr(row, name) for row in rows)
