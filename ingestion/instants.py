"""Instants as clients write them, and the correction of their clocks.

Inside the collector an instant is an integer: milliseconds since 1970, UTC.
"""

from datetime import UTC, datetime

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_MS = 24 * 3600 * 1000
_CORRECT_ABOVE_MS = 10_000
_MAX_SHIFT_MS = _DAY_MS
_MAX_AHEAD_MS = _DAY_MS
# Numbers from here on are milliseconds, below they are seconds: as seconds this is the year 5138, as milliseconds 1973.
_MILLISECONDS_FROM = 100_000_000_000
# What DateTime64(3) can hold, cut to what can be meant.
_LAST_MS = int(datetime(2300, 1, 1, tzinfo=UTC).timestamp() * 1000) - 1


class InvalidInstantError(ValueError):
    """The value is no instant, or none between 1970 and 2299."""


def parse(value: str | float) -> int:
    """Return the instant in milliseconds since 1970: from ISO 8601 (UTC when no zone is given) or from a number.

    Microseconds are cut off, not rounded. Raises `InvalidInstantError`.

    >>> parse("2024-01-02T03:04:05.678901Z")
    1704164645678
    """
    milliseconds = _from_text(value) if isinstance(value, str) else _from_number(value)
    if not 0 <= milliseconds <= _LAST_MS:
        raise InvalidInstantError(f"{value!r:.60} is not between 1970 and 2299")
    return milliseconds


def correct(original_ms: int | None, sent_ms: int | None, received_ms: int) -> int:
    """Return when the event happened on our clock.

    The client's clock is off by `received - sent`. That is taken out only above 10 s, because below it is mostly the
    network's delay, which would reorder steps; and by no more than 24 h. An original more than 24 h ahead of
    `received_ms` is no use at all and becomes it.
    """
    if original_ms is None or original_ms - received_ms > _MAX_AHEAD_MS:
        return received_ms
    if sent_ms is None:
        return original_ms
    shift = received_ms - sent_ms
    if abs(shift) <= _CORRECT_ABOVE_MS:
        return original_ms
    return max(0, min(_LAST_MS, original_ms + max(-_MAX_SHIFT_MS, min(_MAX_SHIFT_MS, shift))))


def _from_text(value: str) -> int:
    try:
        # Longer than a date such as 20240131; as ISO 8601, 13 digits would be a day, a separator and a time.
        if len(value) > len("20240131") and value.isdecimal():
            return _from_number(int(value))
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise InvalidInstantError(f"{value!r:.60} is not an instant such as 2024-01-31T12:00:00.000Z") from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    # In whole numbers: seconds as a float times 1000 would turn some .123 into .122.
    since = moment - _EPOCH
    return since.days * _DAY_MS + since.seconds * 1000 + since.microseconds // 1000


def _from_number(value: float) -> int:
    return int(value if abs(value) >= _MILLISECONDS_FROM else value * 1000)
