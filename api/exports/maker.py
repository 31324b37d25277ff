"""Makes the files of exports in the background, one at a time in each process of the API."""

import asyncio
import errno
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import and_, or_, select, update

from api.errors import TooManyQueriesError
from api.exports.errors import DiskFullError, ExportTooLargeError
from api.exports.files import SUFFIXES, open_file
from api.exports.rows import COLUMNS, ExportRows, Slice
from api.settings import ApiSettings
from core import tasks
from core.clock import utc_now
from core.errors import RadixError, UnavailableError
from core.metadata.exports import ACTIVE, Export
from core.metadata.tenancy import Database

_logger = structlog.get_logger()
# Who gives no sign of life for so long has ended: longer than one slice may take, see `query_max_seconds`.
SILENCE = timedelta(seconds=60)
_MOST_ATTEMPTS = 3
_BUSY_S = 2.0
_FULL = {errno.ENOSPC, errno.EDQUOT}


class _GoneError(Exception):
    """The export was cancelled, or is another process's."""


class ExportMaker:
    """Works on exports that wait, and on those of processes that ended; removes files that have expired."""

    def __init__(self, settings: ApiSettings, database: Database, rows: ExportRows) -> None:
        self._settings = settings
        self._database = database
        self._rows = rows
        self._folder = settings.data_dir / "exports"
        self._woken = asyncio.Event()
        self._working = asyncio.create_task(self._work_on())

    def wake(self) -> None:
        """Look for work now."""
        self._woken.set()

    def path_of(self, export: Export) -> Path:
        """Return where the file of an export lies."""
        return self._folder / f"{export.project_id}-{export.id}.{SUFFIXES[export.format]}"

    async def bytes_of(self, project_id: int) -> int:
        """Return how much the files of a project take, those in the making by any process included."""
        return await asyncio.to_thread(lambda: sum(map(_size, self._folder.glob(f"{project_id}-*"))))

    def remove(self, export: Export) -> None:
        """Remove the file of an export, and what was written of it by processes that were killed."""
        for path in (self.path_of(export), *self._folder.glob(f"{export.project_id}-{export.id}.*part")):
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                _logger.warning("export_not_removed", export_id=export.id, error=str(error))

    async def close(self) -> None:
        """Stop. What is being made is begun anew by the next process."""
        await tasks.end([self._working])

    async def _work_on(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), self._settings.export_look_seconds)
            self._woken.clear()
            try:
                await self._remove_expired()
                while (export := await self._claim()) is not None:
                    await self._make(export)
            except UnavailableError:
                continue
            except Exception:  # nothing may end what others wait for
                _logger.exception("exports_not_made")

    async def _claim(self) -> Export | None:
        """Take the next export; one that was begun too often has failed."""
        now = utc_now()
        is_left = and_(Export.state == "running", Export.heartbeat_at < now - SILENCE)
        async with self._database.of_all() as session:
            statement = select(Export).where(or_(Export.state == "waiting", is_left)).order_by(Export.id).limit(1)
            export = (await session.scalars(statement.with_for_update(skip_locked=True))).one_or_none()
            if export is None:
                return None
            export.attempts += 1
            export.state, export.heartbeat_at, export.rows_written = "running", now, 0
            if export.attempts > _MOST_ATTEMPTS:
                export.state, export.finished_at = "failed", now
                export.error = (
                    f"It was begun {_MOST_ATTEMPTS} times, and each time the API ended. Ask for less at once."
                )
        self.remove(export)
        if export.state == "failed":
            return await self._claim()
        return export

    async def _make(self, export: Export) -> None:
        part, attempt = self._part_of(export), export.attempts
        try:
            size = await self._write(export, part)
            lasts = timedelta(hours=self._settings.export_keep_hours)
            # The file is there before it is said to be.
            await asyncio.to_thread(part.replace, self.path_of(export))
            await self._note(
                export, attempt, state="done", size_bytes=size, finished_at=utc_now(), expires_at=utc_now() + lasts
            )
        except _GoneError:
            if not await self._is_somebody_elses(export):
                self.remove(export)
        except UnavailableError:
            # Not its fault: it is begun anew when the engine is back.
            with suppress(_GoneError):
                await self._note(export, attempt, state="waiting", attempts=attempt - 1)
            raise
        except asyncio.CancelledError:
            with suppress(RadixError, _GoneError):
                await self._note(export, attempt, state="waiting", attempts=attempt - 1)
            raise
        except Exception as error:
            if isinstance(error, OSError) and error.errno in _FULL:
                error = DiskFullError()
            if isinstance(error, RadixError):
                detail = error.detail
                _logger.warning("export_failed", export_id=export.id, code=error.code)
            else:
                detail = "Something unexpected; the API's log has it."
                _logger.exception("export_failed", export_id=export.id)
            with suppress(_GoneError):
                await self._note(export, attempt, state="failed", error=detail, finished_at=utc_now())
        finally:
            part.unlink(missing_ok=True)

    async def _write(self, export: Export, part: Path) -> int:
        total, slices = await self._rows.slices(export)
        await self._note(export, export.attempts, rows_total=total)
        file = await asyncio.to_thread(open_file, export.format, part, COLUMNS[export.kind])
        try:
            written = 0
            for piece in slices:
                rows = await self._read(export, piece)
                await asyncio.to_thread(file.write, rows)
                written += len(rows)
                await self._check(export, file.size())
                await self._note(export, export.attempts, rows_written=written)
            size = await asyncio.to_thread(file.finish)
            await self._check(export, size)
            return size
        finally:
            await asyncio.to_thread(file.close)

    async def _check(self, export: Export, size: int) -> None:
        """Refuse a file that has grown too large by itself, or together with the others of its project."""
        most, most_of_all = self._settings.export_max_bytes, self._settings.project_max_export_bytes
        if size > most:
            raise ExportTooLargeError("export_max_bytes", most)
        if await self.bytes_of(export.project_id) > most_of_all:
            raise ExportTooLargeError("project_max_export_bytes", most_of_all)

    async def _read(self, export: Export, piece: Slice) -> list[dict[str, Any]]:
        """Read a slice; where too many questions of the project wait already, it waits before the queue."""
        while True:
            try:
                return await self._rows.read(export, piece)
            except TooManyQueriesError:
                await asyncio.sleep(_BUSY_S)
                await self._note(export, export.attempts)

    async def _is_somebody_elses(self, export: Export) -> bool:
        """Say whether another process took it for left, and works on it or has made its file."""
        async with self._database.of_all() as session:
            state = await session.scalar(select(Export.state).where(Export.id == export.id))
        return state in {*ACTIVE, "done"}

    async def _note(self, export: Export, attempt: int, **values: Any) -> None:
        """Write down how far it is, with a sign of life; raises `_GoneError` where it is not ours any more."""
        is_ours = and_(Export.id == export.id, Export.state == "running", Export.attempts == attempt)
        async with self._database.of_all() as session:
            changed = update(Export).where(is_ours).values(heartbeat_at=utc_now(), **values).returning(Export.id)
            if (await session.execute(changed)).one_or_none() is None:
                raise _GoneError

    async def _remove_expired(self) -> None:
        async with self._database.of_all() as session:
            is_past = and_(Export.state == "done", Export.expires_at < utc_now())
            expired = await session.scalars(update(Export).where(is_past).values(state="expired").returning(Export))
            found = expired.all()
        for export in found:
            self.remove(export)

    def _part_of(self, export: Export) -> Path:
        return self.path_of(export).with_suffix(f".{export.attempts}.part")


def _size(path: Path) -> int:
    """Return the size of a file, 0 where it went meanwhile."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
