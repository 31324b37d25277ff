"""The supervisor's account of itself, as a file that the other commands read."""

import time
from pathlib import Path
from typing import Literal

import msgspec
import psutil

from runtime.credentials import write_private
from runtime.liveness import is_at_work

ProcessState = Literal["waiting", "starting", "ready", "restarting", "done", "failed", "stopping", "stopped"]
Phase = Literal["starting", "up", "stopping", "failed", "down"]


class ProcessRecord(msgspec.Struct, kw_only=True):
    """One process. Times are seconds since 1970; `start_duration_s` counts from its launch to being ready."""

    name: str
    state: ProcessState = "waiting"
    address: str | None = None
    pid: int | None = None
    started_at: float | None = None
    start_duration_s: float | None = None
    restarts: int = 0
    exit_code: int | None = None
    message: str | None = None


class SupervisorRecord(msgspec.Struct, kw_only=True):
    """The whole system on one data directory, as its supervisor last wrote it."""

    run_id: str
    pid: int
    created_at: float
    port_base: int
    phase: Phase
    message: str | None = None
    external: list[str] = msgspec.field(default_factory=list)
    processes: list[ProcessRecord] = msgspec.field(default_factory=list)

    def process(self, name: str) -> ProcessRecord | None:
        """Return the record of one process, or None when it isn't part of this run."""
        return next((record for record in self.processes if record.name == name), None)

    @property
    def is_alive(self) -> bool:
        """Whether the supervisor that wrote this still runs: its process id alone could be somebody else's by now."""
        try:
            is_same = abs(psutil.Process(self.pid).create_time() - self.created_at) < 1
        except psutil.Error:
            return False
        return is_same and is_at_work(self.pid)


def write_state(path: Path, record: SupervisorRecord) -> None:
    """Replace the file; a reader sees the old or the new account, never half of one."""
    write_private(path, msgspec.json.encode(record))


def read_state(path: Path) -> SupervisorRecord | None:
    """Read the last account, or None when there is none that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=SupervisorRecord)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def now() -> float:
    """Return seconds since 1970, as the records hold them."""
    return time.time()
