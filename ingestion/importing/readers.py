"""Cuts an unpacked stream into rows, in memory that does not depend on how long it is."""

import csv
import io
import shutil
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, Literal

import msgspec

from core.events import RejectReason
from ingestion.importing.errors import UnreadableFileError
from ingestion.importing.packing import DAMAGED, PACKED_SUFFIXES, Source, members
from ingestion.lenient_json import is_utf8

Format = Literal["csv", "jsonl", "parquet"]
Row = bytes | dict[str, Any]
"""A line of JSON, or a row of cells by column: text from CSV, values from Parquet."""

_MAX_ROW_BYTES = 4 * 1024 * 1024
_KEPT_OF_TOO_LARGE = 32 * 1024
_PARQUET_ROWS = 2_000
_BOM = b"\xef\xbb\xbf"
_PARQUET = b"PAR1"
_SUFFIXES: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
}
_DELIMITERS = ",;\t|"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A row that is none: its bytes, as far as they are kept, and what is wrong."""

    payload: bytes
    reason: RejectReason
    detail: str


@dataclass(frozen=True, slots=True)
class Form:
    """How a file is to be read, where it does not show that itself."""

    format: Format | None = None
    delimiter: str | None = None
    encoding: str = "utf-8"


def rows(source: Source, name: str, form: Form) -> Iterator[Row | Unreadable]:
    """Yield the rows of a file, or of all files within an archive; raise `UnreadableFileError`."""
    try:
        for member, stream in members(source):
            yield from _rows(stream, member or name, form, source)
    except DAMAGED as error:
        raise UnreadableFileError(f"{name} is damaged or cut off: {error}.") from error


def format_of(path: Path, name: str, form: Form) -> str:
    """Return as what a file, or the first one within an archive, is read; empty where it cannot be."""
    with Source(path) as source:
        try:
            for member, stream in members(source):
                return form.format or _format(_head(stream), member or name)
        except (*DAMAGED, UnreadableFileError):
            pass
    return ""


def _head(stream: IO[bytes]) -> bytes:
    assert isinstance(stream, io.BufferedReader)  # noqa: S101 - what `members` yields; this narrows the type
    return stream.peek(64)[:64].removeprefix(_BOM)


def _rows(stream: IO[bytes], name: str, form: Form, source: Source) -> Iterator[Row | Unreadable]:
    assert isinstance(stream, io.BufferedReader)  # noqa: S101 - what `members` yields; this narrows the type
    head = _head(stream)
    match form.format or _format(head, name):
        case "parquet":
            with _seekable(stream, source) as file:
                yield from _parquet(file, source)
        case "jsonl":
            if head.lstrip()[:1] == b"[":
                raise UnreadableFileError(f"{name} is a JSON array. One object a line is needed (`jq -c '.[]'`).")
            yield from _lines(stream)
        case "csv":
            yield from _cells(stream, name, form)


def _format(head: bytes, name: str) -> Format:
    if head.startswith(_PARQUET):
        return "parquet"
    path = PurePosixPath(name.lower())
    suffix = PurePosixPath(path.stem).suffix if path.suffix in PACKED_SUFFIXES else path.suffix
    return _SUFFIXES.get(suffix, "jsonl" if head.lstrip()[:1] in (b"{", b"[") else "csv")


def _lines(stream: io.BufferedReader) -> Iterator[bytes | Unreadable]:
    is_first = True
    while line := stream.readline(_MAX_ROW_BYTES + 1):
        if is_first:
            line, is_first = line.removeprefix(_BOM), False
        if len(line) > _MAX_ROW_BYTES and not line.endswith(b"\n"):
            kept = line[:_KEPT_OF_TOO_LARGE]
            while (more := stream.readline(_MAX_ROW_BYTES)) and not more.endswith(b"\n"):
                pass
            yield Unreadable(kept, RejectReason.EVENT_TOO_LARGE, f"the line is longer than {_MAX_ROW_BYTES} bytes")
        elif stripped := line.strip():
            yield stripped


def _cells(stream: io.BufferedReader, name: str, form: Form) -> Iterator[dict[str, Any] | Unreadable]:
    encoding = "utf-8-sig" if form.encoding.lower().replace("_", "-") in {"utf-8", "utf8"} else form.encoding
    text = io.TextIOWrapper(stream, encoding=encoding, errors="surrogateescape", newline="")
    csv.field_size_limit(_MAX_ROW_BYTES)
    try:
        lines = _text_lines(text, name)
        header = next(lines, "")
        delimiter = form.delimiter or max(_DELIMITERS, key=header.count)
        (columns,) = csv.reader([header], delimiter=delimiter)
        if not any(columns) or len(set(columns)) < len(columns):
            raise UnreadableFileError(f"The first line of {name} must name the columns, each once.")
        for cells in csv.reader(lines, delimiter=delimiter):
            if not cells:
                continue
            joined = "".join(cells)
            if not joined.isascii() and not is_utf8(joined.encode("utf-8", "surrogateescape")):
                payload = delimiter.join(cells).encode("utf-8", "surrogateescape")
                yield Unreadable(payload, RejectReason.INVALID_UTF8, f"a cell is not {form.encoding}")
            elif len(cells) != len(columns):
                payload = msgspec.json.encode(cells)[:_KEPT_OF_TOO_LARGE]
                detail = f"the row has {len(cells)} cells, the header {len(columns)}"
                yield Unreadable(payload, RejectReason.INVALID_SHAPE, detail)
            else:
                yield dict(zip(columns, cells, strict=True))
    except csv.Error as error:
        raise UnreadableFileError(f"{name}: {error}. Is there a quote that is never closed?") from error
    finally:
        text.detach()


def _text_lines(text: io.TextIOWrapper, name: str) -> Iterator[str]:
    while line := text.readline(_MAX_ROW_BYTES):
        if len(line) == _MAX_ROW_BYTES and not line.endswith("\n"):
            raise UnreadableFileError(f"{name} has a line of more than {_MAX_ROW_BYTES} characters.")
        yield line


def _parquet(file: IO[bytes], source: Source) -> Iterator[dict[str, Any]]:
    # 100 ms and 60 MB that only Parquet needs.
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import parquet  # noqa: PLC0415

    try:
        table = parquet.ParquetFile(file, pre_buffer=False, buffer_size=_MAX_ROW_BYTES)
        done = 0
        total = max(1, table.metadata.num_rows)
        for batch in table.iter_batches(_PARQUET_ROWS, use_threads=False):
            yield from _plain(batch, pa).to_pylist()
            done += batch.num_rows
            source.done = source.size * done // total
    except (pa.ArrowException, OSError) as error:
        raise UnreadableFileError(f"The Parquet file cannot be read: {error}.") from error


def _plain(batch: Any, pa: Any) -> Any:
    """Cut nanoseconds to microseconds: Python has none."""
    for index, field in enumerate(batch.schema):
        if pa.types.is_timestamp(field.type) and field.type.unit == "ns":
            column = batch.column(index).cast(pa.timestamp("us", field.type.tz), safe=False)
            batch = batch.set_column(index, field.name, column)
    return batch


@contextmanager
def _seekable(stream: io.BufferedReader, source: Source) -> Generator[IO[bytes]]:
    if stream.raw is source:
        yield stream
        return
    # Parquet within gzip: it is read from its end, so that it has to be unpacked as a whole, on disk.
    with tempfile.TemporaryFile(dir=Path(tempfile.gettempdir())) as file:
        shutil.copyfileobj(stream, file)
        file.seek(0)
        yield file
