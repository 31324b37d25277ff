"""Computed results: cached by query and data version, computed once for equal questions at the same time."""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import msgspec

from api.data_state import DataState
from api.insights.queries import InsightSql
from api.insights.statements import Statement
from api.metrics import Metrics
from api.results.single_flight import SingleFlight
from api.settings import ApiSettings
from api.warehouse import QueryRows, Warehouse
from core.cache import Cache
from core.clock import utc_now
from core.warehouse import ProjectScope


@dataclass(frozen=True, slots=True)
class Computed:
    """Rows of one statement and where they come from; `values` are JSON-ready (instants as ISO strings, UTC)."""

    rows: list[dict[str, Any]]
    parameters: dict[str, Any]
    computed_at: str
    fresh_until: str | None
    data_version: str
    read_rows: int
    read_bytes: int
    cached: bool


class DataChangedError(Exception):
    """Tables were exchanged while a statement read several of them: its rows may be of both."""


class Results:
    """Answers statements from Valkey when the data has not changed since, from ClickHouse otherwise."""

    def __init__(
        self,
        settings: ApiSettings,
        *,
        warehouse: Warehouse,
        state: DataState,
        cache: Cache,
        sql: InsightSql,
        metrics: Metrics,
    ) -> None:
        self._settings = settings
        self._warehouse = warehouse
        self._state = state
        self._cache = cache
        self._sql = sql
        self._metrics = metrics
        self._computing: SingleFlight[dict[str, Any]] = SingleFlight()

    async def rows(
        self, project_id: int, statement: Statement, is_unchanged: Callable[[], Awaitable[bool]] | None = None
    ) -> Computed:
        """Return the statement's rows for one project.

        Raises what `Warehouse.query` raises, and `DataChangedError` where `is_unchanged` denies after the computation.
        """
        scope = ProjectScope(project_id)
        parameters = scope.parameters(**statement.parameters)
        version = await self._state.version()
        key = _key(statement.sql, parameters, version)
        stored = await self._cached(key)
        cached = stored is not None
        if stored is None:
            stored = await self._computing.once(
                key, lambda: self._compute(scope, statement, version, key, is_unchanged)
            )
        self._metrics.results.labels(source="cache" if cached else "clickhouse").inc()
        return Computed(parameters=parameters, data_version=version, cached=cached, **stored)

    async def _compute(
        self,
        scope: ProjectScope,
        statement: Statement,
        version: str,
        key: str,
        is_unchanged: Callable[[], Awaitable[bool]] | None,
    ) -> dict[str, Any]:
        result, fresh_until = await asyncio.gather(self._timed(scope, statement), self.fresh_until(scope, version))
        if is_unchanged is not None and not await is_unchanged():
            raise DataChangedError
        if statement.unmodelled is not None:
            newest = statement.unmodelled.received_until
            fresh_until = max(filter(None, (fresh_until, newest and iso(newest))), default=None)
        document: dict[str, Any] = {
            "rows": _json_rows(result),
            "computed_at": iso(utc_now()),
            "fresh_until": fresh_until,
            "read_rows": result.read_rows,
            "read_bytes": result.read_bytes,
        }
        await self._store(key, document)
        return document

    async def _timed(self, scope: ProjectScope, statement: Statement) -> QueryRows:
        started = time.perf_counter()
        result = await self._warehouse.query(scope, statement.sql, statement.parameters)
        self._metrics.query_seconds.observe(time.perf_counter() - started)
        return result

    async def fresh_until(self, scope: ProjectScope, version: str) -> str | None:
        """Return when the newest of a project's modelled events was received; raises what `Warehouse.query` raises."""
        statement = self._sql.received_until()
        key = _key(statement.sql, scope.parameters(), version)
        stored = await self._cached(key)
        if stored is None:
            result = await self._warehouse.query(scope, statement.sql, statement.parameters)
            stored = {"rows": _json_rows(result)}
            await self._store(key, stored)
        newest: str | None = stored["rows"][0]["received_until"]
        return newest

    async def _cached(self, key: str) -> dict[str, Any] | None:
        if self._settings.result_cache_seconds == 0:
            return None
        return await self._cache.get(key)

    async def _store(self, key: str, document: dict[str, Any]) -> None:
        if self._settings.result_cache_seconds > 0:
            await self._cache.set(key, document, ttl_s=self._settings.result_cache_seconds)


def iso(instant: datetime) -> str:
    """Write a UTC instant with milliseconds: `2026-03-01T09:00:00.000Z`."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _key(sql: str, parameters: Mapping[str, Any], version: str) -> str:
    identity = msgspec.json.encode([sql, sorted(parameters.items()), version])
    return hashlib.sha256(identity).hexdigest()


def _json_rows(result: QueryRows) -> list[dict[str, Any]]:
    """Return the rows with dates and instants as text; only their columns are looked at, of thousands of rows."""
    if not result.moments:
        return result.rows
    return [row | {name: _json_value(row[name]) for name in result.moments} for row in result.rows]


def _json_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return iso(value)
    return value.isoformat() if isinstance(value, date) else value
