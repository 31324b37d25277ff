"""Rows of the macros as the figures of an answer."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from api.insights.figures import average_of, local, rate
from api.insights.schemas import RetentionCell, RetentionCohort
from api.insights.statements import Window
from api.queries.documents import (
    LifecycleDocument,
    RetentionDocument,
    RevenueDocument,
    StickinessDocument,
    TrendDocument,
    WebDocument,
)
from api.queries.ranges import previous_start
from api.queries.schemas import (
    BreakdownValue,
    LifecycleBucket,
    LifecycleData,
    PathEdge,
    PathNode,
    PathsData,
    QueriedRetentionData,
    RetentionLine,
    RevenueData,
    RevenueLine,
    RevenuePoint,
    StickinessCount,
    StickinessData,
    TrendData,
    TrendLine,
    TrendPoint,
    WebData,
    WebLine,
    WebPoint,
)
from core.insights.arguments import trend_columns

Row = dict[str, Any]
Cut = Callable[[Row], dict[str, Any]]
"""Gives `start` and `is_complete` of a row's bucket."""


def trend_data(rows: list[Row], asked: TrendDocument, window: Window, now: datetime) -> TrendData:
    """Return the lines of a trend."""
    cut, columns = _cut(asked, window, now), trend_columns(asked)
    lines = [
        TrendLine(
            **_described(own[0], len(asked.breakdown)),
            points=[
                TrendPoint(**cut(row), figures={name: row[column] for name, column in columns.items()}) for row in own
            ],
        )
        for own in _lines(rows)
    ]
    return TrendData(interval="total" if asked.total else asked.interval, timezone=window.timezone, lines=lines)


def retention_data(rows: list[Row], asked: RetentionDocument, window: Window) -> QueriedRetentionData:
    """Return the cohorts of a retention, and their averages."""
    by_value: dict[Any, tuple[list[BreakdownValue], dict[str, RetentionCohort]]] = {}
    for row in rows:
        _, cohorts = by_value.setdefault(row.get("breakdown_rank"), (value_of(row), {}))
        cohort = cohorts.setdefault(
            row["cohort"],
            RetentionCohort(start=local(datetime.fromisoformat(row["cohort"]), row), size=row["cohort_size"], cells=[]),
        )
        cohort.cells.append(
            RetentionCell(
                period_index=row["period_index"],
                persons=row["persons"],
                rate=rate(row["persons"], row["cohort_size"]),
                is_complete=bool(row["is_complete"]),
            )
        )
    count = len(asked.brackets) if asked.return_rule == "brackets" else asked.periods
    lines = [
        RetentionLine(
            breakdown=value,
            cohorts=list(cohorts.values()),
            averages=[average_of(list(cohorts.values()), index) for index in range(count + 1)],
        )
        for value, cohorts in by_value.values()
    ]
    return QueriedRetentionData(
        period=asked.period,
        timezone=window.timezone,
        cohort=asked.cohort,
        clock=asked.clock,
        return_rule=asked.return_rule,
        brackets=list(asked.brackets),
        lines=lines,
    )


def lifecycle_data(rows: list[Row], asked: LifecycleDocument, window: Window) -> LifecycleData:
    """Return the buckets of a lifecycle."""
    buckets = [
        LifecycleBucket(
            start=local(datetime.fromisoformat(row["bucket"]), row),
            is_complete=bool(row["is_complete"]),
            **{name: value for name, value in row.items() if name.endswith("_persons")},
        )
        for row in rows
    ]
    return LifecycleData(interval=asked.interval, timezone=window.timezone, buckets=buckets)


def stickiness_data(rows: list[Row], asked: StickinessDocument, window: Window) -> StickinessData:
    """Return the counts of a stickiness."""
    counts = [StickinessCount(**row) for row in rows]
    return StickinessData(interval=asked.interval, timezone=window.timezone, counts=counts)


