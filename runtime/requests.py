"""What other commands ask of a running supervisor: a file and a signal."""

import contextlib
import os
import signal

import msgspec

from runtime.credentials import write_private
from runtime.directory import DataDirectory
from runtime.errors import NotRunningError
from runtime.state import SupervisorRecord, read_state


class Request(msgspec.Struct, kw_only=True):
    """Processes to start in addition, and processes to start anew."""

    start: list[str] = msgspec.field(default_factory=list)
    restart: list[str] = msgspec.field(default_factory=list)


def running_state(directory: DataDirectory) -> SupervisorRecord:
    """Return the running supervisor's record. Raises NotRunningError when there is none."""
    record = read_state(directory.state_file)
    if record is None or not record.is_alive:
        raise NotRunningError(f"RadixInsight does not run on {directory.root}. Start it with `radixinsight up`.")
    return record


def ask(directory: DataDirectory, request: Request) -> None:
    """Hand a request to the running supervisor, which carries it out at once. Raises NotRunningError."""
    record = running_state(directory)
    write_private(directory.run / "request.json", msgspec.json.encode(request))
    os.kill(record.pid, signal.SIGUSR1)


def take_request(directory: DataDirectory) -> Request:
    """Read the waiting request and remove it; an empty one when there is none."""
    path = directory.run / "request.json"
    with contextlib.suppress(FileNotFoundError, msgspec.DecodeError):
        request = msgspec.json.decode(path.read_bytes(), type=Request)
        path.unlink()
        return request
    return Request()
