"""Keeps the spool from filling the disk."""

import asyncio
import shutil
import time
from pathlib import Path

import structlog

from ingestion.errors import SpoolBusyError, SpoolUnavailableError
from ingestion.spool.directory import Usage, usage

_NEARLY_FULL = 0.9
_MEASURE_EVERY_S = 0.5
_RETRY_AFTER_S = 10
_logger = structlog.get_logger()


class SpoolBounds:
    """Knows how full the spool of all writers is, and refuses requests when it is too full.

    `max_bytes` bounds the spool, `min_free_bytes` is left free on its disk in any case, and `max_pending_bytes` bounds
    what waits in memory for a disk that is too slow.
    """

    def __init__(self, spool: Path, *, max_bytes: int, min_free_bytes: int, max_pending_bytes: int) -> None:
        self._spool = spool
        self._max_bytes = max_bytes
        self._min_free_bytes = min_free_bytes
        self._max_pending_bytes = max_pending_bytes
        self._free_bytes = 0
        self._added = 0
        self.fault: str | None = None
        """Why the last look at the disk failed; meanwhile what it showed before holds."""
        self.usage = Usage(0, 0, None)
        self.measure()

    @property
    def oldest_age_s(self) -> float:
        """Age of the oldest segment that is not delivered; 0 when there is none."""
        oldest_at = self.usage.oldest_at
        return 0.0 if oldest_at is None else max(0.0, time.time() - oldest_at)

    def measure(self) -> None:
        """Look at the disk."""
        self.usage = usage(self._spool)
        self._free_bytes = shutil.disk_usage(self._spool).free
        self._added = 0

    def add(self, size: int) -> None:
        """Count bytes that were added since the last look."""
        self._added += size

    def check(self, pending_bytes: int) -> None:
        """Raise `SpoolBusyError` (429) near the bound, `SpoolUnavailableError` (503) over it."""
        used = self.usage.size + self._added
        retry = {"Retry-After": str(_RETRY_AFTER_S)}
        if used >= self._max_bytes:
            raise SpoolUnavailableError(
                f"The spool holds {used} bytes, its bound is {self._max_bytes}: ClickHouse has been away for long.",
                headers=retry,
            )
        if self._free_bytes - self._added < self._min_free_bytes:
            raise SpoolUnavailableError(f"Less than {self._min_free_bytes} bytes are free on the disk.", headers=retry)
        if used >= self._max_bytes * _NEARLY_FULL or pending_bytes > self._max_pending_bytes:
            raise SpoolBusyError(f"The spool holds {used} of at most {self._max_bytes} bytes.", headers=retry)

    async def watch(self) -> None:
        """Keep measuring until cancelled."""
        while True:
            await asyncio.sleep(_MEASURE_EVERY_S)
            try:
                await asyncio.to_thread(self.measure)
            except Exception as error:
                self.fault = f"The spool cannot be measured: {error}."
                _logger.exception("spool_not_measured", error=str(error), exc_info=not isinstance(error, OSError))
            else:
                self.fault = None
