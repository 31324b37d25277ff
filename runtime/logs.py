"""Log files: one per process, appended to by the process itself, kept small by the supervisor."""

import asyncio
import contextlib
import os
import shutil
import sys
from collections import deque
from pathlib import Path

_LARGEST_BYTES = 16 * 1024 * 1024
_CHECK_S = 30.0
_TAIL_LINES = 20


def start_log(path: Path) -> None:
    """Move a large log of earlier runs aside (one generation is kept) and begin anew."""
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size > _LARGEST_BYTES // 4:
            path.replace(path.with_suffix(".log.1"))
    path.touch(mode=0o600)


def trim_logs(folder: Path) -> None:
    """Cut the logs that grew over 16 MiB: their content is copied to `.log.1`, and the process writes on into the file.

    Processes hold their log open for appending, so that an emptied file is continued at its beginning. Lines that are
    written between the end of the copy and the cut, some microseconds, are lost. So is what can't be copied because
    the disk is full: the log is cut all the same. Raises OSError for the first log with which something went wrong,
    after all of them have had their turn.
    """
    first_error: OSError | None = None
    for path in folder.glob("*.log"):
        try:
            _trim(path)
        except OSError as error:
            first_error = first_error or error
    if first_error is not None:
        raise first_error


def _trim(path: Path) -> None:
    if path.stat().st_size <= _LARGEST_BYTES:
        return
    try:
        # Opening empties the older generation, which makes room for this one.
        with path.open("rb") as source, open(path.with_suffix(".log.1"), "wb", opener=_private) as kept:
            shutil.copyfileobj(source, kept)
    finally:
        os.truncate(path, 0)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


async def keep_trimmed(folder: Path, *, every_s: float = _CHECK_S) -> None:
    """Trim the logs again and again until cancelled; what goes wrong is told on standard error."""
    while True:
        await asyncio.sleep(every_s)
        try:
            await asyncio.to_thread(trim_logs, folder)
        except OSError as error:
            # Standard error is mostly a file on the same full disk.
            with contextlib.suppress(OSError):
                sys.stderr.write(f"A log in {folder} was not trimmed properly: {error}\n")
                sys.stderr.flush()


def tail(path: Path, lines: int = _TAIL_LINES) -> list[str]:
    """Return the last lines of a log, without their line ends; none when there is no log."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return [line.rstrip("\n") for line in deque(file, maxlen=lines)]
    except FileNotFoundError:
        return []
