"""The segment file that a writer is writing."""

import os
from pathlib import Path

import structlog

from ingestion.spool.directory import ADOPTED, OPEN, SEALED, sync_directory
from ingestion.spool.ledger import Page, Tally

_logger = structlog.get_logger()


class OpenSegment:
    """An append-only file whose content is durable after every `append` that returns.

    Blocking: to be called from a thread of its own, one call at a time.
    """

    def __init__(self, directory: Path, identifier: str, page: Page) -> None:
        self.identifier = identifier
        self._page = page
        self.size = 0
        """Bytes that are durable."""
        self._path = directory / f"{identifier}{OPEN}"
        self._handle = -1
        self._has_surplus = False

    def append(self, data: bytes, tally: Tally) -> None:
        """Write and fsync, then note in the ledger what it was.

        After an error nothing of `data` is shipped; the segment is to be sealed then.
        """
        is_new = self._handle == -1
        if is_new:
            self._handle = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            written = 0
            view = memoryview(data)
            while written < len(data):
                written += os.pwrite(self._handle, view[written:], self.size + written)
            os.fdatasync(self._handle)
            if is_new:
                sync_directory(self._path.parent)
        except BaseException:
            # What was written but never acknowledged will be sent again: it must not be shipped too.
            self._has_surplus = True
            self._cut()
            raise
        self.size += len(data)
        self._page.note(tally)

    def seal(self) -> None:
        """Hand the segment to the shipper, or remove it when it is empty. After an `OSError` it is still open.

        The rename need not be durable: after a crash the segment is a dead writer's, and the shipper seals it.
        """
        if self._handle == -1:
            return
        if self.size:
            self._cut()
            # First, so that the ledger tells all of a segment that is sealed.
            self._path.rename(self._path.with_suffix(SEALED if self._is_in_ledger() else ADOPTED))
            self._page.seal()
        else:
            self._path.unlink()
        os.close(self._handle)
        self._handle = -1

    def _is_in_ledger(self) -> bool:
        try:
            self._page.sync()
        except OSError as error:
            # It goes on as if its writer had died: the shipper counts what is in it.
            _logger.warning("ledger_not_written", batch_id=self.identifier, error=str(error))
            return False
        return True

    def _cut(self) -> None:
        if self._has_surplus:
            os.ftruncate(self._handle, self.size)
            self._has_surplus = False
