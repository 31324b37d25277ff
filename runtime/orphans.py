"""Processes that an earlier supervisor of this data directory left behind."""

import contextlib
import os
import signal
import time

import psutil

from runtime.directory import DataDirectory

_GRACE_S = 3.0


def find(directory: DataDirectory) -> list[psutil.Process]:
    """Return the processes that were started for this data directory by a supervisor, children of theirs included.

    They are told by the two variables that only a supervisor sets together; a shell in which somebody evaluated
    `radixinsight env` has one of them. The caller holds the data directory's lock, so no other supervisor is at work.
    """
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                continue
            environment = process.environ()
            if environment.get("RADIXINSIGHT_RUN") and environment.get("RADIXINSIGHT_DATA_DIR") == str(directory.root):
                found.append(process)
    return found


def end(directory: DataDirectory) -> int:
    """End them: politely, then by force. Return how many there were."""
    found = find(directory)
    for process in found:
        with contextlib.suppress(psutil.Error):
            # PostgreSQL takes SIGTERM as "when the last client has left".
            process.send_signal(signal.SIGINT if process.name() == "postgres" else signal.SIGTERM)
    _, alive = psutil.wait_procs(found, timeout=_GRACE_S)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.kill()
    until = time.monotonic() + _GRACE_S
    while time.monotonic() < until and any(process.is_running() for process in alive):
        time.sleep(0.02)
    return len(found)
