"""Passes the rows of an insert on to the engine while they arrive."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from runtime.clickhouse.answer import Summary
from runtime.clickhouse.engine import Handle, engine_text
from runtime.clickhouse.errors import from_engine
from runtime.clickhouse.statement import InsertHead

# Fewer calls into the engine, which parses a piece in each of them; a whole MiB keeps the socket busy as well.
_APPEND_BYTES = 1024**2


def stream_insert(handle: Handle, head: InsertHead, rows: Iterator[bytes], summary: Summary) -> None:
    """Insert `rows`, bytes in the head's format. Stores nothing of a small insert that fails.

    As in ClickHouse, blocks of a large insert that were complete before the failure stay.
    Raises ClickHouseError for what the engine refuses, and whatever reading the rows raises.
    """
    raw = handle.raw
    try:
        inserter = raw.send_insert(engine_text(head.text), head.format)
    except RuntimeError as error:
        raise from_engine(error) from None
    is_done = False
    try:
        for piece in _gathered(rows):
            raw.insert_append(inserter, piece)
        is_done = True
        result: Any = raw.insert_done(inserter)
    except RuntimeError as error:
        raise from_engine(error) from None
    finally:
        if not is_done:
            with suppress(RuntimeError):
                raw.insert_cancel(inserter)
    summary.written_rows = summary.read_rows = summary.result_rows = result.rows_written()
    summary.written_bytes = summary.read_bytes = summary.result_bytes = result.bytes_written()


def _gathered(rows: Iterator[bytes]) -> Iterator[bytes]:
    held: list[bytes] = []
    size = 0
    for piece in rows:
        held.append(piece)
        size += len(piece)
        if size >= _APPEND_BYTES:
            yield b"".join(held) if len(held) > 1 else piece
            held.clear()
            size = 0
    if held:
        yield b"".join(held)
