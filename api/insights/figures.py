"""Figures that several answers have."""

from datetime import datetime, timedelta, timezone
from typing import Any

from api.insights.schemas import RetentionAverage, RetentionCohort


def local(instant: datetime, row: dict[str, Any]) -> datetime:
    """Show an instant with the offset that the row gives it."""
    return instant.astimezone(timezone(timedelta(seconds=row["utc_offset_s"])))


def quarter_hour(instant: datetime) -> datetime:
    """Cut to the quarter of an hour: periods end on one in every zone, and equal questions stay equal for that long."""
    return instant.replace(minute=instant.minute // 15 * 15, second=0, microsecond=0)


def rate(part: int, whole: int) -> float | None:
    """Return a part of a whole between 0 and 1; None of nothing."""
    return part / whole if whole else None


def average_of(cohorts: list[RetentionCohort], index: int) -> RetentionAverage:
    """Return the average of a column, weighted by size, over the cohorts whose cell is complete."""
    ended = [
        (cohort.size, cell.persons)
        for cohort in cohorts
        for cell in cohort.cells
        if cell.period_index == index and cell.is_complete
    ]
    size = sum(entry for entry, _ in ended)
    persons = sum(returned for _, returned in ended)
    return RetentionAverage(period_index=index, size=size, persons=persons, rate=rate(persons, size))
