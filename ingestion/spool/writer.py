"""Makes events durable: many requests share one fsync."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from ingestion.errors import SpoolUnavailableError
from ingestion.spool.directory import WriterDirectory, new_id
from ingestion.spool.ledger import Ledger, Tally
from ingestion.spool.records import Kind, frame
from ingestion.spool.segment import OpenSegment

_logger = structlog.get_logger()
_RETRY_AFTER_S = 5


@dataclass(slots=True)
class _Group:
    """What was appended since the last commit began, and the promise to everybody who appended it."""

    done: asyncio.Future[None]
    parts: list[bytes] = field(default_factory=list[bytes])
    size: int = 0
    tally: Tally = field(default_factory=Tally)


class SpoolWriter:
    """This process's end of the spool. Lives on one event loop; the blocking part runs in a thread of its own.

    While one group of records is written and synced, the next one gathers: the busier it is, the more requests share
    an fsync (0.35 ms on the machine of docs/performance.md). What was acknowledged is counted in a ledger of its own.
    """

    def __init__(self, spool: Path, ledger: Path, *, segment_max_bytes: int, segment_max_age_s: float) -> None:
        self._max_bytes = segment_max_bytes
        self._max_age_s = segment_max_age_s
        self._directory = WriterDirectory.create(spool)
        self._ledger = Ledger(ledger)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spool")
        self._segment: OpenSegment | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_old = False
        self._finished: list[OpenSegment] = []
        self._group: _Group | None = None
        self._wake = asyncio.Event()
        self._is_closing = False
        self._task = asyncio.create_task(self._run())

    @property
    def batch_id(self) -> str:
        """The segment into which the next `append` goes. Holds until the caller awaits something."""
        return self._current().identifier

    @property
    def pending_bytes(self) -> int:
        """Bytes that were appended and are not being written yet."""
        return self._group.size if self._group is not None else 0

    @property
    def is_running(self) -> bool:
        """Whether anybody writes what is appended."""
        return not self._task.done()

    def append(self, kind: Kind, rows: int, payload: bytes, *, project_id: int) -> None:
        """Add a record of one project. It is durable once `commit` returned."""
        if self._is_closing or not self.is_running:
            raise SpoolUnavailableError("The collector is stopping.", headers={"Retry-After": str(_RETRY_AFTER_S)})
        if self._group is None:
            self._group = _Group(asyncio.get_running_loop().create_future())
        header = frame(kind, rows, payload)
        self._group.parts += (header, payload)
        self._group.size += len(header) + len(payload)
        self._group.tally[project_id, kind] += rows
        self._wake.set()

    async def commit(self) -> None:
        """Return once everything that was appended so far is on disk.

        Raises `SpoolUnavailableError` when it isn't; then nothing of it was kept.
        """
        if self._group is not None:
            # Shielded: one client that goes away must not cancel the commit for the others.
            await asyncio.shield(self._group.done)

    async def close(self) -> None:
        """Commit what is pending, seal the segment and leave the directory to the shipper. Again does nothing."""
        if self._is_closing:
            return
        self._is_closing = True
        self._wake.set()
        await self._task
        self._thread.shutdown()
        self._directory.close()
        self._ledger.close()

    def _current(self) -> OpenSegment:
        if self._segment is None:
            batch_id = new_id()
            self._segment = OpenSegment(self._directory.path, batch_id, self._ledger.page(batch_id))
            self._timer = asyncio.get_running_loop().call_later(self._max_age_s, self._grow_old)
        return self._segment

    def _grow_old(self) -> None:
        self._is_old = True
        self._wake.set()

    def _finish_current(self) -> None:
        """From here on appends belong to the next segment, so that the batch id in their rows is right."""
        if self._segment is not None:
            self._finished.append(self._segment)
        if self._timer is not None:
            self._timer.cancel()
        self._segment, self._timer, self._is_old = None, None, False

    async def _run(self) -> None:
        while not (self._is_closing and self._group is None):
            await self._wake.wait()
            self._wake.clear()
            group, self._group = self._group, None
            segment = self._current()
            if self._is_old or segment.size + (0 if group is None else group.size) >= self._max_bytes:
                self._finish_current()
            if group is not None:
                await self._write(segment, group)
            await self._seal_finished()
        self._finish_current()
        await self._seal_finished()

    async def _write(self, segment: OpenSegment, group: _Group) -> None:
        try:
            data = b"".join(group.parts)
            await asyncio.get_running_loop().run_in_executor(self._thread, segment.append, data, group.tally)
        except Exception as error:
            is_known = isinstance(error, OSError)
            _logger.exception(
                "spool_write_failed", batch_id=segment.identifier, error=str(error), exc_info=not is_known
            )
            _refuse(group, error)
            if segment is self._segment:
                # It may be damaged: what gathered for it meanwhile is refused too, and a new one begun.
                gathered, self._group = self._group, None
                if gathered is not None:
                    _refuse(gathered, error)
                self._finish_current()
        else:
            group.done.set_result(None)

    async def _seal_finished(self) -> None:
        """Seal what is finished; what the disk refuses to rename is tried again after the next commit."""
        finished, self._finished = self._finished, []
        for segment in finished:
            try:
                await asyncio.get_running_loop().run_in_executor(self._thread, segment.seal)
            except Exception as error:  # noqa: BLE001 - nothing may end the task
                _logger.warning("segment_not_sealed", batch_id=segment.identifier, error=str(error))
                self._finished.append(segment)


def _refuse(group: _Group, error: Exception) -> None:
    reason = error.strerror if isinstance(error, OSError) else type(error).__name__
    group.done.set_exception(
        SpoolUnavailableError(
            f"The disk refused the events: {reason}. Nothing was kept; send them again later.",
            headers={"Retry-After": str(_RETRY_AFTER_S)},
        )
    )
    # Whoever waited may be gone; without this asyncio complains about an exception that nobody saw.
    group.done.exception()
