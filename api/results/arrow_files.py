"""Tables as Arrow streams and Parquet files."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from api.results.tables import Table

_INSTANT = pa.timestamp("ms", tz="UTC")
# pyarrow tells no types.
_TYPES: dict[frozenset[type], Any] = {
    frozenset(): pa.null(),
    frozenset({bool}): pa.bool_(),
    frozenset({int}): pa.int64(),
    frozenset({float}): pa.float64(),
    frozenset({int, float}): pa.float64(),
    frozenset({datetime}): _INSTANT,
}
_MOST_INT = 2**63


class _Sink:
    """A file that is taken away in parts while it is written."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(self._parts[-1])

    def flush(self) -> None:
        """Do nothing: there is nothing behind it."""

    def close(self) -> None:
        """Do nothing: what is left is taken afterwards."""

    def take(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken


def arrow_file(table: Table, rows_at_once: int) -> Iterator[bytes]:
    """Write an Arrow IPC stream."""
    return _written(table, rows_at_once, pa.ipc.new_stream)


def parquet_file(table: Table, rows_at_once: int) -> Iterator[bytes]:
    """Write a Parquet file; a row group has a hundred blocks at most."""
    return _written(table, rows_at_once * 100, partial(pq.ParquetWriter, compression="zstd"))


def schema_of(table: Table) -> Any:
    """Return the types of a table's columns by what is in them; lists, objects and what is mixed are texts of JSON."""
    kinds: list[set[type]] = [set() for _ in table.columns]
    for row in table.rows:
        for kind, value in zip(kinds, row, strict=True):
            if value is not None:
                kind.add(str if isinstance(value, int) and abs(value) >= _MOST_INT else type(value))
    return pa.schema(
        [(name, _TYPES.get(frozenset(kind), pa.string())) for name, kind in zip(table.columns, kinds, strict=True)]
    )


def _written(table: Table, rows_at_once: int, writer: Callable[[Any, Any], Any]) -> Iterator[bytes]:
    schema, sink = schema_of(table), _Sink()
    with pa.PythonFile(sink, mode="w") as file, writer(file, schema) as written:
        for start in range(0, len(table.rows), rows_at_once):
            written.write_batch(_batch(table.rows[start : start + rows_at_once], schema))
            yield sink.take()
    yield sink.take()


def _batch(rows: Sequence[Sequence[Any]], schema: Any) -> Any:
    columns = zip(*rows, strict=True)
    arrays = [pa.array(_fit(column, field.type), field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.record_batch(arrays, schema=schema)


def _fit(column: Sequence[Any], kind: Any) -> Sequence[Any]:
    if kind != pa.string():
        return column
    return [
        value if value is None or isinstance(value, str) else msgspec.json.encode(value).decode() for value in column
    ]
