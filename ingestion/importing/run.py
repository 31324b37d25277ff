"""Imports one file: reads it in blocks, judges their rows, lands them, and notes each block that is done."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event as Signal

import structlog
from msgspec import Raw
from msgspec.json import Encoder

from core.enrichment.geography import Geography
from core.events import Event, Reject, RejectReason
from core.metadata.collection_rules import Bots
from ingestion.event_schemas import ProjectSchemas
from ingestion.importing.errors import UnreadableFileError, WarehouseAwayError
from ingestion.importing.ledger import Ledger, Progress, Run, Subject
from ingestion.importing.mapping import PROTOCOL, encoded
from ingestion.importing.occurrences import Occurrences
from ingestion.importing.packing import Source
from ingestion.importing.readers import Row, Unreadable, rows
from ingestion.intake import judge, reject_of
from ingestion.limits import DEFAULT_LIMITS, Limits
from ingestion.rejection import RejectedEventError
from ingestion.shipper.errors import DeliveryError, RefusedError
from ingestion.shipper.landing import Landing
from ingestion.shipper.metrics import LandingMetrics
from ingestion.shipper.shipment import Contents, Shipment
from ingestion.spool.directory import SPLIT, forget_marks
from ingestion.spool.records import Kind
from ingestion.validation import Received, Validator
from ingestion.write_keys import ProjectRules

# One insert each: 40 for a million rows. Two blocks are in memory, several times over: as rows, events and lines.
_BLOCK_ROWS = 25_000
_BLOCK_BYTES = 12 * 1024 * 1024
_FIRST_BACKOFF_S, _LAST_BACKOFF_S = 0.5, 15.0
_REFUSALS = 3
"""Refusals for an unforeseen reason after which a block is split, although nothing says that a row is at fault."""
_logger = structlog.get_logger()
_encode_lines = Encoder().encode_lines
Report = Callable[[int, int, Progress], None]
"""Is told how many bytes of how many are read, and what has landed."""


@dataclass(slots=True)
class _Block:
    number: int
    """From 1, over all processes of a run; 0 for rows that landed before this one began."""
    first: int
    """Position of its first row in the file."""
    rows: list[Row | Unreadable] = field(default_factory=list[Row | Unreadable])
    size: int = 0

    @property
    def end(self) -> int:
        """Position after its last row."""
        return self.first + len(self.rows)


class StoppedError(Exception):
    """The import was told to stop. It goes on when it is begun again."""


class Import:
    """One file on its way into the landing tables.

    `work` is a directory for what is noted while a block is landed in parts. `patience_s` is how long ClickHouse may
    be away.
    """

    def __init__(
        self,
        subject: Subject,
        landing: Landing,
        ledger: Ledger,
        *,
        work: Path,
        rules: ProjectRules,
        schemas: ProjectSchemas | None = None,
        limits: Limits = DEFAULT_LIMITS,
        geography: Geography | None = None,
        patience_s: float = 120.0,
        max_unpacked_bytes: int | None = None,
        stop: Signal | None = None,
    ) -> None:
        self._subject = subject
        self._landing = landing
        self._ledger = ledger
        self._work = work
        self._metrics = LandingMetrics("radixinsight_import_")
        self._rules = rules
        self._schemas = schemas
        self._limits = limits
        self._geography = geography or Geography.open()
        self._patience_s = patience_s
        self._max_unpacked_bytes = max_unpacked_bytes
        self._stop = stop or Signal()
        self._ids = Occurrences(subject.project_id, subject.mapping.name)
        self._resumed_at = 0

    def run(self, path: Path, report: Report, *, force: bool = False) -> tuple[Run, bool]:
        """Import the file, from where an earlier run was cut off; return the run, and whether it was done before.

        Raises `UnreadableFileError` (noted as the end of this run), `WarehouseAwayError` or `StoppedError`.
        """
        self._work.mkdir(parents=True, exist_ok=True)
        run = self._ledger.latest()
        # Of which nothing landed, it was the wrong mapping, or rules that have changed since.
        if run is not None and run.state == "finished" and run.done.rows_landed and not force:
            return run, True
        if run is None or run.state == "finished":
            run = Run(time.time_ns() // 1_000_000)
        self._ledger.note_file(run, "running")
        try:
            self._carry(run, path, report)
        except UnreadableFileError as error:
            self._ledger.note_file(run, "failed", error.detail)
            raise
        self._ledger.note_file(run, "finished")
        return run, False

    def close(self) -> None:
        """Forget what was kept on disk while it ran."""
        self._ids.close()

    def _carry(self, run: Run, path: Path, report: Report) -> None:
        """Judge a block while the one before it is landed."""
        validator = Validator(self._received(run))
        with Source(path) as source, ThreadPoolExecutor(1, "land") as thread:
            landing: Future[Progress] | None = None
            self._resumed_at = run.done.blocks + 1
            must_count_again = run.done.ids_made > 0
            try:
                for block in self._blocks(source, run.done.blocks, run.done.rows_read):
                    if block.number == 0:
                        if must_count_again:
                            self._judge(run, block, validator)
                        report(source.done, source.size, run.done)
                        continue
                    part, contents = self._judge(run, block, validator)
                    if landing is not None:
                        earlier, landing = landing, None
                        run.done.add(earlier.result())
                    landing = thread.submit(self._land, run, block.number, part, contents)
                    report(source.done, source.size, run.done)
                    if self._stop.is_set():
                        raise StoppedError
            finally:
                # Also when the file turns out to be damaged: the rows before that are good.
                if landing is not None:
                    run.done.add(landing.result())
            report(source.size, source.size, run.done)

    def _blocks(self, source: Source, number: int, done: int) -> Iterator[_Block]:
        """Yield the file in blocks; also those before what cannot be read.

        Rows decide what is done, not the number of blocks: a block that ended with a fault was shorter than it would be
        now, and another version may cut others.
        """
        block = _Block(0 if done else number + 1, 0)
        unpacked = 0
        fault: UnreadableFileError | None = None
        try:
            for row in rows(source, self._subject.file_name, self._subject.mapping.form):
                block.rows.append(row)
                size = _size(row)
                block.size += size
                unpacked += size
                if self._max_unpacked_bytes is not None and unpacked > self._max_unpacked_bytes:
                    fault = UnreadableFileError(f"The file has more than {self._max_unpacked_bytes} bytes, unpacked.")
                    break
                if block.end == done or len(block.rows) >= _BLOCK_ROWS or block.size >= _BLOCK_BYTES:
                    yield block
                    number = max(number, block.number)
                    block = _Block(0 if block.end < done else number + 1, block.end)
        except UnreadableFileError as error:
            fault = error
        if block.rows:
            yield block
        if fault is not None:
            raise fault

    def _judge(self, run: Run, block: _Block, validator: Validator) -> tuple[Progress, Contents]:
        subject, made_before = self._subject, self._ids.made
        batch_id = subject.batch_id(run, block.number)
        events: list[Raw] = []
        rejects: list[Reject] = []
        for row in block.rows:
            try:
                if isinstance(row, Unreadable):
                    raise RejectedEventError(row.reason, row.detail)  # noqa: TRY301 - handled as the mapping's own
                events.append(Raw(subject.mapping.bring(row, self._ids.id_of)))
            except RejectedEventError as error:
                rejects.append(reject_of(_bytes(row), error, validator.received, batch_id, is_event=False))
            except Exception as fault:  # one row must not sink the file, whatever it is
                _logger.exception("row_not_brought", batch_id=batch_id)
                error = RejectedEventError(
                    RejectReason.INVALID_SHAPE, f"the mapping cannot take it: {type(fault).__name__}"
                )
                rejects.append(reject_of(_bytes(row), error, validator.received, batch_id, is_event=False))
        judged = judge(
            events,
            self._decode,
            validator,
            batch_id,
            first=block.first,
        )
        rejects += judged.rejects
        tables = {Kind.EVENTS: judged.landed, Kind.REJECTS: rejects}
        lines = {kind: _encode_lines(found) for kind, found in tables.items() if found}
        contents = Contents(lines, {kind: len(tables[kind]) for kind in lines}, 0, 0)
        made = self._ids.made - made_before
        return Progress(0, len(block.rows), len(judged.landed), len(rejects), made), contents

    def _decode(self, raw: Raw) -> Event:
        event = self._subject.mapping.decode(raw)
        if not event.message_id:
            event.message_id = self._ids.id_of(bytes(raw))
        return event

    def _received(self, run: Run) -> Received:
        return Received(
            project_id=self._subject.project_id,
            write_key_id=self._subject.write_key_id,
            protocol=PROTOCOL,
            received_ms=run.started_ms,
            ip="",
            user_agent="",
            path=self._subject.mapping.path,
            schemas=self._schemas,
            privacy=self._rules.privacy,
            limits=self._limits,
            rejects_bots=self._rules.rules.bots is Bots.REJECT,
            country_of=self._geography.country,
        )

    def _land(self, run: Run, number: int, part: Progress, contents: Contents) -> Progress:
        """Land a block, and note that it is done. Runs in a thread of its own."""
        batch_id = self._subject.batch_id(run, number)
        # ClickHouse forgets a token after 10,000 others: a block that was cut off may be long ago.
        is_doubtful = number == self._resumed_at and not self._marks(batch_id)
        refused = self._patiently(lambda split: self._ship(batch_id, contents, split=split, is_doubtful=is_doubtful))
        part.rows_landed -= refused
        part.rows_rejected += refused
        self._ledger.note_block(run, number, part)
        forget_marks(self._work, batch_id)
        return part

    def _marks(self, batch_id: str) -> list[Path]:
        """Return what says which parts of a block have landed, when it had to be split."""
        return list(self._work.glob(f"{batch_id}{SPLIT}-*"))

    def _ship(self, batch_id: str, contents: Contents, *, split: bool, is_doubtful: bool) -> int:
        """Land a block; return how many of its rows only ClickHouse refused."""
        shipment = Shipment(self._landing, self._metrics, batch_id, self._work, is_elsewhere=is_doubtful)
        shipment.land(contents, split=split)
        return self._landing.count(Kind.REJECTS, batch_id, refused=True) if self._marks(batch_id) else 0

    def _patiently(self, land: Callable[[bool], int]) -> int:
        until = time.monotonic() + self._patience_s
        pause, refusals = _FIRST_BACKOFF_S, 0
        while True:
            try:
                return land(refusals >= _REFUSALS)
            except DeliveryError as error:
                refusals += isinstance(error, RefusedError)
                _logger.warning("block_not_landed", code=error.code, error=str(error), again_in_s=pause)
                if time.monotonic() + pause > until:
                    raise WarehouseAwayError(
                        f"ClickHouse does not take the rows ({error}). Import the file again later: it goes on where "
                        "it was."
                    ) from error
                if self._stop.wait(pause):
                    raise StoppedError from error
                pause = min(_LAST_BACKOFF_S, pause * 2)


def _bytes(row: Row | Unreadable) -> bytes:
    if isinstance(row, Unreadable):
        return row.payload
    if isinstance(row, bytes):
        return row
    try:
        return encoded(row)
    except RejectedEventError:
        return repr(row).encode(errors="replace")


def _size(row: Row | Unreadable) -> int:
    if isinstance(row, dict):
        return sum(len(value) if isinstance(value, str | bytes) else 8 for value in row.values()) + 16 * len(row)
    return len(row) if isinstance(row, bytes) else len(row.payload)
