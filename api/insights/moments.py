"""Dates and instants as the API's parameters write them."""

import re
from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

# A request beyond these years is a mistake, and the calendars of Python and ClickHouse end not far from some mistakes.
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
# A plus sign that was not percent-encoded arrives as a space: `+02:00` becomes ` 02:00`.
_BARE_OFFSET = re.compile(r"(T[\d:.]+) (\d{2}:?\d{2})$", re.ASCII)


def parse_moment(value: object) -> date | datetime:
    """Read an ISO 8601 date (`2026-03-01`) or instant with offset (`2026-03-01T09:00:00Z`).

    Raises ValueError for anything else, a local time without an offset included: it would be ambiguous.
    """
    text = str(value)
    if _DATE.fullmatch(text):
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise ValueError(f"'{text}' is not a day of the calendar") from None
    try:
        instant = datetime.fromisoformat(_BARE_OFFSET.sub(r"\1+\2", text))
    except ValueError:
        raise ValueError(f"'{text}' is neither a date (2026-03-01) nor an instant (2026-03-01T09:00:00Z)") from None
    if instant.tzinfo is None:
        raise ValueError(f"'{text}' has no offset; write an instant as 2026-03-01T09:00:00Z or +02:00, or give a date")
    return instant


Moment = Annotated[
    date | datetime,
    BeforeValidator(parse_moment),
    WithJsonSchema({"type": "string", "examples": ["2026-03-01", "2026-03-01T09:00:00Z"]}),
]


def is_in_reach(moment: date | datetime) -> bool:
    """Say whether a date or an instant may be asked for; the instant at which a date begins is another matter."""
    if isinstance(moment, datetime):
        return EARLIEST <= moment <= LATEST
    return EARLIEST.date() <= moment <= LATEST.date()


def cut_to_ms(instant: datetime) -> datetime:
    """Return an instant in UTC, cut to milliseconds."""
    utc = instant.astimezone(UTC)
    return utc.replace(microsecond=utc.microsecond // 1000 * 1000)


def literal(instant: datetime) -> str:
    """Write a UTC instant as ClickHouse reads a bound DateTime64(3)."""
    return instant.strftime("%Y-%m-%d %H:%M:%S.") + f"{instant.microsecond // 1000:03d}"