def paths_data(rows: list[Row]) -> PathsData:
    """Return nodes and edges."""
    nodes = [
        PathNode(**{name: row[name] for name in ("position", "name", "sequences", "drop_offs")})
        for row in rows
        if row["next_name"] is None
    ]
    edges = [
        PathEdge(
            **{name: row[name] for name in ("position", "name", "next_name", "sequences")}, average_ms=row["avg_ms"]
        )
        for row in rows
        if row["next_name"] is not None
    ]
    return PathsData(nodes=nodes, edges=edges)


def web_data(rows: list[Row], asked: WebDocument, window: Window, now: datetime) -> WebData:
    """Return the lines of web analytics."""
    cut = _cut(asked, window, now)
    lines = [
        WebLine(
            **_described(own[0], len(asked.breakdown)),
            points=[
                WebPoint(
                    **cut(row),
                    visitors=row["visitors"],
                    sessions=row["sessions"],
                    views=row["views"],
                    bounces=row.get("bounces"),
                    bounce_rate=row.get("bounce_rate"),
                    average_duration_ms=row.get("avg_duration_ms"),
                    views_per_session=row.get("views_per_session"),
                )
                for row in own
            ],
        )
        for own in _lines(rows)
    ]
    return WebData(
        counted="views" if asked.is_of_views else "sessions",
        interval="total" if asked.total else asked.interval,
        timezone=window.timezone,
        lines=lines,
    )


def revenue_data(rows: list[Row], asked: RevenueDocument, window: Window, now: datetime) -> RevenueData:
    """Return the lines of revenue."""
    cut = _cut(asked, window, now)
    lines = [
        RevenueLine(
            **_described(own[0], len(asked.breakdown)),
            currency=own[0].get("currency") or str(asked.in_currency),
            points=[
                RevenuePoint(
                    **cut(row),
                    revenue=str(row["revenue"]),
                    **{
                        name: row[name]
                        for name in (
                            "orders",
                            "buyers",
                            "active_persons",
                            "average_order_value",
                            "revenue_per_buyer",
                            "revenue_per_active_person",
                        )
                    },
                )
                for row in own
            ],
        )
        for own in _lines(rows)
    ]
    return RevenueData(interval="total" if asked.total else asked.interval, timezone=window.timezone, lines=lines)


def _lines(rows: list[Row]) -> Iterable[list[Row]]:
    """Return the rows of each line of `insights_trends`, in its order."""
    lines: dict[Any, list[Row]] = {}
    for row in rows:
        lines.setdefault((row.get("currency"), row.get("rank"), row.get("period")), []).append(row)
    return lines.values()


def _described(row: Row, breakdown: int) -> dict[str, Any]:
    """Return period and values of a line of `insights_trends`."""
    values: list[BreakdownValue] = []
    for place in range(1, breakdown + 1):
        kind = "other" if row["is_other"] else "none" if row[f"is_none_{place}"] else "value"
        values.append(BreakdownValue(text=row[f"breakdown_{place}"], kind=kind))
    return {"period": row.get("period", "current"), "breakdown": values}


def value_of(row: Row) -> list[BreakdownValue]:
    """Return the value of a funnel's or a retention's line."""
    return [BreakdownValue(text=row["breakdown"], kind=row["breakdown_kind"])] if "breakdown" in row else []


def _cut(asked: TrendDocument | WebDocument | RevenueDocument, window: Window, now: datetime) -> Cut:
    periods = {"current": (window.start, window.end)}
    if asked.compare is not None:
        interval = "total" if asked.total else asked.interval
        periods["previous"] = (previous_start(window, interval), window.start)

    def cut(row: Row) -> dict[str, Any]:
        first, last = periods[row.get("period", "current")]
        start, is_complete = bucket_of(row, first, min(last, now))
        return {"start": start, "is_complete": is_complete}

    return cut


def bucket_of(row: Row, first: datetime, last: datetime) -> tuple[datetime, bool]:
    """Return where a row's bucket begins, and whether it lies between two instants."""
    start, end = (datetime.fromisoformat(row[name]) for name in ("bucket", "bucket_end"))
    return local(start, row), first <= start and end <= last
