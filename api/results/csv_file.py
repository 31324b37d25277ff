"""Tables as CSV (RFC 4180): a header, then a line per row."""

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

import msgspec

MEDIA_TYPE = "text/csv; charset=utf-8; header=present"

# With these a spreadsheet takes a text for a formula, and runs it.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


async def csv_file(columns: Sequence[str], blocks: AsyncIterator[Sequence[Sequence[Any]]]) -> AsyncIterator[bytes]:
    """Write blocks of rows, whose values are as JSON has them, as the parts of one CSV file.

    Null is nothing between two commas, an empty text is `""`. Lists and objects are JSON. A text that a spreadsheet
    would take for a formula gets an apostrophe before it; numbers do not, negative ones too.
    """
    yield _line(columns)
    async for block in blocks:
        yield csv_lines(block)


def csv_lines(rows: Iterable[Sequence[Any]]) -> bytes:
    """Return lines of such a file."""
    return b"".join(map(_line, rows))


def _line(values: Sequence[Any]) -> bytes:
    return (",".join(map(_cell, values)) + "\r\n").encode()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        shown = f"'{value}" if value.startswith(_FORMULA_STARTS) else value
        return _quoted(shown)
    written = msgspec.json.encode(value).decode()
    return _quoted(written) if isinstance(value, (list, dict)) else written


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
