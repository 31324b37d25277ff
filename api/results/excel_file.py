"""Tables as workbooks of Excel."""

import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from api.results.tables import Table

# What Excel can hold.
_LONGEST = 32_767
_MOST_DIGITS = 10**15
_PART = 64 * 1024


def excel_file(table: Table, rows_at_once: int) -> Iterator[bytes]:
    """Write a workbook with one sheet: on disk, row by row, because a workbook is whole at its end alone.

    A text stays a text, even one that looks like a formula or a link. A number of more than 15 digits, which Excel
    would round, is a text; an instant shows the time of its own offset; of a text of more than 32,767 characters the
    rest is left out.
    """
    with tempfile.TemporaryDirectory(prefix="radixinsight-") as folder:
        path = Path(folder) / "result.xlsx"
        book = xlsxwriter.Workbook(path, {"constant_memory": True, "tmpdir": folder})
        sheet = book.add_worksheet()
        instant = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        for place, name in enumerate(table.columns):
            _write(sheet, (0, place), name, instant)
        for number, row in enumerate(table.rows, 1):
            for place, value in enumerate(row):
                _write(sheet, (number, place), value, instant)
            if number % rows_at_once == 0:
                # Whoever left is not written for.
                yield b""
        book.close()
        with path.open("rb") as file:
            while part := file.read(_PART):
                yield part


def _write(sheet: Worksheet, cell: tuple[int, int], value: Any, instant: Format) -> None:
    if value is None:
        return
    if isinstance(value, bool):
        sheet.write_boolean(*cell, value)
    elif isinstance(value, (int, float)) and abs(value) < _MOST_DIGITS:
        sheet.write_number(*cell, value)
    elif isinstance(value, datetime):
        sheet.write_datetime(*cell, value.replace(tzinfo=None), instant)
    else:
        text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        sheet.write_string(*cell, text[:_LONGEST])
