"""Uploaded files: where they wait, and what is told of them.

The collector writes `<id>.data`, then `<id>.json`; from then on the importer alone changes the latter and, when it is
done, removes the former. No database is asked, so that files are taken while ClickHouse is away.
"""

import contextlib
import os
import re
import time
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from ingestion.importing.readers import Format
from ingestion.spool.directory import new_id, sync_directory

_PART, _DATA, _STATE = ".part", ".data", ".json"
_ID = re.compile(r"\d{13}-[0-9a-f]{16}")
_PART_IS_ABANDONED_AFTER_S = 24 * 3600
_STATE_IS_TOLD_FOR_S = 7 * 24 * 3600
_UNDONE = frozenset({"waiting", "running"})
State = Literal["waiting", "running", "finished", "failed"]


class Upload(Struct, kw_only=True):
    """What is known of an uploaded file."""

    id: str
    project_id: int
    write_key_id: int
    name: str
    mapping: str
    """Name of a ready mapping, or one's own as JSON."""
    zone: str | None = None
    format: Format | None = None
    size: int
    state: State = "waiting"
    bytes_read: int = 0
    rows_read: int = 0
    rows_landed: int = 0
    rows_rejected: int = 0
    was_imported_before: bool = False
    code: str | None = None
    detail: str | None = None
    """Why it failed, or what it waits for."""


class Uploads:
    """The directory of uploaded files."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.work = directory / "work"

    def begin(self) -> str:
        """Return the id of a new upload, whose bytes go into `part`."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        return new_id()

    def complete(self, upload: Upload) -> None:
        """Hand a file, whose bytes are synced, to the importer. Durable when this returns."""
        self.part(upload.id).rename(self.data(upload.id))
        self.write(upload)

    def part(self, identifier: str) -> Path:
        """Return where the bytes of an upload under way are."""
        return self.directory / f"{identifier}{_PART}"

    def data(self, identifier: str) -> Path:
        """Return where the bytes of a complete upload are."""
        return self.directory / f"{identifier}{_DATA}"

    def write(self, upload: Upload) -> None:
        """Put what is known of an upload in place of what was known."""
        fresh = self.directory / f"{upload.id}.new"
        with fresh.open("wb") as file:
            file.write(msgspec.json.encode(upload))
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(self.directory / f"{upload.id}{_STATE}")
        sync_directory(self.directory)

    def find(self, identifier: str, project_id: int) -> Upload | None:
        """Return an upload of a project; None where there is none, or another project's."""
        if not _ID.fullmatch(identifier):
            return None
        upload = self._read(self.directory / f"{identifier}{_STATE}")
        return upload if upload is not None and upload.project_id == project_id else None

    def waiting(self) -> list[Upload]:
        """Return what is to be imported, oldest first."""
        found = (self._read(path.with_suffix(_STATE)) for path in sorted(self.directory.glob(f"*{_DATA}")))
        return [upload for upload in found if upload is not None and upload.state in _UNDONE]

    def waiting_bytes(self) -> int:
        """Return how many bytes lie there, of uploads under way too."""
        size = 0
        for path in (*self.directory.glob(f"*{_DATA}"), *self.directory.glob(f"*{_PART}")):
            with contextlib.suppress(FileNotFoundError):
                size += path.stat().st_size
        return size

    def waiting_bytes_of(self, project_id: int, under_way: list[str]) -> int:
        """Return how many bytes of a project lie there, of these uploads under way too."""
        size = sum(upload.size for upload in self.waiting() if upload.project_id == project_id)
        return size + sum(map(self.size_of_part, under_way))

    def size_of_part(self, identifier: str) -> int:
        """Return how many bytes of an upload under way have come."""
        with contextlib.suppress(FileNotFoundError):
            return self.part(identifier).stat().st_size
        return 0

    def sweep(self) -> None:
        """Remove what killed processes left behind, and states that have been told for a week."""
        undone = {upload.id for upload in self.waiting()}
        now = time.time()
        for path in self.directory.iterdir() if self.directory.is_dir() else ():
            with contextlib.suppress(FileNotFoundError):
                age = now - path.stat().st_mtime
                is_left = path.suffix in {_PART, _DATA, ".new"} and path.stem not in undone
                is_told = path.suffix == _STATE and not path.with_suffix(_DATA).exists()
                if (is_left and age > _PART_IS_ABANDONED_AFTER_S) or (is_told and age > _STATE_IS_TOLD_FOR_S):
                    path.unlink()

    @staticmethod
    def _read(path: Path) -> Upload | None:
        try:
            return msgspec.json.decode(path.read_bytes(), type=Upload)
        except (OSError, msgspec.MsgspecError):
            return None
