"""The range of a query document as two moments of the project's calendar."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from api.insights.answers import Moment
from api.insights.statements import Window
from api.queries.range_documents import Ranged
from core.metadata import Project

_MONTHS = 12


def ends_of(asked: Ranged, project: Project, now: datetime) -> tuple[Moment, Moment]:
    """Return the two ends of the range, of `last` those of its first and of the present bucket."""
    if asked.from_ is not None and asked.to is not None:
        return asked.from_, asked.to
    count, zone = asked.last or 1, ZoneInfo(project.timezone)
    if asked.unit == "hour":
        present = _hour(now, zone)
        return _hour(present - timedelta(hours=count - 1), zone), present + timedelta(hours=1)
    today = now.astimezone(zone).date()
    if asked.unit == "day":
        return today - timedelta(days=count - 1), today + timedelta(days=1)
    if asked.unit == "week":
        first = today - timedelta(days=(today.isoweekday() - project.week_start) % 7)
        return first - timedelta(weeks=count - 1), first + timedelta(weeks=1)
    return _month(today, 1 - count), _month(today, 1)


def previous_start(window: Window, interval: str) -> datetime:
    """Return where the period before a range begins, as `insights_previous_start` says it."""
    zone = ZoneInfo(window.timezone)
    first, last = (instant.astimezone(zone).date() for instant in (window.start, window.end))
    if (_midnight(first, zone), _midnight(last, zone)) != (window.start, window.end):
        return window.start - (window.end - window.start)
    if interval == "month" and first.day == last.day == 1:
        months = (last.year - first.year) * _MONTHS + last.month - first.month
        return _midnight(_month(first, -months), zone)
    return _midnight(first - (last - first), zone)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _hour(instant: datetime, zone: ZoneInfo) -> datetime:
    """Return the instant at which the hour of the zone's clock began."""
    local = instant.astimezone(zone)
    return instant.astimezone(UTC) - timedelta(
        minutes=local.minute, seconds=local.second, microseconds=local.microsecond
    )


def _month(day: date, later: int) -> date:
    """Return the first day of the month that lies so many months after a day's."""
    months = day.year * _MONTHS + day.month - 1 + later
    return date(months // _MONTHS, months % _MONTHS + 1, 1)
