"""When to try again what did not get through."""

import time
from dataclasses import dataclass

from ingestion.shipper.errors import DeliveryError, RefusedError, UnreachableError

_FIRST_BACKOFF_S = 0.2
_PATIENCE = 8
"""Refusals for an unforeseen reason after which a batch is split, although nothing says that a row is at fault."""


@dataclass(slots=True)
class Pause:
    """How often something failed, and until when to leave it alone."""

    failures: int = 0
    refusals: int = 0
    until: float = 0.0

    @property
    def is_over(self) -> bool:
        """Whether it may be tried again."""
        return time.monotonic() >= self.until

    @property
    def is_patience_lost(self) -> bool:
        """Whether it was refused so often that it has to be split."""
        return self.refusals >= _PATIENCE


class BackOff:
    """Makes each batch wait longer after each failure, and all of them while the server takes nothing."""

    def __init__(self, max_s: float) -> None:
        self._max_s = max_s
        self.server = Pause()
        """Holds for every batch."""

    def failed(self, pause: Pause, error: DeliveryError) -> float:
        """Lengthen what has to be waited for after a batch with this pause failed; return the seconds to wait."""
        pauses = [pause]
        if isinstance(error, UnreachableError):
            # No batch can get through: wait once for all of them.
            pauses = [self.server]
        elif isinstance(error, RefusedError):
            pause.refusals += 1
        else:
            # Probably none can; but where only this one is too much for the server, the others have their turn first.
            pauses.append(self.server)
        for longer in pauses:
            self._lengthen(longer)
        return max(0.0, pauses[0].until - time.monotonic())

    def succeeded(self) -> None:
        """Note that the server takes batches."""
        self.server = Pause()

    def _lengthen(self, pause: Pause) -> None:
        pause.failures += 1
        seconds = min(self._max_s, _FIRST_BACKOFF_S * 2 ** min(pause.failures - 1, 16))
        pause.until = time.monotonic() + seconds
