"""Tables as files of whatever format was asked for."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import Query, Request, Response
from fastapi.responses import StreamingResponse

from api.results import csv_file, excel_file
from api.results.arrow_files import arrow_file, parquet_file
from api.results.formats import Explain, Format, WantedFormat
from api.results.tables import Table

FormatParameter = Annotated[WantedFormat, Query(alias="format")]
ExplainParameter = Annotated[Explain, Query()]
# Blocks of so many rows are written at a time.
ROWS_AT_ONCE = 1_000

MEDIA_TYPES: dict[Format, str] = {
    "csv": csv_file.MEDIA_TYPE,
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.stream",
}
_BY_MEDIA_TYPE: dict[str, Format] = {kind.partition(";")[0]: name for name, kind in MEDIA_TYPES.items()}
_BINARY: dict[str, Callable[[Table, int], Iterator[bytes]]] = {
    "xlsx": excel_file.excel_file,
    "parquet": parquet_file,
    "arrow": arrow_file,
}

AS_FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Successful Response",
        "content": {
            MEDIA_TYPES["csv"].partition(";")[0]: {
                "schema": {"type": "string"},
                "example": '"country","persons"\r\n"DE",211\r\n',
            },
            **{
                MEDIA_TYPES[name]: {"schema": {"type": "string", "format": "binary"}}
                for name in ("xlsx", "parquet", "arrow")
            },
        },
        "headers": {
            "X-Truncated": {
                "description": "Of a file: whether there are more rows than were asked for, true or false.",
                "schema": {"type": "string"},
            }
        },
    }
}


def wanted_format(request: Request, asked: Format | None) -> Format:
    """Return what to answer with; the address counts before the header."""
    if asked is not None:
        return asked
    accepted = request.headers.get("accept", "").split(",")[0].split(";")[0].strip().lower()
    return _BY_MEDIA_TYPE.get(accepted, "json")


def file_response(kind: Format, table: Table, name: str) -> Response:
    """Return a table as a file to be saved, whose name must be one of ours; it is sent while it is written."""
    headers = {
        "Content-Type": MEDIA_TYPES[kind],
        "Content-Disposition": f'attachment; filename="{name}.{kind}"',
        "X-Truncated": str(table.is_truncated).lower(),
    }
    if kind == "csv":
        return StreamingResponse(csv_file.csv_file(table.columns, _blocks(table.rows)), headers=headers)
    # Starlette runs them in threads: other answers do not wait while they are made.
    return StreamingResponse(_BINARY[kind](table, ROWS_AT_ONCE), headers=headers)


async def _blocks(rows: Sequence[Sequence[Any]]) -> AsyncIterator[Sequence[Sequence[Any]]]:
    """Return the rows some at a time, so that a file of many is not held a second time."""
    for start in range(0, len(rows), ROWS_AT_ONCE):
        block = rows[start : start + ROWS_AT_ONCE]
        yield [[each.isoformat() if isinstance(each, datetime) else each for each in row] for row in block]
