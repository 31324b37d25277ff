"""Names, locks and sizes of what lies in the spool directory."""

import contextlib
import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

OPEN, SEALED, SPLIT = ".open", ".sealed", ".split"
ADOPTED = ".adopted"
"""Sealed by the shipper, in place of a writer that died: only these can end with a write that was torn, or have more in
them than their ledger tells."""
IMPORTED = "import-"
"""What the id of a batch begins with that never was in a spool."""
_LOCK = "lock"
_UNFINISHED = ".new-"
_UNFINISHED_FOR_GOOD_AFTER_S = 3600


def new_id() -> str:
    """Return an id that sorts by the time of its making: milliseconds since 1970, then 64 random bits."""
    return f"{time.time_ns() // 1_000_000:013d}-{secrets.token_hex(8)}"


def made_at(identifier: str) -> float | None:
    """Return when an id was made, in seconds since 1970; None for what is no id of ours."""
    milliseconds = identifier.removeprefix(IMPORTED).split("-", 1)[0]
    return int(milliseconds) / 1000 if milliseconds.isdecimal() else None


@dataclass(frozen=True, slots=True)
class WriterDirectory:
    """A writer's own directory, locked for as long as `close` is not called and the process lives."""

    path: Path
    lock: int

    @classmethod
    def create(cls, spool: Path) -> "WriterDirectory":
        """Make a new directory and lock it before anybody can see it."""
        spool.mkdir(parents=True, exist_ok=True)
        name = new_id()
        hidden = spool / f"{_UNFINISHED}{name}"
        hidden.mkdir()
        lock = os.open(hidden / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        path = hidden.rename(spool / name)
        sync_directory(spool)
        return cls(path, lock)

    def close(self) -> None:
        """Let go of the lock: what is left in the directory is the shipper's."""
        os.close(self.lock)


def writers(spool: Path) -> list[Path]:
    """Return the directories of every writer, alive or dead, oldest first."""
    if not spool.is_dir():
        return []
    return sorted(entry for entry in spool.iterdir() if entry.is_dir() and not entry.name.startswith(_UNFINISHED))


def segments(writer: Path, *suffixes: str) -> list[Path]:
    """Return a writer's segments in the order in which they were begun: those that can be shipped, unless told."""
    try:
        return sorted(path for path in writer.iterdir() if path.suffix in (suffixes or (SEALED, ADOPTED)))
    except FileNotFoundError:
        return []


def segment_ids(spool: Path) -> set[str]:
    """Return the ids of all segments of all writers, also of those that are being written."""
    return {path.stem for writer in writers(spool) for path in segments(writer, OPEN, SEALED, ADOPTED)}


def adopt(writer: Path) -> bool:
    """Seal what a dead writer left open, and remove its directory once it is empty.

    Returns False, having touched nothing, while the writer lives.
    """
    with try_lock(writer / _LOCK) as locked:
        if not locked:
            return False
        for segment in segments(writer, OPEN):
            segment.rename(segment.with_suffix(ADOPTED))
        if not segments(writer):
            for entry in writer.iterdir():
                entry.unlink(missing_ok=True)
            writer.rmdir()
        return True


def sweep(spool: Path) -> None:
    """Remove the directories of collectors that were killed while they made them: those begun an hour ago."""
    if not spool.is_dir():
        return
    for hidden in spool.glob(f"{_UNFINISHED}*"):
        began = made_at(hidden.name.removeprefix(_UNFINISHED))
        if began is not None and began < time.time() - _UNFINISHED_FOR_GOOD_AFTER_S:
            with contextlib.suppress(FileNotFoundError):
                (hidden / _LOCK).unlink(missing_ok=True)
                hidden.rmdir()


def forget_marks(directory: Path, batch_id: str) -> None:
    """Remove the marks of a batch that is done."""
    for mark in directory.glob(f"{batch_id}{SPLIT}-*"):
        mark.unlink(missing_ok=True)


class try_lock:  # noqa: N801 - used as a context manager, as if it were a function
    """Hold a file's lock if nobody else does; the `with` target says whether.

    A file that is gone, also between opening and locking, counts as held by somebody else.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle = -1

    def __enter__(self) -> bool:
        try:
            self._handle = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return os.fstat(self._handle).st_ino == self._path.stat().st_ino
        except (BlockingIOError, FileNotFoundError):
            return False

    def __exit__(self, *_: object) -> None:
        if self._handle != -1:
            os.close(self._handle)


@dataclass(frozen=True, slots=True)
class Usage:
    """How much lies in the spool, of all writers together."""

    size: int
    """Bytes."""
    segments: int
    oldest_at: float | None
    """When the oldest segment was begun, in seconds since 1970."""


def usage(spool: Path) -> Usage:
    """Measure the spool."""
    size, count, oldest = 0, 0, None
    for path, info in _files(spool):
        if path.suffix in {OPEN, SEALED, ADOPTED}:
            size += info.st_size
            count += 1
            began = made_at(path.stem)
            if began is not None:
                oldest = began if oldest is None else min(oldest, began)
    return Usage(size, count, oldest)


def _files(spool: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for writer in writers(spool):
        try:
            entries = list(os.scandir(writer))
        except FileNotFoundError:
            continue
        for entry in entries:
            try:
                yield Path(entry.path), entry.stat()
            except FileNotFoundError:
                continue


def keep(path: Path, content: bytes) -> None:
    """Write a file, in a directory that is made where there is none, and make both durable."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make names that were created, changed or removed in a directory durable."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
