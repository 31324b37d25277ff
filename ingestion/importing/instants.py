"""Instants as files write them."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ingestion.importing.errors import InvalidMappingError

_EPOCHS = {"epoch_s": 1.0, "epoch_ms": 1e3, "epoch_us": 1e6, "epoch_ns": 1e9}
FORMATS = ("iso", *_EPOCHS)


def zone_of(name: str) -> ZoneInfo:
    """Return an IANA time zone; raise `InvalidMappingError`."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidMappingError(f"{name[:50]!r} is not an IANA time zone such as 'Europe/Berlin'.") from error


def reader(form: str, zone_name: str) -> Callable[[Any], Any]:
    """Return what makes of a cell an instant that validation reads.

    `form` is `iso` (or a number, as everywhere), one of `epoch_s`, `epoch_ms`, `epoch_us`, `epoch_ns`, or a pattern of
    strptime; a zone holds where the text names none. What cannot be read is left as it is, for validation to say.
    Raises `InvalidMappingError`.
    """
    zone = zone_of(zone_name)
    if form in _EPOCHS:
        scale = _EPOCHS[form]

        def from_number(value: Any) -> Any:
            try:
                # As text with its zone: a number would be taken for seconds or milliseconds by its size.
                return datetime.fromtimestamp(float(value) / scale, UTC).isoformat()
            except (ValueError, OverflowError, OSError, TypeError):
                return value

        return from_number
    if form == "iso":
        return lambda value: _from_iso(value, zone)
    if "%" not in form:
        raise InvalidMappingError(
            f"timestamp.format is {form[:50]!r}; it must be one of {', '.join(FORMATS)}, or a pattern such as "
            "'%d.%m.%Y %H:%M'."
        )

    try:
        now = datetime.now(UTC)
        datetime.strptime(now.strftime(form), form)  # noqa: DTZ007 - only tried
    except (ValueError, re.error) as error:
        raise InvalidMappingError(f"timestamp.format {form[:50]!r} is no pattern of strptime: {error}.") from error

    def from_pattern(value: Any) -> Any:
        try:
            return _zoned(datetime.strptime(str(value), form), zone)  # noqa: DTZ007 - the zone is put in
        except ValueError:
            return value

    return from_pattern


def _from_iso(value: Any, zone: ZoneInfo) -> Any:
    if isinstance(value, datetime):
        return _zoned(value, zone)
    if isinstance(value, date):
        return _zoned(datetime(value.year, value.month, value.day, tzinfo=zone), zone)
    if not isinstance(value, str) or zone.key == "UTC" or value.isdecimal():
        return value
    try:
        return _zoned(datetime.fromisoformat(value), zone)
    except ValueError:
        return value


def _zoned(moment: datetime, zone: ZoneInfo) -> str:
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)).isoformat()
