"""The files of exports."""

import gzip
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from api.results.csv_file import csv_lines

SUFFIXES = {"csv": "csv.gz", "ndjson": "ndjson.gz", "parquet": "parquet"}
MEDIA_TYPES = {"csv": "application/gzip", "ndjson": "application/gzip", "parquet": "application/vnd.apache.parquet"}
_TYPES = {
    "text": pa.string(),
    "json": pa.string(),
    "integer": pa.int64(),
    "truth": pa.bool_(),
    "instant": pa.timestamp("ms", tz="UTC"),
}
_LEVEL = 4

Row = Mapping[str, Any]


class ExportFile(ABC):
    """A file in the making, readable by its owner alone. What it does blocks."""

    def __init__(self, path: Path, columns: Mapping[str, str]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.columns = columns
        self.file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb")

    @abstractmethod
    def write(self, rows: Sequence[Row]) -> None:
        """Write rows."""

    def size(self) -> int:
        """Return how many bytes there are so far, what the compressor holds aside."""
        return self.file.tell()

    def finish(self) -> int:
        """Write what belongs at the end, and return the size of the file in bytes."""
        self.end()
        self.file.flush()
        return self.size()

    @abstractmethod
    def end(self) -> None:
        """Write what belongs at the end."""

    def close(self) -> None:
        """Close the file, whole or not."""
        self.file.close()


class _Packed(ExportFile):
    def __init__(self, path: Path, columns: Mapping[str, str]) -> None:
        super().__init__(path, columns)
        self.packed = gzip.GzipFile(filename="", fileobj=self.file, mode="wb", compresslevel=_LEVEL)

    def end(self) -> None:
        self.packed.close()


class _Csv(_Packed):
    def __init__(self, path: Path, columns: Mapping[str, str]) -> None:
        super().__init__(path, columns)
        self.packed.write(csv_lines([list(columns)]))

    def write(self, rows: Sequence[Row]) -> None:
        self.packed.write(csv_lines([[_plain(row[name]) for name in self.columns] for row in rows]))


class _Ndjson(_Packed):
    def write(self, rows: Sequence[Row]) -> None:
        self.packed.write(b"".join(msgspec.json.encode(self._line(row)) + b"\n" for row in rows))

    def _line(self, row: Row) -> dict[str, Any]:
        return {
            # What clients sent is JSON already; it may stand on several lines.
            name: msgspec.Raw(msgspec.json.format((row[name] or "{}").encode(), indent=-1))
            if kind == "json"
            else _plain(row[name])
            for name, kind in self.columns.items()
        }


class _Parquet(ExportFile):
    def __init__(self, path: Path, columns: Mapping[str, str]) -> None:
        super().__init__(path, columns)
        self._schema = pa.schema([(name, _TYPES[kind]) for name, kind in columns.items()])
        self._writer = pq.ParquetWriter(self.file, self._schema, compression="zstd")

    def write(self, rows: Sequence[Row]) -> None:
        arrays = [pa.array([row[field.name] for row in rows], field.type) for field in self._schema]
        self._writer.write_batch(pa.record_batch(arrays, schema=self._schema))

    def end(self) -> None:
        self._writer.close()


_BY_FORMAT: dict[str, type[ExportFile]] = {"csv": _Csv, "ndjson": _Ndjson, "parquet": _Parquet}


def open_file(kind: str, path: Path, columns: Mapping[str, str]) -> ExportFile:
    """Begin a file anew."""
    return _BY_FORMAT[kind](path, columns)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value
