"""Takes an uploaded file: from a request's stream to the disk, in little memory and within bounds."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import structlog
from starlette.requests import ClientDisconnect

from ingestion.errors import (
    MalformedRequestError,
    RequestTooLargeError,
    SlowRequestError,
    UploadsBusyError,
    UploadsUnavailableError,
)
from ingestion.importing.uploads import Upload, Uploads
from ingestion.settings import CollectorSettings

_MOST_AT_ONCE = 4
_LOOK_EVERY_BYTES = 64 * 1024 * 1024
_WRITE_BYTES = 1024 * 1024
_LEAST_BYTES_PER_S = 1024
"""An upload that comes more slowly than this holds one of few places for nothing."""
_RETRY_AFTER = {"Retry-After": "60"}
_logger = structlog.get_logger()


class Receiving:
    """What is uploaded to this collector."""

    def __init__(self, uploads: Uploads, settings: CollectorSettings) -> None:
        self.uploads = uploads
        self._settings = settings
        self._under_way: dict[str, Upload] = {}

    async def take(self, upload: Upload, chunks: AsyncIterator[bytes], announced: int) -> None:
        """Write the file to disk and hand it to the importer. Durable when this returns; otherwise nothing is kept.

        `announced` is how many bytes the client says that it has, or 0. Raises, before anything is read,
        `RequestTooLargeError`, `UploadsBusyError` and `UploadsUnavailableError`; these three later too,
        `SlowRequestError`, and `MalformedRequestError` when the client went away.
        """
        if announced > self._settings.upload_max_bytes:
            raise self._too_large()
        self._demand_place(upload)
        self._under_way[upload.id] = upload
        path = self.uploads.part(upload.id)
        try:
            await asyncio.to_thread(self._demand_room, upload, announced)
            upload.size = await self._write(upload, path, chunks)
            await asyncio.to_thread(self.uploads.complete, upload)
        except ClientDisconnect as error:
            raise MalformedRequestError("The client went away before the file was complete.") from error
        except TimeoutError as error:
            raise SlowRequestError(
                f"Fewer than {_LEAST_BYTES_PER_S} bytes a second came for {self._settings.body_timeout_s:g} s."
            ) from error
        except OSError as error:
            _logger.exception("upload_not_stored")
            raise UploadsUnavailableError(
                f"The file cannot be stored: {error.strerror}.", headers=_RETRY_AFTER
            ) from error
        finally:
            del self._under_way[upload.id]
            path.unlink(missing_ok=True)

    async def _write(self, upload: Upload, path: Path, chunks: AsyncIterator[bytes]) -> int:
        size, looked_at = 0, 0
        parts: list[bytes] = []
        gathered = 0
        clock, timeout_s, came = asyncio.get_running_loop().time, self._settings.body_timeout_s, 0
        with await asyncio.to_thread(path.open, "xb", 0) as file:
            until = clock() + timeout_s
            while True:
                async with asyncio.timeout_at(until):
                    chunk = await anext(chunks, None)
                if chunk is not None:
                    came += len(chunk)
                    if came >= _LEAST_BYTES_PER_S * timeout_s:
                        until, came = clock() + timeout_s, 0
                    size += len(chunk)
                    gathered += len(chunk)
                    parts.append(chunk)
                if size > self._settings.upload_max_bytes:
                    raise self._too_large()
                if size - looked_at >= _LOOK_EVERY_BYTES:
                    looked_at = size
                    await asyncio.to_thread(self._demand_room, upload, _LOOK_EVERY_BYTES)
                if gathered >= _WRITE_BYTES or chunk is None:
                    await asyncio.to_thread(_write_all, file.fileno(), b"".join(parts))
                    parts, gathered = [], 0
                if chunk is None:
                    await asyncio.to_thread(os.fsync, file.fileno())
                    return size

    def _demand_place(self, upload: Upload) -> None:
        others = list(self._under_way.values())
        if len(others) >= _MOST_AT_ONCE:
            raise UploadsBusyError(f"{len(others)} files are being sent already.", headers=_RETRY_AFTER)
        if any(other.write_key_id == upload.write_key_id for other in others):
            raise UploadsBusyError("A file is being sent with this write key already.", headers=_RETRY_AFTER)
        if sum(other.project_id == upload.project_id for other in others) >= _MOST_AT_ONCE // 2:
            raise UploadsBusyError("The project is sending other files already.", headers=_RETRY_AFTER)

    def _demand_room(self, upload: Upload, more: int) -> None:
        """Raise where so many more bytes would be too many: for all, for one project, or for the disk.

        A project may have one file, whatever its size, and else half of what may wait: nobody locks the others out.
        """
        most = self._settings.uploads_max_bytes
        waiting = self.uploads.waiting_bytes()
        if waiting + more > most:
            raise UploadsBusyError(
                f"Files of {waiting} bytes wait to be imported, of at most {most}.", headers=_RETRY_AFTER
            )
        under_way = [other.id for other in self._under_way.values() if other.project_id == upload.project_id]
        others = self.uploads.waiting_bytes_of(upload.project_id, under_way) - self.uploads.size_of_part(upload.id)
        if others and others + self.uploads.size_of_part(upload.id) + more > most // 2:
            raise UploadsBusyError(
                f"Files of {others} bytes of this project wait to be imported, of at most {most // 2}.",
                headers=_RETRY_AFTER,
            )
        least = self._settings.spool_min_free_bytes
        if shutil.disk_usage(self._settings.data_dir).free - more < least:
            raise UploadsUnavailableError(f"Less than {least} bytes would be free on the disk.", headers=_RETRY_AFTER)

    def _too_large(self) -> RequestTooLargeError:
        return RequestTooLargeError(f"A file may have {self._settings.upload_max_bytes} bytes. Split it.")


def _write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]
