"""One segment on its way into ClickHouse."""

import os
from dataclasses import dataclass
from pathlib import Path

import msgspec
import structlog
from msgspec import Raw

from core.clock import utc_now
from core.events import Reject, RejectReason
from ingestion.json_text import json_string
from ingestion.shipper.landing import InsertError, Landing, RefusedError
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
    repeated from its start.
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
            # Once begun, splitting is not given up, not even by another shipper: parts of it may have landed.
            if self._mark(kind).exists() or (split and not self._landing.has_any(kind, self._batch_id)):
                self._split(kind, lines)
                continue
            try:
                self._insert(kind, lines, rows, self._batch_id)
            except RefusedError as error:
                if not error.is_certain:
                    raise
                _logger.warning("batch_refused", batch_id=self._batch_id, code=error.code, error=str(error))
                self._split(kind, lines)

    def _mark(self, kind: Kind) -> Path:
        """Return the file which says that this segment's lines of this kind are landed in parts, and which are."""
        return self._segment.with_suffix(f"{SPLIT}-{kind.name.lower()}")

    def _split(self, kind: Kind, lines: bytes) -> None:
        rows = lines.splitlines(keepends=True)
        ranges = [(0, len(rows))]
        with self._mark(kind).open("a+b") as mark:
            sync_directory(self._segment.parent)
            mark.seek(0)
            done = set(mark.read().splitlines(keepends=True))
            # The space makes sure that half a line, of a shipper that was killed, is never taken for a whole one.
            mark.write(b" \n")
            while ranges:
                begin, end = ranges.pop()
                line = b"%d-%d\n" % (begin, end)
                if line in done:
                    continue
                token = f"{self._batch_id}:{begin}-{end}"
                try:
                    self._insert(kind, b"".join(rows[begin:end]), end - begin, token)
                except RefusedError as error:
                    if end - begin > 1:
                        middle = (begin + end) // 2
                        ranges += ((middle, end), (begin, middle))
                        continue
                    self._reject(kind, rows[begin], error, token)
                # ClickHouse forgets all but the last 10,000 tokens, and every bad row takes two or more.
                mark.write(line)
                mark.flush()
                os.fdatasync(mark.fileno())

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
