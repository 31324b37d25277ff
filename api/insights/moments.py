"""Dates, instants and lengths of time as the API's parameters write them."""

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
_LENGTH = re.compile(r"([1-9]\d{0,8})(s|min|h|d|w|mo)", re.ASCII)
_UNIT_MS = {
    "s": 1_000,
    "min": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
    "w": 7 * 86_400_000,
    "mo": 30 * 86_400_000,
}
LONGEST_WINDOW_MS = 366 * 86_400_000


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


def window_ms(text: str) -> int:
    """Read a conversion window such as `30s`, `15min`, `12h`, `14d`, `2w` or `1mo` as milliseconds.

    Units have fixed lengths: a day is 24 h, a week 7 days, a month 30 days. Raises ValueError.
    """
    match = _LENGTH.fullmatch(text)
    if match is None:
        raise ValueError(f"'{text}' is not a length of time; write a number and s, min, h, d, w or mo, as 14d")
    length = int(match[1]) * _UNIT_MS[match[2]]
    if length > LONGEST_WINDOW_MS:
        raise ValueError(f"'{text}' is longer than 366 days, the longest window")
    return length
