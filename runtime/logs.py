"""Log files: one per process, appended to by the process itself, kept small by the supervisor."""

import contextlib
from collections import deque
from pathlib import Path

_LARGEST_BYTES = 16 * 1024 * 1024
_TAIL_LINES = 20


def start_log(path: Path) -> None:
    """Move a large log of earlier runs aside (one generation is kept) and begin anew."""
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size > _LARGEST_BYTES // 4:
            path.replace(path.with_suffix(".log.1"))
    path.touch(mode=0o600)


def trim_logs(folder: Path) -> None:
    """Cut the logs that grew over 16 MiB: their content moves to `.log.1`, and the process writes on into the file.

    Processes hold their log open for appending, so that an emptied file is continued at its beginning.
    """
    for path in folder.glob("*.log"):
        if path.stat().st_size > _LARGEST_BYTES:
            path.with_suffix(".log.1").write_bytes(path.read_bytes())
            with path.open("r+b") as file:
                file.truncate(0)


def tail(path: Path, lines: int = _TAIL_LINES) -> list[str]:
    """Return the last lines of a log, without their line ends; none when there is no log."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return [line.rstrip("\n") for line in deque(file, maxlen=lines)]
    except FileNotFoundError:
        return []
