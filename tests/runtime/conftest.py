"""Systems of a test's own, started with the real command."""

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import psutil
import pytest

from runtime.instance import Instance
from runtime.liveness import is_at_work
from runtime.ports import OFFSETS, is_free
from runtime.settings import RuntimeSettings
from runtime.state import SupervisorRecord, read_state

ENGINES = "postgres,valkey"


class Machine:
    """One data directory and the processes on it."""

    def __init__(self, data_dir: Path, port_base: int) -> None:
        self.data_dir = data_dir
        self.port_base = port_base
        self.supervisor: subprocess.Popen[str] | None = None
        self.output = data_dir.parent / "output"

    @property
    def instance(self) -> Instance:
        """Its addresses."""
        return Instance.of(RuntimeSettings(data_dir=self.data_dir, port_base=self.port_base))

    @property
    def record(self) -> SupervisorRecord:
        """The supervisor's last account."""
        record = read_state(self.data_dir / "run" / "state.json")
        assert record is not None
        return record

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run one `radixinsight` command to its end."""
        return subprocess.run(
            self._command(*arguments),
            env=os.environ | variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )

    def up(self, only: str = ENGINES, **variables: str) -> None:
        """Start in the foreground, as in a terminal, and wait until all is ready."""
        self.output = self.data_dir.parent / "output"
        self.output.parent.mkdir(parents=True, exist_ok=True)
        with self.output.open("w") as file:
            self.supervisor = subprocess.Popen(
                self._command("up", "--only", only, "--port-base", str(self.port_base)),
                env=os.environ | variables,
                stdout=file,
                stderr=file,
                text=True,
                process_group=0,
            )
        wait_for(lambda: self._phase() == "up", seconds=60)

    def _phase(self) -> str:
        assert self.supervisor is not None
        record = read_state(self.data_dir / "run" / "state.json")
        if self.supervisor.poll() is not None:
            pytest.fail(f"up ended: {self.output.read_text()}")
        return record.phase if record is not None and record.pid == self.supervisor.pid else ""

    def pids(self) -> list[int]:
        """Every process that runs here now, with all descendants."""
        root = psutil.Process(self.record.pid)
        return [root.pid, *(child.pid for child in root.children(recursive=True))]

    def pid(self, name: str) -> int:
        """Return the process id of one process."""
        process = self.record.process(name)
        assert process is not None
        assert process.pid is not None
        return process.pid

    def still_running(self, pids: list[int]) -> list[int]:
        """Return those that are at work; one that ended and waits for its parent is not."""
        return [pid for pid in pids if is_at_work(pid)]

    def end(self) -> None:
        """Stop whatever is left."""
        if self.supervisor is not None and self.supervisor.poll() is None:
            self.supervisor.send_signal(signal.SIGTERM)
            self.supervisor.wait(15)
        self.run("down")

    def _command(self, *arguments: str) -> list[str]:
        name, *rest = arguments
        return [sys.executable, "-m", "runtime", name, "--data-dir", str(self.data_dir), *rest]


def find_port_base() -> int:
    """Look for free ports in a row, below the range from which the system hands out ports."""
    while True:
        base = 10000 + secrets.randbelow(2000) * 10
        if all(is_free(base + offset) for offset in OFFSETS.values()):
            return base


def wait_for(condition: Callable[[], Any], *, seconds: float = 20.0) -> None:
    """Return when the condition holds; fail when it doesn't in time."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            pytest.fail(f"not within {seconds} s")
        time.sleep(0.05)


@pytest.fixture
def machine(tmp_path: Path, free_port_base: int) -> Generator[Machine]:
    """Nothing runs on it yet; whatever a test starts is stopped."""
    machine = Machine(tmp_path / "data", free_port_base)
    yield machine
    machine.end()


@pytest.fixture(scope="module")
def shared_machine(tmp_path_factory: pytest.TempPathFactory) -> Generator[Machine]:
    """Run PostgreSQL and Valkey for the tests of one module that only look."""
    machine = Machine(tmp_path_factory.mktemp("shared") / "data", find_port_base())
    machine.up()
    yield machine
    machine.end()


@pytest.fixture
def eventually() -> Callable[..., None]:
    """Return the function that waits for a condition."""
    return wait_for
