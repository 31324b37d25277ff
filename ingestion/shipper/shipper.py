"""Finds what can be shipped, and decides when to try again."""

import time
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import structlog

from ingestion.shipper.landing import InsertError, Landing, RefusedError, UnreachableError
from ingestion.shipper.ledger import LedgerReport, report_found
from ingestion.shipper.metrics import ShipperMetrics
from ingestion.shipper.shipment import Shipment, read
from ingestion.spool.directory import ADOPTED, adopt, forget_marks, segments, sweep, try_lock, writers

_FIRST_BACKOFF_S = 0.2
_PATIENCE = 8
"""Refusals for an unforeseen reason after which a batch is split, although nothing says that a row is at fault."""
_logger = structlog.get_logger()


@dataclass(slots=True)
class _Pause:
    failures: int = 0
    refusals: int = 0
    until: float = 0.0


class Shipper:
    """Ships the segments of every writer, oldest first; those that did not pass come after the others.

    Several shippers may work on one spool: a segment is locked while one of them has it.
    """

    def __init__(
        self, spool: Path, damaged: Path, landing: Landing, metrics: ShipperMetrics, *, max_backoff_s: float
    ) -> None:
        self._spool = spool
        self._damaged = damaged
        self._landing = landing
        self._metrics = metrics
        self._max_backoff_s = max_backoff_s
        self._pauses: dict[Path, _Pause] = {}
        self._server_pause = _Pause()

    def run(self, stop: Event, ledger: LedgerReport, *, poll_interval_s: float) -> None:
        """Ship, and report the ledger, until `stop` is set; then finish the segment in hand."""
        while not stop.is_set():
            done = self.ship_available(stop)
            if time.monotonic() >= self._server_pause.until:
                ledger.report_due()
            if not done:
                stop.wait(poll_interval_s)
        self._landing.close()

    def ship_available(self, stop: Event | None = None) -> int:
        """Ship every segment that is sealed and due now, and return how many were done."""
        done = 0
        sweep(self._spool)
        for writer in writers(self._spool):
            adopt(writer)
        found = {path for writer in writers(self._spool) for path in segments(writer)}
        self._pauses = {path: pause for path, pause in self._pauses.items() if path in found}
        for segment in sorted(found, key=self._turn):
            now = time.monotonic()
            if now < self._server_pause.until or (stop is not None and stop.is_set()):
                break
            pause = self._pauses.get(segment)
            if pause is None or now >= pause.until:
                done += self._ship(segment)
        return done

    def _turn(self, segment: Path) -> tuple[int, str]:
        """Order by failures, then by age: a segment that cannot pass must not be tried before all others for ever."""
        pause = self._pauses.get(segment)
        return (0 if pause is None else pause.failures, segment.name)

    def _ship(self, segment: Path) -> bool:
        with try_lock(segment) as locked:
            if not locked:
                return False
            pause = self._pauses.setdefault(segment, _Pause())
            contents = read(segment.read_bytes(), may_be_torn=segment.suffix == ADOPTED)
            try:
                shipment = Shipment(self._landing, self._metrics, segment)
                shipment.land(contents, split=pause.refusals >= _PATIENCE)
                if segment.suffix == ADOPTED:
                    report_found(self._landing, segment.stem, contents)
            except InsertError as error:
                self._back_off(segment, pause, error)
                return False
            self._server_pause = _Pause()
            self._metrics.segments.inc()
            if contents.torn_bytes:
                _logger.info("torn_write_dropped", batch_id=segment.stem, torn_bytes=contents.torn_bytes)
            if contents.damaged_bytes:
                self._keep_damaged(segment, contents.damaged_bytes)
            else:
                segment.unlink()
            forget_marks(segment)
            return True

    def _back_off(self, segment: Path, pause: _Pause, error: InsertError) -> None:
        pauses = [pause]
        if isinstance(error, UnreachableError):
            # No segment can get through: wait once for all of them.
            pauses = [self._server_pause]
        elif isinstance(error, RefusedError):
            pause.refusals += 1
        else:
            # Probably none can; but where only this one is too much for the server, the others have their turn first.
            pauses.append(self._server_pause)
        for longer in pauses:
            self._lengthen(longer)
        seconds = round(pauses[0].until - time.monotonic(), 2)
        _logger.warning(
            "segment_not_shipped", batch_id=segment.stem, code=error.code, error=str(error), again_in_s=seconds
        )

    def _lengthen(self, pause: _Pause) -> None:
        pause.failures += 1
        seconds = min(self._max_backoff_s, _FIRST_BACKOFF_S * 2 ** min(pause.failures - 1, 16))
        pause.until = time.monotonic() + seconds

    def _keep_damaged(self, segment: Path, damaged_bytes: int) -> None:
        self._metrics.damaged_bytes.inc(damaged_bytes)
        self._damaged.mkdir(parents=True, exist_ok=True)
        kept = segment.rename(self._damaged / segment.name)
        _logger.error("segment_damaged", batch_id=segment.stem, damaged_bytes=damaged_bytes, kept=str(kept))
