"""`radixinsight down`: stop what runs on the data directory."""

import contextlib
import os
import signal
import time

import typer

from runtime.commands.options import DataDirOption, read_settings
from runtime.directory import DataDirectory, DirectoryLock
from runtime.errors import OperationError
from runtime.liveness import is_at_work
from runtime.orphans import end

_PATIENCE_S = 30.0


def down(data_dir: DataDirOption = None) -> None:
    """Stop everything that runs on this data directory."""
    directory = DataDirectory.at(read_settings(data_dir).data_dir)
    typer.echo("Stopped." if stop(directory) else f"Nothing runs on {directory.root}.")


def stop(directory: DataDirectory) -> bool:
    """Stop the supervisor and what it runs; False when nothing ran.

    Raises OperationError when it doesn't end, or doesn't say which process it is.
    """
    lock = DirectoryLock(directory)
    holder = lock.holder()
    if holder is None:
        return end(directory) > 0
    if holder <= 0:
        # To the kernel, such a number means whole groups of processes, the caller's own among them.
        raise OperationError(
            f"Somebody holds {directory.lock_file} and does not say which process it is: try again, or end it yourself."
        )
    with contextlib.suppress(ProcessLookupError):
        os.kill(holder, signal.SIGTERM)
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        if lock.holder() != holder and not is_at_work(holder):
            return True
        time.sleep(0.05)
    raise OperationError(f"The supervisor, process {holder}, has not ended within {_PATIENCE_S:.0f} s.")
