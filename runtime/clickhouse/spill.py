"""Results that are held back on disk until they are whole (wait_end_of_query), within one bound for all of them."""

import tempfile
import threading
from pathlib import Path
from typing import IO

from runtime.clickhouse.errors import ClickHouseError


class SpillSpace:
    """Where results are held back: at most `max_bytes` in `directory`, of all queries together."""

    def __init__(self, directory: Path, max_bytes: int) -> None:
        self.directory = directory
        self._max_bytes = max_bytes
        self._used = 0
        self._lock = threading.Lock()

    def take(self, size: int) -> None:
        """Reserve bytes. Raises ClickHouseError 307 when they would go over the bound."""
        with self._lock:
            if self._used + size > self._max_bytes:
                raise ClickHouseError(
                    307,
                    f"Limit for results held back (wait_end_of_query) exceeded: {self._max_bytes} bytes of all "
                    "queries together (RADIXINSIGHT_CLICKHOUSE_MAX_HELD_RESULT_BYTES)",
                )
            self._used += size

    def give_back(self, size: int) -> None:
        """Free bytes that were reserved."""
        with self._lock:
            self._used -= size


class Spill:
    """One result on its way to the disk and back; without a name in the file system, so that it goes with us."""

    def __init__(self, space: SpillSpace) -> None:
        self._space = space
        self._size = 0
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=space.directory)  # noqa: SIM115 - closed by close()

    def write(self, data: bytes | memoryview) -> None:
        """Add a piece. Raises ClickHouseError 307 over the bound."""
        self._space.take(len(data))
        self._size += len(data)
        self._file.write(data)

    def rewind(self) -> IO[bytes]:
        """Return the file at its start, for reading."""
        self._file.seek(0)
        return self._file

    def close(self) -> None:
        """Forget the result and give its space back."""
        self._file.close()
        self._space.give_back(self._size)
        self._size = 0
