"""Rows of the macros of funnels as the figures of an answer."""

from datetime import datetime
from typing import Any

from api.insights.figures import rate
from api.insights.statements import Window
from api.queries.documents import FunnelDocument, FunnelTimesDocument, FunnelTrendDocument
from api.queries.figures import Row, bucket_of, value_of
from api.queries.funnel_schemas import (
    FunnelLine,
    FunnelStepFigures,
    FunnelTimesBin,
    FunnelTimesData,
    FunnelTimesLine,
    FunnelTrendBucket,
    FunnelTrendData,
    FunnelTrendLine,
    FunnelTrendStep,
    QueriedFunnelData,
)
from core.insights.durations import duration_ms

_TIMES = ("p25_ms", "median_ms", "p75_ms", "p90_ms", "p95_ms", "p99_ms")


def funnel_data(rows: list[Row], asked: FunnelDocument) -> QueriedFunnelData:
    """Return the steps of a funnel."""
    by_value: dict[Any, list[Row]] = {}
    for row in rows:
        by_value.setdefault((row.get("breakdown_kind"), row.get("breakdown")), []).append(row)
    lines: list[FunnelLine] = []
    for own in by_value.values():
        steps: list[FunnelStepFigures] = []
        for step, row in zip(asked.steps, own, strict=True):
            first = steps[0].persons if steps else row["persons"]
            steps.append(
                FunnelStepFigures(
                    step=row["step"],
                    name=step.label(),
                    persons=row["persons"],
                    lost_persons=row["lost_persons"],
                    incomplete_persons=row["incomplete_persons"],
                    conversion_from_first=rate(row["persons"], first),
                    conversion_from_previous=rate(row["persons"], steps[-1].persons) if steps else None,
                    average_ms=row["avg_ms"],
                    **{name: row[name] for name in _TIMES},
                    total_average_ms=row["total_avg_ms"],
                    total_median_ms=row["total_median_ms"],
                )
            )
        lines.append(FunnelLine(breakdown=value_of(own[0]), conversion=steps[-1].conversion_from_first, steps=steps))
    return QueriedFunnelData(
        order=asked.order, attempts=asked.attempts, window_ms=duration_ms(asked.window), lines=lines
    )


def funnel_trend_data(rows: list[Row], asked: FunnelTrendDocument, window: Window, now: datetime) -> FunnelTrendData:
    """Return the buckets of a funnel over time."""
    lines: dict[Any, FunnelTrendLine] = {}
    buckets: dict[Any, FunnelTrendBucket] = {}
    for row in rows:
        value = (row.get("breakdown_kind"), row.get("breakdown"))
        line = lines.setdefault(value, FunnelTrendLine(breakdown=value_of(row), buckets=[]))
        if (*value, row["bucket"]) not in buckets:
            begun, is_complete = bucket_of(row, window.start, min(window.end, now))
            buckets[*value, row["bucket"]] = FunnelTrendBucket(start=begun, is_complete=is_complete, steps=[])
            line.buckets.append(buckets[*value, row["bucket"]])
        steps = buckets[*value, row["bucket"]].steps
        steps.append(
            FunnelTrendStep(
                step=row["step"],
                name=asked.steps[row["step"] - 1].label(),
                persons=row["persons"],
                incomplete_persons=row["incomplete_persons"],
                conversion_from_first=rate(row["persons"], steps[0].persons if steps else row["persons"]),
            )
        )
    ranked = sorted(lines.values(), key=lambda line: _rank(line, sum(each.steps[0].persons for each in line.buckets)))
    return FunnelTrendData(interval=asked.interval, timezone=window.timezone, lines=ranked)


def funnel_times_data(rows: list[Row], asked: FunnelTimesDocument) -> FunnelTimesData:
    """Return the bins of a histogram."""
    lines: dict[Any, FunnelTimesLine] = {}
    for row in rows:
        value = (row.get("breakdown_kind"), row.get("breakdown"))
        line = lines.setdefault(value, FunnelTimesLine(breakdown=value_of(row), bins=[]))
        line.bins.append(FunnelTimesBin(from_ms=row["from_ms"], to_ms=row["to_ms"], persons=row["persons"]))
    ranked = sorted(lines.values(), key=lambda line: _rank(line, sum(each.persons for each in line.bins)))
    first, last = asked.from_step, asked.last_step
    names = {"from_name": asked.steps[first - 1].label(), "to_name": asked.steps[last - 1].label()}
    return FunnelTimesData(from_step=first, to_step=last, **names, lines=ranked)


def _rank(line: FunnelTrendLine | FunnelTimesLine, persons: int) -> tuple[bool, int, str]:
    """Return the place of a line: the values of most persons first, the rest last."""
    value = line.breakdown[0] if line.breakdown else None
    return (False, 0, "") if value is None else (value.kind == "other", -persons, value.text)
