"""How much of all requests' bodies is in memory."""

from collections.abc import Generator
from contextlib import contextmanager

from ingestion.errors import CollectorBusyError

_RETRY_AFTER_S = 2


class Reading:
    """A budget of bytes that all requests share."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._held = 0

    @contextmanager
    def share(self) -> Generator["Share"]:
        """Give out a share of the budget, which is given back in the end."""
        share = Share(self)
        try:
            yield share
        finally:
            self._held -= share.size

    def take(self, size: int) -> None:
        """Count bytes, or raise `CollectorBusyError` when these are too many."""
        if self._held + size > self._max_bytes:
            raise CollectorBusyError(
                f"Requests of {self._held} bytes are being read, of at most {self._max_bytes}.",
                headers={"Retry-After": str(_RETRY_AFTER_S)},
            )
        self._held += size


class Share:
    """What one request holds of the budget."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self.size = 0

    def take(self, size: int) -> None:
        """Count bytes of this request, or raise `CollectorBusyError` when all requests have too many."""
        self._reading.take(size)
        self.size += size
