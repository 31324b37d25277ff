"""What runs at the moment: whose query on which handle, and the end of those whose client went away."""

import select
import socket
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog

from runtime.clickhouse.engine import Engine, Handle
from runtime.clickhouse.errors import ClickHouseError

_logger = structlog.get_logger()

# Most queries are over before anybody needs to watch their client.
_UNWATCHED_SECONDS = 0.15
# Two KILLs that name the same queries in different orders would otherwise wait for each other.
_HELD_ELSEWHERE_SECONDS = 1.0
_GONE = select.POLLHUP | select.POLLERR | getattr(select, "POLLRDHUP", 0)


@dataclass(eq=False, slots=True)
class RunningQuery:
    """A query in the engine."""

    query_id: str
    user: str
    handle: Handle
    sock: socket.socket
    dies_with_client: bool
    """Whether it ends when its client disconnects: everything but mutations, and definitions that fill nothing."""
    since: float = field(default_factory=time.monotonic)
    is_killed: bool = False


class Running:
    """All queries that run now."""

    def __init__(self, engine: Engine, *, limit: int) -> None:
        self._engine = engine
        self._limit = limit
        self._lock = threading.Lock()
        self._queries: set[RunningQuery] = set()

    @contextmanager
    def entered(self, query: RunningQuery) -> Generator[None]:
        """Keep `query` listed. Raises ClickHouseError 202 when too many run."""
        with self._lock:
            if len(self._queries) >= self._limit:
                raise ClickHouseError(202, f"Too many simultaneous queries. Maximum: {self._limit}")
            self._queries.add(query)
        try:
            yield
        finally:
            with self._lock:
                self._queries.discard(query)
            # A kill that is under way must not reach the handle's next query.
            with query.handle.ending:
                pass

    def __len__(self) -> int:
        return len(self._queries)

    @contextmanager
    def held(self, query_id: str) -> Generator[str | None]:
        """Yield the engine's tag of a running query, which is no other query's before the block ends.

        None when no query of that id runs, or somebody else's KILL has been at it for longer than a second.
        """
        query = self._find(query_id)
        if query is None or not query.handle.ending.acquire(timeout=_HELD_ELSEWHERE_SECONDS):
            yield None
            return
        try:
            yield query.handle.tag if self._is_listed(query) else None
        finally:
            query.handle.ending.release()

    def kill(self, query: RunningQuery) -> None:
        """End a query, if it still runs and nobody else is ending it."""
        # The lock comes before the look: a query that is listed then can't leave the handle to the next one meanwhile.
        if not query.handle.ending.acquire(blocking=False):
            return
        try:
            if self._is_listed(query) and not query.is_killed:
                # Between being listed and being seen by the engine lie some milliseconds: nothing is found yet.
                query.is_killed = self._engine.kill(query.handle) > 0
        except ClickHouseError as error:
            _logger.warning("query_not_killed", query_id=query.query_id, error=str(error))
        finally:
            query.handle.ending.release()

    def kill_all(self) -> None:
        """End every query."""
        for query in self._snapshot():
            self.kill(query)

    def kill_abandoned(self) -> None:
        """End the queries whose client has gone; to be called a few times a second."""
        now = time.monotonic()
        watched = {
            query.sock.fileno(): query
            for query in self._snapshot()
            if query.dies_with_client and now - query.since > _UNWATCHED_SECONDS and not query.is_killed
        }
        watched.pop(-1, None)
        if not watched:
            return
        poll = select.poll()
        for descriptor in watched:
            poll.register(descriptor, getattr(select, "POLLRDHUP", 0))
        for descriptor, events in poll.poll(0):
            if events & _GONE:
                self.kill(watched[descriptor])

    def _find(self, query_id: str) -> RunningQuery | None:
        with self._lock:
            return next((query for query in self._queries if query.query_id == query_id), None)

    def _is_listed(self, query: RunningQuery) -> bool:
        with self._lock:
            return query in self._queries

    def _snapshot(self) -> list[RunningQuery]:
        with self._lock:
            return list(self._queries)
