"""Callers that do one thing in turn."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from core.errors import RadixError


class Turn:
    """Lets one caller do something while others wait; whoever waited for a failure gets it too.

    Otherwise each would try in its turn, and with ClickHouse hanging the tenth request would be answered after the
    patience of ten.
    """

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._failure: RadixError | None = None
        self._failed_at = float("-inf")

    @asynccontextmanager
    async def taken(self) -> AsyncGenerator[None]:
        """Wait for the turn, and give it on in the end."""
        asked_at = time.monotonic()
        async with self._lock:
            if self._failure is not None and self._failed_at >= asked_at:
                raise self._failure
            try:
                yield
            except RadixError as error:
                self._failure, self._failed_at = error, time.monotonic()
                raise
