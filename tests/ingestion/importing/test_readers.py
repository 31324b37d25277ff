import gzip
import io
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
import zstandard
from pyarrow import parquet

from core.events import RejectReason
from ingestion.importing.errors import UnreadableFileError
from ingestion.importing.readers import Form, Unreadable
from tests.ingestion.importing.files import read

LINES = b'{"a":1}\n\n  {"a":2}\r\n{"a":3}'
ROWS = [b'{"a":1}', b'{"a":2}', b'{"a":3}']


def put(tmp_path: Path, content: bytes, name: str = "export") -> Path:
    """Write a file."""
    path = tmp_path / name
    path.write_bytes(content)
    return path


def zipped(*members: tuple[str, bytes]) -> bytes:
    """Return a zip archive."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members:
            file.writestr(name, content)
    return archive.getvalue()


def in_members(content: bytes) -> bytes:
    """Pack the way that concatenated logs are."""
    return gzip.compress(content[:8]) + gzip.compress(content[8:])


def in_an_archive(content: bytes) -> bytes:
    """Pack the way that Amplitude does."""
    return zipped(("1/x.json.gz", gzip.compress(content)))


@pytest.mark.parametrize(
    "pack",
    [
        bytes,
        gzip.compress,
        in_members,
        zstandard.compress,
        in_an_archive,
        b"\xef\xbb\xbf".__add__,
    ],
    ids=["plain", "gzip", "gzip in members", "zstd", "zip", "with a byte order mark"],
)
def test_lines_are_read_whatever_they_are_packed_in(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    """The name says nothing."""
    assert read(put(tmp_path, pack(LINES))) == ROWS


def test_an_archive_is_read_in_the_order_of_its_names(tmp_path: Path) -> None:
    members = [("2.json", b'{"a":2}'), ("1.json", b'{"a":1}'), ("__MACOSX/1.json", b"x"), (".DS_Store", b"x")]
    assert read(put(tmp_path, zipped(*members))) == [b'{"a":1}', b'{"a":2}']


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_a_csv_file_shows_its_delimiter(tmp_path: Path, delimiter: str) -> None:
    content = f'who{delimiter}what\r\nada{delimiter}"a ""b""{delimiter}\nc"\r\n'
    assert read(put(tmp_path, content.encode())) == [{"who": "ada", "what": f'a "b"{delimiter}\nc'}]


def test_a_csv_file_may_have_another_encoding(tmp_path: Path) -> None:
    form = Form("csv", ",", "latin-1")
    assert read(put(tmp_path, "who,what\nJürgen,x\n".encode("latin-1")), form) == [{"who": "Jürgen", "what": "x"}]


def test_a_csv_row_that_is_none_sinks_no_other(tmp_path: Path) -> None:
    found = read(put(tmp_path, b"who,what\nada\nb\xff,x\n\neve,x\n", "x.csv"))
    assert [row.reason if isinstance(row, Unreadable) else row for row in found] == [
        RejectReason.INVALID_SHAPE,
        RejectReason.INVALID_UTF8,
        {"who": "eve", "what": "x"},
    ]
    assert isinstance(found[1], Unreadable)
    assert found[1].payload == b"b\xff,x"


def test_a_line_that_is_longer_than_any_event_is_skipped_and_told(tmp_path: Path) -> None:
    found = read(put(tmp_path, b'{"a":"' + b"x" * 9_000_000 + b'"}\n{"a":3}'))
    assert isinstance(found[0], Unreadable)
    assert (found[0].reason, len(found[0].payload)) == (RejectReason.EVENT_TOO_LARGE, 32 * 1024)
    assert found[1:] == [b'{"a":3}']


def test_parquet_is_read_packed_and_plain_with_instants_of_any_unit(tmp_path: Path) -> None:
    at = datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)
    table = pa.table(
        {"at": pa.array([at] * 5000, pa.timestamp("ns", "UTC")), "n": list(range(5000)), "deep": [{"a": [1]}] * 5000}
    )
    plain = tmp_path / "x.parquet"
    parquet.write_table(table, plain)
    rows = read(plain)
    assert rows == [{"at": at, "n": n, "deep": {"a": [1]}} for n in range(5000)]
    assert read(put(tmp_path, gzip.compress(plain.read_bytes()), "x.parquet.gz")) == rows


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'[{"a":1}]', "JSON array"),
        (gzip.compress(LINES * 1000)[:-20], "cut off"),
        (b"\x28\xb5\x2f\xfd" + b"x" * 100, "damaged"),
        (b"PK\x03\x04" + b"x" * 100, "zip"),
        (b"PAR1" + b"x" * 100, "Parquet"),
        (b"a,a\n1,2\n", "each once"),
        (b'a,b\n1,"' + b"x" * 5_000_000, "characters"),
        (b'a,b\n1,"' + b"x\n" * 3_000_000, "never closed"),
    ],
    ids=["array", "cut", "zstd", "zip", "parquet", "header", "long", "quote"],
)
def test_a_file_that_cannot_be_read_says_what_is_wrong(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(UnreadableFileError, match=words):
        read(put(tmp_path, content))


def test_an_empty_file_has_no_rows(tmp_path: Path) -> None:
    assert read(put(tmp_path, b"", "x.jsonl")) == []


@pytest.mark.parametrize(
    "content",
    [b"a,b\n" + b'1,"\n",' * 2_000_000 + b"2\n", b",".join(b"c%d" % number for number in range(20_000)) + b"\n"],
    ids=["a record of many lines", "a header of many columns"],
)
def test_csv_of_too_many_cells_is_not_gathered(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with pytest.raises(UnreadableFileError):
        read(path)
