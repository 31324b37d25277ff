"""Work that several callers ask for at the same time is done once."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

_Made = TypeVar("_Made")


@dataclass(slots=True, eq=False)
class _Flight(Generic[_Made]):
    """Work under way and how many callers wait for it."""

    task: asyncio.Task[_Made]
    waiters: int = 0


class SingleFlight(Generic[_Made]):
    """Does what is asked for under one key once for all who ask before it is done."""

    def __init__(self) -> None:
        self._flights: dict[str, _Flight[_Made]] = {}

    async def once(self, key: str, make: Callable[[], Coroutine[Any, Any, _Made]]) -> _Made:
        """Return what `make` returns, or raise what it raises, to every caller."""
        flight = self._flights.get(key)
        if flight is None:
            flight = _Flight(asyncio.ensure_future(make()))
            self._flights[key] = flight
            flight.task.add_done_callback(lambda _: self._land(key, flight))
        flight.waiters += 1
        try:
            # One caller that leaves must not take the answer from the others.
            return await asyncio.shield(flight.task)
        finally:
            flight.waiters -= 1
            if flight.waiters == 0 and not flight.task.done():
                # Nobody waits any more: the work ends, and who asks from now on starts anew.
                flight.task.cancel()
                del self._flights[key]

    def _land(self, key: str, flight: _Flight[_Made]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
        # An error is raised to every caller; when all of them have left, nobody else would look at it.
        if not flight.task.cancelled():
            flight.task.exception()
