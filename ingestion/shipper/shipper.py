"""Finds what can be shipped, and decides when to try again."""

from pathlib import Path
from threading import Event

import structlog

from ingestion.shipper.backoff import BackOff, Pause
from ingestion.shipper.destination import Destination
from ingestion.shipper.errors import DeliveryError
from ingestion.shipper.ledger import LedgerReport
from ingestion.shipper.metrics import ShipperMetrics
from ingestion.shipper.shipment import read
from ingestion.spool.directory import ADOPTED, adopt, forget_marks, segments, sweep, try_lock, writers

_logger = structlog.get_logger()


class Shipper:
    """Ships the segments of every writer, oldest first; those that did not pass come after the others.

    Several shippers may work on one spool: a segment is locked while one of them has it.
    """

    def __init__(
        self, spool: Path, damaged: Path, destination: Destination, metrics: ShipperMetrics, *, max_backoff_s: float
    ) -> None:
        self._spool = spool
        self._damaged = damaged
        self._destination = destination
        self._metrics = metrics
        self._back_off = BackOff(max_backoff_s)
        self._pauses: dict[Path, Pause] = {}

    def run(self, stop: Event, ledger: LedgerReport | None, *, poll_interval_s: float) -> None:
        """Ship, and report the ledger if it is given, until `stop` is set; then finish the segment in hand."""
        while not stop.is_set():
            if not self.ship_available(stop, ledger):
                stop.wait(poll_interval_s)
        self._destination.close()

    def ship_available(self, stop: Event | None = None, ledger: LedgerReport | None = None) -> int:
        """Ship every segment that is sealed and due now, and return how many were done.

        The ledger is reported in between, not only at the end: a backlog may take hours.
        """
        done = 0
        sweep(self._spool)
        for writer in writers(self._spool):
            adopt(writer)
        found = {path for writer in writers(self._spool) for path in segments(writer)}
        self._pauses = {path: pause for path, pause in self._pauses.items() if path in found}
        for segment in sorted(found, key=self._turn):
            if not self._back_off.server.is_over or (stop is not None and stop.is_set()):
                break
            pause = self._pauses.get(segment)
            if pause is None or pause.is_over:
                done += self._ship(segment)
                self._report(ledger)
        self._report(ledger)
        return done

    def _report(self, ledger: LedgerReport | None) -> None:
        if ledger is not None and self._back_off.server.is_over:
            ledger.report_due()

    def _turn(self, segment: Path) -> tuple[int, str]:
        """Order by failures, then by age: a segment that cannot pass must not be tried before all others for ever."""
        pause = self._pauses.get(segment)
        return (0 if pause is None else pause.failures, segment.name)

    def _ship(self, segment: Path) -> bool:
        with try_lock(segment) as locked:
            if not locked:
                return False
            pause = self._pauses.setdefault(segment, Pause())
            contents = read(segment.read_bytes(), may_be_torn=segment.suffix == ADOPTED)
            try:
                self._destination.deliver(segment, contents, split=pause.is_patience_lost)
            except DeliveryError as error:
                seconds = round(self._back_off.failed(pause, error), 2)
                _logger.warning(
                    "segment_not_shipped", batch_id=segment.stem, code=error.code, error=str(error), again_in_s=seconds
                )
                return False
            self._back_off.succeeded()
            self._metrics.segments.inc()
            if contents.torn_bytes:
                _logger.info("torn_write_dropped", batch_id=segment.stem, torn_bytes=contents.torn_bytes)
            if contents.damaged_bytes:
                self._keep_damaged(segment, contents.damaged_bytes)
            else:
                segment.unlink()
            forget_marks(segment.parent, segment.stem)
            return True

    def _keep_damaged(self, segment: Path, damaged_bytes: int) -> None:
        self._metrics.damaged_bytes.inc(damaged_bytes)
        self._damaged.mkdir(parents=True, exist_ok=True)
        kept = segment.rename(self._damaged / segment.name)
        _logger.error("segment_damaged", batch_id=segment.stem, damaged_bytes=damaged_bytes, kept=str(kept))
