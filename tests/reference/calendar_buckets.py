"""Calendar buckets in a time zone."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

Bucket = date | datetime


def bucket(instant: datetime, interval: str, zone: ZoneInfo, week_start: int = 1) -> Bucket:
    """Return the bucket that holds `instant`: its first date, or for hours the UTC instant at which the hour began."""
    local = instant.astimezone(zone)
    if interval == "hour":
        return instant.astimezone(UTC).replace(microsecond=0) - timedelta(minutes=local.minute, seconds=local.second)
    if interval == "day":
        return local.date()
    if interval == "week":
        return local.date() - timedelta(days=(local.isoweekday() - week_start) % 7)
    if interval == "month":
        return local.date().replace(day=1)
    raise ValueError(interval)


def bucket_start(of: Bucket, zone: ZoneInfo) -> datetime:
    """Return the UTC instant at which a bucket begins: the first instant whose local date is the bucket's."""
    if isinstance(of, datetime):
        return of
    # Zone rules fold or skip at most a few hours around midnight: the first quarter of an hour that has the date.
    midnight = datetime.combine(of, time(0), tzinfo=UTC)
    candidates = (midnight + timedelta(minutes=15 * step) for step in range(-15 * 4, 15 * 4))
    return next(instant for instant in candidates if instant.astimezone(zone).date() >= of)


def utc_offset_s(instant: datetime, zone: ZoneInfo) -> int:
    """Return how far the zone's clock is ahead of UTC at an instant."""
    return (instant.astimezone(zone).replace(tzinfo=UTC) - instant) // timedelta(seconds=1)


def bucket_end(start: datetime, interval: str, zone: ZoneInfo, week_start: int = 1) -> datetime:
    """Return the UTC instant at which the bucket ends that begins at `start`."""
    if interval == "hour":
        return start + timedelta(hours=1)
    return bucket_start(following(bucket(start, interval, zone, week_start), interval, 1), zone)


def following(of: Bucket, interval: str, count: int) -> Bucket:
    """Return the bucket that lies `count` buckets after `of`."""
    if interval == "hour":
        return of + timedelta(hours=count)
    if interval == "day":
        return of + timedelta(days=count)
    if interval == "week":
        return of + timedelta(weeks=count)
    months = of.year * 12 + of.month - 1 + count
    return of.replace(year=months // 12, month=months % 12 + 1)


def buckets(start: datetime, end: datetime, interval: str, zone: ZoneInfo, week_start: int = 1) -> list[Bucket]:
    """Return every bucket that the window [start, end) touches, in order, found by looking at many instants."""
    found: dict[Bucket, None] = {}
    step = timedelta(minutes=15) if interval == "hour" else timedelta(hours=3)
    instant = start
    while instant < end:
        found.setdefault(bucket(instant, interval, zone, week_start))
        instant += step
    if start < end:
        found.setdefault(bucket(end - timedelta(milliseconds=1), interval, zone, week_start))
    return list(found)
