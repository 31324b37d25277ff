"""A log line for each refused request."""

import time

import structlog

from core.errors import RadixError
from ingestion.wire import Wire

_MOST_PER_S = 50
_MAX_DETAIL = 200
_SHOWN_KEY = 8
_logger = structlog.get_logger()


class RefusalLog:
    """Writes at most 50 lines a second: a flood of bad requests must not fill the disk. The others are counted."""

    def __init__(self) -> None:
        self._second = 0
        self._written = 0
        self._left_out = 0

    def write(self, wire: Wire, protocol: str, status: int, error: RadixError) -> None:
        """Say which request was refused and why. Of a write key only its beginning is shown."""
        second = int(time.monotonic())
        if second != self._second:
            if self._left_out:
                _logger.warning("request_refusals_not_logged", requests=self._left_out)
            self._second, self._written, self._left_out = second, 0, 0
        if self._written >= _MOST_PER_S:
            self._left_out += 1
            return
        self._written += 1
        key = wire.header_write_key
        _logger.info(
            "request_refused",
            method=wire.method[:20],
            path=wire.path,
            protocol=protocol,
            status=status,
            code=error.code,
            detail=error.detail[:_MAX_DETAIL],
            write_key=None if key is None else f"{key[:_SHOWN_KEY]}…",
        )
