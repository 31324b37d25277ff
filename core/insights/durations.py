"""Lengths of time as definitions and requests write them: `30s`, `15min`, `12h`, `14d`, `2w`, `1mo`."""

import re

_LENGTH = re.compile(r"([1-9]\d{0,8})(s|min|h|d|w|mo)", re.ASCII)
_UNIT_MS = {
    "s": 1_000,
    "min": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
    "w": 7 * 86_400_000,
    "mo": 30 * 86_400_000,
}
LONGEST_MS = 366 * 86_400_000


def duration_ms(text: str) -> int:
    """Read a length of time, such as a conversion window, as milliseconds.

    Units have fixed lengths: a day is 24 h, a week 7 days, a month 30 days. Raises ValueError.

    >>> duration_ms("14d")
    1209600000
    """
    match = _LENGTH.fullmatch(text)
    if match is None:
        raise ValueError(f"'{text}' is not a length of time; write a number and s, min, h, d, w or mo, as 14d")
    length = int(match[1]) * _UNIT_MS[match[2]]
    if length > LONGEST_MS:
        raise ValueError(f"'{text}' is longer than 366 days, the longest window")
    return length
