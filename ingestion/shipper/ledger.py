"""Carries into ClickHouse what collectors say that they acknowledged.

A page is reported when its segment is gone from the spool: by then its rows are in ClickHouse or on Kafka, or lost. A
segment that waits for long is reported as waiting.
"""

import secrets
import time
from collections.abc import Iterable
from pathlib import Path
from threading import Event

import msgspec
import structlog

from core.events import Acknowledged
from ingestion.shipper.errors import DeliveryError
from ingestion.shipper.landing import Landing
from ingestion.shipper.metrics import ShipperMetrics
from ingestion.shipper.shipment import Contents
from ingestion.spool.directory import ADOPTED, adopt, made_at, segment_ids, segments, sweep, writers
from ingestion.spool.ledger import Ledger, Tally, read_page
from ingestion.spool.records import Kind

_PAGES = 1000
"""Most pages of one insert."""
_LATE_S = 600
"""Age at which a segment that is still in the spool is reported."""
_AGAIN_AFTER_S = 5.0
_encode_lines = msgspec.json.Encoder().encode_lines
_logger = structlog.get_logger()


class _Owner(msgspec.Struct):
    project_id: int


class LedgerReport:
    """Reports pages, at most every `interval_s` seconds.

    Without a `landing`, as where a shipper to Kafka knows of no ClickHouse, pages go with their segments unreported.
    """

    def __init__(
        self,
        spool: Path,
        ledger: Path,
        damaged: Path,
        landing: Landing | None,
        metrics: ShipperMetrics,
        *,
        interval_s: float,
    ) -> None:
        self._spool = spool
        self._ledger = ledger
        self._damaged = damaged
        self._landing = landing
        self._metrics = metrics
        self._interval_s = interval_s
        self._due = 0.0
        self._gone: set[str] = set()
        self._told: set[str] = set()

    def run(self, stop: Event, *, poll_interval_s: float) -> None:
        """Report until `stop` is set, in a thread of its own where segments go elsewhere than the reports."""
        while not stop.is_set():
            try:
                self.report_due()
            except OSError as error:
                _logger.error("ledger_not_read", error=str(error))  # noqa: TRY400 - nobody knows more from a traceback
            stop.wait(poll_interval_s)
        if self._landing is not None:
            self._landing.close()

    def report_due(self) -> int:
        """Report what can be reported, if it is time to, and return how many pages are done."""
        if time.monotonic() < self._due:
            return 0
        self._due = time.monotonic() + self._interval_s
        try:
            return self._report()
        except DeliveryError as error:
            self._due = time.monotonic() + max(self._interval_s, _AGAIN_AFTER_S)
            _logger.warning("ledger_not_reported", code=error.code, error=str(error))
            return 0

    def _report(self) -> int:
        sweep(self._ledger)
        for owner in writers(self._ledger):
            adopt(owner)
        pages = [page for owner in writers(self._ledger) for page in segments(owner)]
        in_spool = segment_ids(self._spool)
        # A look that meets a segment while it is renamed does not see it: two looks decide.
        gone = {page.stem for page in pages} - in_spool
        done = [page for page in pages if page.stem in gone & self._gone][:_PAGES]
        late = [page for page in pages if page.stem in in_spool - self._told and _is_late(page)][:_PAGES]
        self._gone, self._told = gone, self._told & in_spool
        rows, damaged = _rows(done, late)
        _insert(self._landing, rows)
        self._told |= {page.stem for page in late}
        for page in done:
            if page in damaged:
                self._keep_damaged(page, damaged[page])
            else:
                page.unlink(missing_ok=True)
        self._metrics.pages.inc(len(done))
        return len(done)

    def _keep_damaged(self, page: Path, size: int) -> None:
        self._metrics.damaged_bytes.inc(size)
        self._damaged.mkdir(parents=True, exist_ok=True)
        kept = page.rename(self._damaged / f"{page.name}.ledger")
        _logger.error("ledger_damaged", batch_id=page.stem, damaged_bytes=size, kept=str(kept))


def report_found(landing: Landing, batch_id: str, contents: Contents) -> None:
    """Report what was in a segment whose collector had died, which may be more than it came to write down.

    Raises `DeliveryError`. Reporting it again changes nothing.
    """
    _insert(landing, _acknowledged("shipper", batch_id, _tally(contents)))


def note_found(root: Path, batch_id: str, contents: Contents) -> None:
    """Write the same into the ledger, for `LedgerReport`.

    What a disk refuses is told by the log only: the segment's rows land as a surplus, and its delivery goes on.
    """
    try:
        ledger = Ledger(root, is_numbered=False)
        page = ledger.page(batch_id)
        page.note(_tally(contents))
        try:
            page.sync()
        finally:
            page.seal()
            ledger.close()
    except OSError as error:
        _logger.warning("ledger_not_written", batch_id=batch_id, error=str(error))


def _tally(contents: Contents) -> Tally:
    tally = Tally()
    for kind, lines in contents.lines.items():
        for line in lines.splitlines():
            try:
                tally[msgspec.json.decode(line, type=_Owner).project_id, kind] += 1
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                tally[0, kind] += 1
    return tally


def _rows(done: Iterable[Path], late: Iterable[Path]) -> tuple[list[Acknowledged], dict[Path, int]]:
    """Return the rows of pages, and those that cannot be read whole with the number of bytes."""
    rows: list[Acknowledged] = []
    damaged: dict[Path, int] = {}
    for pages, is_in_spool in ((done, 0), (late, 1)):
        for page in pages:
            try:
                number, tally, unreadable = read_page(page)
            except FileNotFoundError:  # another shipper was first
                continue
            # The last entry of a process that died may be torn: nothing of it was acknowledged.
            if unreadable and page.suffix != ADOPTED:
                damaged[page] = unreadable
            source, ledger_id = ("collector", page.parent.name) if number else ("shipper", "")
            rows += _acknowledged(source, page.stem, tally, ledger_id=ledger_id, page=number, is_in_spool=is_in_spool)
    return rows, damaged


def _acknowledged(
    source: str, batch_id: str, tally: Tally, *, ledger_id: str = "", page: int = 0, is_in_spool: int = 0
) -> list[Acknowledged]:
    return [
        Acknowledged(
            project_id=project_id,
            batch_id=batch_id,
            source=source,
            events=tally[project_id, Kind.EVENTS],
            rejects=tally[project_id, Kind.REJECTS],
            ledger_id=ledger_id,
            page=page,
            is_in_spool=is_in_spool,
            begun_at=made_at(batch_id) or 0.0,
        )
        for project_id in sorted({project_id for project_id, _ in tally})
    ]


def _insert(landing: Landing | None, rows: list[Acknowledged]) -> None:
    if rows and landing is not None:
        # The table keeps the latest row of each key: a token of its own spares nothing and would swallow a change.
        landing.insert(Kind.ACKNOWLEDGED, _encode_lines(rows), secrets.token_hex(8))


def _is_late(page: Path) -> bool:
    return time.time() - (made_at(page.stem) or 0.0) > _LATE_S
