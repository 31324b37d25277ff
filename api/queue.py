"""A queue in which no project waits for another one's many questions."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from api.errors import TooManyQueriesError


class FairQueue:
    """Lets so many work at once; of those who wait, one of the project of which least is under way is next.

    Of equal ones it is the project whose turn was longest ago. One project may not take all places, because what has
    begun is not interrupted: somebody else would wait for as long as a query may run.
    """

    def __init__(self, most: int, *, most_of_one: int, most_waiting: int) -> None:
        self._most = most
        self._most_of_one = min(most_of_one, most)
        self._most_waiting = most_waiting
        self._running: Counter[int] = Counter()
        self._waiting: dict[int, deque[asyncio.Future[None]]] = {}

    @property
    def running(self) -> int:
        """Return how many are at work."""
        return self._running.total()

    @property
    def waiting(self) -> int:
        """Return how many wait."""
        return sum(map(len, self._waiting.values()))

    @asynccontextmanager
    async def place(self, project_id: int) -> AsyncGenerator[None]:
        """Wait for a place, and free it in the end; raises `TooManyQueriesError` where too many of a project wait."""
        if project_id in self._waiting or not self._has_place(project_id):
            await self._wait(project_id)
        else:
            self._running[project_id] += 1
        try:
            yield
        finally:
            self._free(project_id)

    async def _wait(self, project_id: int) -> None:
        line = self._waiting.setdefault(project_id, deque())
        if len(line) >= self._most_waiting:
            raise TooManyQueriesError(self._most_waiting)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                with suppress(ValueError):
                    line.remove(turn)
                if not line and self._waiting.get(project_id) is line:
                    del self._waiting[project_id]
            else:
                # The place came in the same moment: it is the next one's.
                self._free(project_id)
            raise

    def _has_place(self, project_id: int) -> bool:
        return self.running < self._most and self._running[project_id] < self._most_of_one

    def _free(self, project_id: int) -> None:
        self._running[project_id] -= 1
        if not self._running[project_id]:
            del self._running[project_id]
        while allowed := [waiting for waiting in self._waiting if self._has_place(waiting)]:
            self._admit(min(allowed, key=self._running.__getitem__))

    def _admit(self, project_id: int) -> None:
        line = self._waiting.pop(project_id)
        turn = line.popleft()
        if line:
            # Behind the others: they are in the order in which their turns come.
            self._waiting[project_id] = line
        if not turn.cancelled():
            self._running[project_id] += 1
            turn.set_result(None)
