"""The data directory: one place for everything that is kept on this machine."""

import fcntl
import os
import time
from dataclasses import dataclass
from pathlib import Path

from runtime.errors import AlreadyRunningError, OperationError

# A holder writes its process id some microseconds after it has taken the lock.
_UNNAMED_HOLDER_PATIENCE_S = 1.0


@dataclass(frozen=True)
class DataDirectory:
    """Paths below one root; nothing outside it is ever written."""

    root: Path

    @classmethod
    def at(cls, path: Path) -> "DataDirectory":
        """Return the directory at `path`, absolute and without symbolic links.

        The processes don't share a working directory, and those of an earlier run are told by this very path.
        """
        return cls(path.expanduser().resolve())

    @property
    def clickhouse(self) -> Path:
        """Tables and settings of the embedded ClickHouse."""
        return self.root / "clickhouse"

    @property
    def postgres(self) -> Path:
        """The embedded PostgreSQL's cluster."""
        return self.root / "postgres"

    @property
    def valkey(self) -> Path:
        """The embedded Valkey's append-only file and configuration."""
        return self.root / "valkey"

    @property
    def spool(self) -> Path:
        """Events that were acknowledged and are not yet in ClickHouse."""
        return self.root / "spool"

    @property
    def ledger(self) -> Path:
        """How many events were acknowledged, by segment of the spool."""
        return self.root / "ledger"

    @property
    def damaged(self) -> Path:
        """Segments and pages of the ledger that could not be read whole."""
        return self.root / "damaged"

    @property
    def imports(self) -> Path:
        """Uploaded files of history that are not yet in ClickHouse."""
        return self.root / "imports"

    @property
    def consumer(self) -> Path:
        """What the consumer remembers of chunks of Kafka that land in parts."""
        return self.root / "consumer"

    @property
    def dagster(self) -> Path:
        """DAGSTER_HOME."""
        return self.root / "dagster"

    @property
    def refused_models(self) -> Path:
        """The file in which orchestration writes down why dbt refuses the project; not there while it is taken."""
        return self.dagster / "dbt" / "refused.txt"

    @property
    def logs(self) -> Path:
        """One log file per process."""
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """What only means something while the system runs: lock, state, requests."""
        return self.root / "run"

    @property
    def secrets_file(self) -> Path:
        """Passwords of the embedded engines, 0600."""
        return self.root / "secrets.json"

    @property
    def demo_file(self) -> Path:
        """The demo project's keys, 0600."""
        return self.root / "demo.json"

    @property
    def demo_page_file(self) -> Path:
        """Sends a browser to the demo's page with its key, 0600."""
        return self.run / "demo.html"

    @property
    def lock_file(self) -> Path:
        """What a supervisor locks for as long as it runs; it holds its process id."""
        return self.run / "lock"

    @property
    def state_file(self) -> Path:
        """The supervisor's account of its processes."""
        return self.run / "state.json"

    def log_of(self, service: str) -> Path:
        """Return the path of a process's log."""
        return self.logs / f"{service}.log"

    def create(self) -> None:
        """Make the directory and its parts, private to the user.

        Raises OperationError when that isn't allowed.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            for part in (self.clickhouse, self.valkey, self.spool, self.ledger, self.dagster, self.logs, self.run):
                part.mkdir(exist_ok=True, mode=0o700)
        except OSError as error:
            raise OperationError(
                f"The data directory {self.root} can't be written ({error.strerror}). "
                "Choose another with --data-dir or RADIXINSIGHT_DATA_DIR."
            ) from error


class DirectoryLock:
    """An exclusive claim on a data directory, which ends with the process that holds it, however that ends."""

    def __init__(self, directory: DataDirectory) -> None:
        self._path = directory.lock_file
        self._descriptor: int | None = None
        self._root = directory.root

    def acquire(self) -> None:
        """Take the claim. Raises AlreadyRunningError with the holder's process id."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 32, 0).decode().strip() or "unknown"
            os.close(descriptor)
            raise AlreadyRunningError(
                f"RadixInsight already runs on {self._root} (supervisor process {holder}). "
                "See it with `radixinsight status`, stop it with `radixinsight down`, "
                "or start a second system with another --data-dir and --port-base."
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the claim back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def holder(self) -> int | None:
        """Return the process id of whoever holds the claim now, 0 for one that doesn't tell it, or None.

        Blocks for up to a second while a holder has not told it yet.
        """
        until = time.monotonic() + _UNNAMED_HOLDER_PATIENCE_S
        while (holder := self._read_holder()) == 0 and time.monotonic() < until:
            time.sleep(0.01)
        return holder

    def _read_holder(self) -> int | None:
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            text = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
            return int(text) if text.isascii() and text.isdigit() else 0
        finally:
            os.close(descriptor)
        return None
