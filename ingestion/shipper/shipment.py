"""One batch of lines on its way into ClickHouse: a segment of the spool, or a part of one that came through Kafka."""

import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import structlog
from msgspec import Raw, Struct
from msgspec.json import Decoder

from core.events import RejectReason
from ingestion.json_text import json_string
from ingestion.shipper.errors import DeliveryError, RefusedError, UnableError
from ingestion.shipper.landing import Landing
from ingestion.shipper.metrics import LandingMetrics
from ingestion.shipper.rejection import reject_of
from ingestion.spool.directory import SPLIT, made_at, sync_directory
from ingestion.spool.records import Damage, Kind, scan

_logger = structlog.get_logger()
# An event is dated by its request's head: its segment may be begun when the body has come.
_RECEIVED_BEFORE = timedelta(hours=1)


@dataclass(slots=True)
class Contents:
    """What could be read of a segment: the lines for each table, and what could not."""

    lines: dict[Kind, bytes]
    rows: dict[Kind, int]
    torn_bytes: int
    """Bytes at the end that form no whole record, because the writer died: a write that was never acknowledged."""
    damaged_bytes: int
    """Other bytes that cannot be read."""


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


class _Received(Struct):
    received_at: float


_decode_received = Decoder(_Received).decode_lines


def _oldest(lines: bytes) -> datetime | None:
    """Return when the oldest of these rows was received, just before it; None when not every row says so."""
    try:
        received_at = min(row.received_at for row in _decode_received(lines))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return datetime.fromtimestamp(received_at - 1, UTC)


class Shipment:
    """Lands one batch, whose id stands in each of its rows.

    Every insert has a token that depends on nothing but the batch, so that a shipment that was cut off can be repeated
    from its start. What ClickHouse says it has is counted before it is believed: a MergeTree table writes the
    token down before the rows, so that one that is killed in between ignores the rows when they come again.

    `directory` holds what has to be remembered of a batch that lands in parts. With `is_elsewhere` it may have begun to
    land, or have landed, where neither this directory nor ClickHouse's memory of tokens reaches: on another machine, or
    days ago. Then what is there is counted first.
    """

    def __init__(
        self, landing: Landing, metrics: LandingMetrics, batch_id: str, directory: Path, *, is_elsewhere: bool = False
    ) -> None:
        self._landing = landing
        self._metrics = metrics
        self._batch_id = batch_id
        self._directory = directory
        self._is_elsewhere = is_elsewhere
        begun_at = made_at(batch_id)
        self._since = None if begun_at is None else datetime.fromtimestamp(begun_at, UTC) - _RECEIVED_BEFORE
        """Where rows are looked for first: right unless the clock was set back, or they are replayed ones."""

    def land(self, contents: Contents, *, split: bool) -> int:
        """Insert what is not there; raise `DeliveryError` when it has to be tried again.

        When ClickHouse says that rows are at fault, or with `split`, they are halved until those that it refuses are
        alone; these land in `raw.rejects`. Returns how many rows were there before, as far as it was looked for.
        """
        found = 0
        for kind in sorted(contents.lines):
            lines, rows = contents.lines[kind], contents.rows[kind]
            if self._is_elsewhere:
                self._since = _oldest(lines)
            landed = self._landed(kind, since=self._since) if self._is_elsewhere else 0
            found += min(landed, rows)
            if landed >= rows:
                continue
            self._insert_or_split(kind, lines, rows, split=split, is_begun=landed > 0)
            missing = self._missing(kind, rows)
            if missing > 0:
                _logger.error("rows_missing", batch_id=self._batch_id, table=kind.name.lower(), missing=missing)
                self._insert_again(kind, lines, rows)
                self._metrics.repeated_rows.inc(missing)
        return found

    def _insert_or_split(self, kind: Kind, lines: bytes, rows: int, *, split: bool, is_begun: bool) -> None:
        # Once begun, splitting is not given up, not even by another process: parts of it may have landed.
        if is_begun or self._mark(kind).exists() or (split and not self._landed(kind)):
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
        missing = rows - self._landed(kind, since=self._since)
        return missing if missing <= 0 else rows - self._landed(kind)

    def _landed(self, kind: Kind, *, since: datetime | None = None) -> int:
        landed = self._count(kind, since=since)
        if self._is_elsewhere or self._mark(kind).exists():
            landed += self._count(Kind.REJECTS, refused=True, since=since)
        return landed

    def _count(self, kind: Kind, *, refused: bool = False, since: datetime | None) -> int:
        try:
            return self._landing.count(kind, self._batch_id, refused=refused, since=since)
        except DeliveryError as error:
            self._metrics.failures.labels(error.code or 0).inc()
            raise

    def _mark(self, kind: Kind) -> Path:
        """Return the file which says that this batch's lines of this kind are landed in parts, and which are."""
        return self._directory / f"{self._batch_id}{SPLIT}-{kind.name.lower()}"

    def _split(self, kind: Kind, lines: bytes, token: str) -> None:
        rows = lines.splitlines(keepends=True)
        ranges = [(0, len(rows))]
        doubtful: list[tuple[int, RefusedError]] = []
        is_any_accepted = False
        with self._mark(kind).open("a+b") as mark:
            sync_directory(self._directory)
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
        reject = reject_of(
            line,
            reason=RejectReason.REFUSED_BY_WAREHOUSE,
            detail=str(error),
            payload=json_string(line.rstrip(b"\n")) if kind == Kind.EVENTS else Raw(b'""'),
            batch_id=self._batch_id,
        )
        self._insert(Kind.REJECTS, msgspec.json.encode(reject), 1, f"{token}:reject")

    def _insert(self, kind: Kind, lines: bytes, rows: int, token: str) -> None:
        try:
            with self._metrics.insert_seconds.time():
                self._landing.insert(kind, lines, token)
        except DeliveryError as error:
            self._metrics.failures.labels(error.code or 0).inc()
            raise
        self._metrics.rows.labels(kind.name.lower()).inc(rows)
