"""The one source of the current time."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the current instant, UTC, cut to milliseconds: the precision that is stored."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
