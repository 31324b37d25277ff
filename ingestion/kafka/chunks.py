"""The records on Kafka: each a stretch of one segment's lines for one table, which lands as a batch of its own.

A chunk's id is made of its segment's, its table and the rows it spans, so it is the same whenever the segment is cut
again; its rows carry it as their `batch_id`, by which ClickHouse can be asked whether they are there. Where in a row
that stands, and whether a client's own objects say the same, makes no difference.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
from msgspec import Raw

from core.events import RejectReason
from ingestion.shipper.rejection import reject_of
from ingestion.spool.records import Kind

TABLES: dict[Kind, str] = {kind: kind.name.lower() for kind in (Kind.EVENTS, Kind.REJECTS)}
"""What there is a topic for. The ledger's pages do not come this way."""
_KINDS = {table: kind for kind, table in TABLES.items()}
_FORMAT = b"1"
_SUBSTITUTE = ".withheld"
_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z.-]{0,199}")
Headers = list[tuple[str, str | bytes | None]]


class _Row(msgspec.Struct):
    batch_id: str


_decode_rows = msgspec.json.Decoder(_Row).decode_lines
_decode_members = msgspec.json.Decoder(dict[str, Raw]).decode
_NOT_READABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class UnreadableRecordError(Exception):
    """A record on the topic is none of ours, or not what it says it is."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some lines of one table, whole ones, which carry the chunk's `identifier` as their batch id."""

    segment: str
    name: str
    """What it is of the segment, as `events.0-2500`: the rows from 0 up to, not with, 2500."""
    kind: Kind
    rows: int
    lines: bytes

    @property
    def identifier(self) -> str:
        """The batch that it lands as."""
        return f"{self.segment}.{self.name}"

    def headers(self) -> Headers:
        """Return what a reader has to know, apart from the lines."""
        return [
            ("format", _FORMAT),
            ("table", TABLES[self.kind].encode()),
            ("batch_id", self.segment.encode()),
            ("chunk", self.name.encode()),
            ("rows", str(self.rows).encode()),
        ]

    def halves(self) -> Iterator["Chunk"]:
        """Yield the two halves of a chunk with more than one row, as chunks of their own."""
        first = int(self.name.rpartition(".")[2].partition("-")[0])
        lines = self.lines.splitlines(keepends=True)
        middle = self.rows // 2
        for begin, end in ((0, middle), (middle, self.rows)):
            yield _chunk(
                *(self.segment, self.identifier, self.kind, b"".join(lines[begin:end])),
                first=first + begin,
                rows=end - begin,
            )


def cut(segment: str, kind: Kind, lines: bytes, max_bytes: int) -> Iterator[Chunk]:
    """Yield a segment's lines in chunks of at most `max_bytes`, or of one line where that has more."""
    begin = first = 0
    while begin < len(lines):
        end = lines.rfind(b"\n", begin, begin + max_bytes) + 1 or lines.index(b"\n", begin) + 1
        rows = lines.count(b"\n", begin, end)
        yield _chunk(segment, segment, kind, lines[begin:end], first=first, rows=rows)
        begin, first = end, first + rows


def substitute(chunk: Chunk, detail: str) -> Chunk:
    """Return what goes in place of a chunk of one row that cannot go: a reject that tells of it."""
    name = f"{chunk.name}{_SUBSTITUTE}"
    reject = reject_of(
        chunk.lines,
        reason=RejectReason.REFUSED_BY_BROKERS,
        detail=detail,
        payload=Raw(b'""'),
        batch_id=f"{chunk.segment}.{name}",
    )
    return Chunk(chunk.segment, name, Kind.REJECTS, 1, msgspec.json.encode(reject) + b"\n")


def is_substitute(chunk: Chunk) -> bool:
    """Say whether a chunk goes in place of another."""
    return chunk.name.endswith(_SUBSTITUTE)


def parse(headers: Headers | None, value: bytes | None) -> Chunk:
    """Return the chunk in a record; raise `UnreadableRecordError` when it is none."""
    said = {name: item if isinstance(item, bytes) else (item or "").encode() for name, item in headers or ()}
    if said.get("format") != _FORMAT:
        raise UnreadableRecordError("the header format is not 1")
    table, segment, name, rows = (
        said.get(header, b"").decode("ascii", "replace") for header in ("table", "batch_id", "chunk", "rows")
    )
    if table not in _KINDS or not rows.isdecimal() or not _NAME.fullmatch(segment) or not _NAME.fullmatch(name):
        raise UnreadableRecordError(f"headers name no chunk: table {table!r}, batch {segment!r}, chunk {name!r}")
    chunk = Chunk(segment, name, _KINDS[table], int(rows), value or b"")
    if not _is_whole(chunk):
        raise UnreadableRecordError(f"not every one of {chunk.rows} rows is there and carries the chunk's id")
    return chunk


def _chunk(segment: str, carried: str, kind: Kind, lines: bytes, *, first: int, rows: int) -> Chunk:
    """Make a chunk of lines which carry another batch id by now."""
    name = f"{TABLES[kind]}.{first}-{first + rows}"
    return Chunk(segment, name, kind, rows, _relabelled(lines, rows, carried, f"{segment}.{name}"))


def _relabelled(lines: bytes, rows: int, carried: str, batch_id: str) -> bytes:
    """Return the lines with another batch id."""
    before, after = (b'"batch_id":"%b"' % each.encode() for each in (carried, batch_id))
    # Each row has the member once itself, and text cannot: a quote within a string is escaped.
    if lines.count(before) == rows:
        return lines.replace(before, after)
    # A client's object has it too, which takes seven times as long to tell apart.
    return b"".join(_with_batch_id(line, batch_id) for line in lines.splitlines(keepends=True))


def _with_batch_id(line: bytes, batch_id: str) -> bytes:
    try:
        members = _decode_members(line)
    except _NOT_READABLE:
        return line
    return msgspec.json.encode(members | {"batch_id": batch_id}) + b"\n"


def _is_whole(chunk: Chunk) -> bool:
    """Say whether as many rows are there as there have to be, and each carries the chunk's id; 2 µs a row."""
    if not chunk.lines.endswith(b"\n") or chunk.lines.count(b"\n") != chunk.rows:
        return False
    try:
        return [row.batch_id for row in _decode_rows(chunk.lines)] == [chunk.identifier] * chunk.rows
    except _NOT_READABLE:
        return False
