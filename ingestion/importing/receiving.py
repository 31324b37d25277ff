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
_RETRY_AFTER = {"Retry-After": "60"}
_logger = structlog.get_logger()


class Receiving:
    """What is uploaded to this collector."""

    def __init__(self, uploads: Uploads, settings: CollectorSettings) -> None:
        self.uploads = uploads
        self._settings = settings
        self._under_way = 0

    def check(self, announced: int) -> None:
        """Raise before anything is read: 413 for a file that says that it is too large, 429 or 503 without room."""
        settings = self._settings
        if announced > settings.upload_max_bytes:
            raise self._too_large()
        if self._under_way >= _MOST_AT_ONCE:
            raise UploadsBusyError(f"{self._under_way} files are being sent already.", headers=_RETRY_AFTER)
        waiting = self.uploads.waiting_bytes()
        if waiting + announced > settings.uploads_max_bytes:
            raise UploadsBusyError(
                f"Files of {waiting} bytes wait to be imported, of at most {settings.uploads_max_bytes}.",
                headers=_RETRY_AFTER,
            )
        self._demand_free(announced)

    async def take(self, upload: Upload, chunks: AsyncIterator[bytes]) -> None:
        """Write the file to disk and hand it to the importer. Durable when this returns; otherwise nothing is kept.

        Raises `RequestTooLargeError`, `SlowRequestError`, `MalformedRequestError` when the client went away,
        `UploadsBusyError` and `UploadsUnavailableError`.
        """
        self._under_way += 1
        path = self.uploads.part(upload.id)
        try:
            upload.size = await self._write(path, chunks)
            await asyncio.to_thread(self.uploads.complete, upload)
        except ClientDisconnect as error:
            raise MalformedRequestError("The client went away before the file was complete.") from error
        except TimeoutError as error:
            raise SlowRequestError(f"Nothing came for {self._settings.body_timeout_s:g} s.") from error
        except OSError as error:
            _logger.exception("upload_not_stored")
            raise UploadsUnavailableError(
                f"The file cannot be stored: {error.strerror}.", headers=_RETRY_AFTER
            ) from error
        finally:
            self._under_way -= 1
            path.unlink(missing_ok=True)

    async def _write(self, path: Path, chunks: AsyncIterator[bytes]) -> int:
        size, looked_at = 0, 0
        parts: list[bytes] = []
        gathered = 0
        with await asyncio.to_thread(path.open, "xb", 0) as file:
            while True:
                async with asyncio.timeout(self._settings.body_timeout_s):
                    chunk = await anext(chunks, None)
                if chunk is not None:
                    size += len(chunk)
                    gathered += len(chunk)
                    parts.append(chunk)
                if size > self._settings.upload_max_bytes:
                    raise self._too_large()
                if size - looked_at >= _LOOK_EVERY_BYTES:
                    looked_at = size
                    await asyncio.to_thread(self._look)
                if gathered >= _WRITE_BYTES or chunk is None:
                    await asyncio.to_thread(_write_all, file.fileno(), b"".join(parts))
                    parts, gathered = [], 0
                if chunk is None:
                    await asyncio.to_thread(os.fsync, file.fileno())
                    return size

    def _look(self) -> None:
        """See whether there is room for more, for files that didn't say how large they are, and for others."""
        if self.uploads.waiting_bytes() > self._settings.uploads_max_bytes:
            raise UploadsBusyError("Too many bytes wait to be imported.", headers=_RETRY_AFTER)
        self._demand_free(_LOOK_EVERY_BYTES)

    def _demand_free(self, size: int) -> None:
        least = self._settings.spool_min_free_bytes
        if shutil.disk_usage(self._settings.data_dir).free - size < least:
            raise UploadsUnavailableError(f"Less than {least} bytes would be free on the disk.", headers=_RETRY_AFTER)

    def _too_large(self) -> RequestTooLargeError:
        return RequestTooLargeError(f"A file may have {self._settings.upload_max_bytes} bytes. Split it.")


def _write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]
