"""Circuit breakers: an engine that is away is not asked by everybody, each for as long as his patience lasts."""

import time
from collections.abc import Generator
from contextlib import contextmanager

import structlog

from core.errors import UnavailableError

_logger = structlog.get_logger()


class Breaker:
    """Stands before an engine, and opens after so many failures in a row.

    While it is open nobody is let through but one every few seconds, to see whether the engine is back; then it closes.
    """

    def __init__(self, engine: str, *, failures: int = 10, seconds: float = 1.0) -> None:
        self._engine = engine
        self._most = failures
        self._seconds = seconds
        self._failures = 0
        self._next_try_at = float("-inf")

    @property
    def is_open(self) -> bool:
        """Say whether callers are turned away."""
        return self._failures >= self._most

    @contextmanager
    def passed(self) -> Generator[None]:
        """Let a caller through; raises `UnavailableError` while it is open.

        What he does counts as a failure where it raises `UnavailableError`. One who leaves tells nothing.
        """
        if self.is_open:
            if time.monotonic() < self._next_try_at:
                raise UnavailableError(self._engine)
            self._next_try_at = time.monotonic() + self._seconds
        try:
            yield
        except UnavailableError:
            self._fail()
            raise
        except Exception:
            self._succeed()
            raise
        self._succeed()

    def _fail(self) -> None:
        self._failures += 1
        if self.is_open:
            self._next_try_at = time.monotonic() + self._seconds
        if self._failures == self._most:
            _logger.warning("breaker_opened", engine=self._engine)

    def _succeed(self) -> None:
        if self.is_open:
            _logger.info("breaker_closed", engine=self._engine)
        self._failures = 0
