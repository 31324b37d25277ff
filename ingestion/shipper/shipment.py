"""One segment on its way into ClickHouse."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

import msgspec
import structlog
from msgspec import Raw

from core.clock import utc_now
from core.events import Reject, RejectReason
from ingestion.json_text import json_string
from ingestion.shipper.landing import InsertError, Landing, RefusedError, UnableError
from ingestion.shipper.metrics import ShipperMetrics
from ingestion.spool.directory import SPLIT, sync_directory
from ingestion.spool.records import Damage, Kind, scan

_logger = structlog.get_logger()


@dataclass(slots=True)
class Contents:
    """What could be read of a segment: the lines for each table, and what could not."""

    lines: dict[Kind, bytes]
    rows: dict[Kind, int]
    torn_bytes: int
    """Bytes at the end that form no whole record, because the writer died: a write that was never acknowledged."""
    damaged_bytes: int
    """Other bytes that cannot be read."""


class _RowFacts(msgspec.Struct):
    """What a reject repeats of the event that ClickHouse refused."""

    project_id: int
    write_key_id: int
    protocol: str
    received_at: float
    message_id: str = ""
    ip: str = ""


def read(segment: bytes, *, may_be_torn: bool) -> Contents:
    """Check and sort the records of a segment. One that its own writer sealed cannot end in a torn write."""
    parts: dict[Kind, list[memoryview]] = {}
    contents = Contents({}, {}, 0, 0)
    for record in scan(segment):
        if isinstance(record, Damage):
            if may_be_torn and record.offset + record.length == len(segment):
                contents.torn_bytes += record.length
            else:
                contents.damaged_bytes += record.length
        else:
            parts.setdefault(record.kind, []).append(record.payload)
            contents.rows[record.kind] = contents.rows.get(record.kind, 0) + record.rows
    contents.lines = {kind: b"".join(payloads) for kind, payloads in parts.items()}
    return contents


class Shipment:
    """Lands one segment.

    Every insert has a token that depends on nothing but the segment, so that a shipment that was cut off can be
    repeated from its start. What ClickHouse says it has is counted before it is believed: a MergeTree table writes the
    token down before the rows, so that one that is killed in between ignores the rows when they come again.
    """

    def __init__(self, landing: Landing, metrics: ShipperMetrics, segment: Path) -> None:
        self._landing = landing
        self._metrics = metrics
        self._batch_id = segment.stem
        self._segment = segment

    def land(self, contents: Contents, *, split: bool) -> None:
        """Insert everything; raise `InsertError` when it has to be tried again.

        When ClickHouse says that rows are at fault, or with `split`, they are halved until those that it refuses are
        alone; these land in `raw.rejects`.
        """
        for kind in sorted(contents.lines):
            lines, rows = contents.lines[kind], contents.rows[kind]
            self._insert_or_split(kind, lines, rows, split=split)
            missing = self._missing(kind, rows)
            if missing > 0:
                _logger.error("rows_missing", batch_id=self._batch_id, table=kind.name.lower(), missing=missing)
                self._insert_again(kind, lines, rows)
                self._metrics.repeated_rows.inc(missing)

    def _insert_or_split(self, kind: Kind, lines: bytes, rows: int, *, split: bool) -> None:
        # Once begun, splitting is not given up, not even by another shipper: parts of it may have landed.
        if self._mark(kind).exists() or (split and not self._landed(kind)):
            self._split(kind, lines, self._batch_id)
            return
        try:
            self._insert(kind, lines, rows, self._batch_id)
        except RefusedError as error:
            if not error.is_certain:
                raise
            _logger.warning("batch_refused", batch_id=self._batch_id, code=error.code, error=str(error))
            self._split(kind, lines, self._batch_id)

    def _insert_again(self, kind: Kind, lines: bytes, rows: int) -> None:
        """Insert everything under tokens that nobody has seen; events that were there after all have their ids."""
        token = f"{self._batch_id}:{secrets.token_hex(4)}"
        if self._mark(kind).exists():
            self._split(kind, lines, token)
        else:
            self._insert(kind, lines, rows, token)
        missing = self._missing(kind, rows)
        if missing > 0:
            raise UnableError(f"ClickHouse lacks {missing} of {rows} rows after it took all of them twice")

    def _missing(self, kind: Kind, rows: int) -> int:
        """Count the rows that are neither in their table nor, because of ClickHouse, among the rejects."""
        missing = rows - self._landed(kind, recent=True)
        return missing if missing <= 0 else rows - self._landed(kind)

    def _landed(self, kind: Kind, *, recent: bool = False) -> int:
        landed = self._landing.count(kind, self._batch_id, recent=recent)
        if self._mark(kind).exists():
            landed += self._landing.count(Kind.REJECTS, self._batch_id, refused=True, recent=recent)
        return landed

    def _mark(self, kind: Kind) -> Path:
        """Return the file which says that this segment's lines of this kind are landed in parts, and which are."""
        return self._segment.with_suffix(f"{SPLIT}-{kind.name.lower()}")

    def _split(self, kind: Kind, lines: bytes, token: str) -> None:
        rows = lines.splitlines(keepends=True)
        ranges = [(0, len(rows))]
        doubtful: list[tuple[int, RefusedError]] = []
        is_any_accepted = False
        with self._mark(kind).open("a+b") as mark:
            sync_directory(self._segment.parent)
            mark.seek(0)
            done = set(mark.read().splitlines())

            def note(begin: int, end: int) -> None:
                # ClickHouse forgets all but the last 10,000 tokens, and every bad row takes two or more.
                mark.write(f"{token}:{begin}-{end}\n".encode())
                mark.flush()
                os.fdatasync(mark.fileno())

            # Ends half a line of a shipper that was killed, which is never taken for a whole one.
            mark.write(b" \n")
            while ranges:
                begin, end = ranges.pop()
                part = f"{token}:{begin}-{end}"
                if part.encode() in done:
                    continue
                try:
                    self._insert(kind, b"".join(rows[begin:end]), end - begin, part)
                except RefusedError as error:
                    if end - begin > 1:
                        middle = (begin + end) // 2
                        ranges += ((middle, end), (begin, middle))
                    elif error.is_certain:
                        self._reject(kind, rows[begin], error, part)
                        note(begin, end)
                    else:
                        doubtful.append((begin, error))
                else:
                    is_any_accepted = True
                    note(begin, end)
            for index, error in doubtful:
                # The row is at fault when it alone does not pass, again, while its neighbours do: else the server is.
                if not is_any_accepted:
                    raise error
                self._insert_or_reject(kind, rows[index], f"{token}:{index}-{index + 1}")
                note(index, index + 1)

    def _insert_or_reject(self, kind: Kind, line: bytes, token: str) -> None:
        try:
            self._insert(kind, line, 1, token)
        except RefusedError as error:
            self._reject(kind, line, error, token)

    def _reject(self, kind: Kind, line: bytes, error: RefusedError, token: str) -> None:
        _logger.error("row_refused", batch_id=self._batch_id, token=token, code=error.code, error=str(error))
        self._metrics.refused_rows.inc()
        try:
            facts = msgspec.json.decode(line, type=_RowFacts)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            now = utc_now().timestamp()
            facts = _RowFacts(project_id=0, write_key_id=0, protocol="", received_at=now)
        reject = Reject(
            project_id=facts.project_id,
            write_key_id=facts.write_key_id,
            received_at=facts.received_at,
            reason=RejectReason.REFUSED_BY_WAREHOUSE,
            detail=str(error),
            payload=json_string(line.rstrip(b"\n")) if kind == Kind.EVENTS else Raw(b'""'),
            message_id=facts.message_id,
            protocol=facts.protocol,
            ip=facts.ip,
            batch_id=self._batch_id,
        )
        self._insert(Kind.REJECTS, msgspec.json.encode(reject), 1, f"{token}:reject")

    def _insert(self, kind: Kind, lines: bytes, rows: int, token: str) -> None:
        try:
            with self._metrics.insert_seconds.time():
                self._landing.insert(kind, lines, token)
        except InsertError as error:
            self._metrics.failures.labels(error.code or 0).inc()
            raise
        self._metrics.rows.labels(kind.name.lower()).inc(rows)
