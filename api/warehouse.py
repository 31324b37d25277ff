"""The API's way to ClickHouse: project-scoped queries under limits."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
import structlog
from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.exceptions import ClickHouseError, Error
from clickhouse_connect.driver.query import QueryResult

from api.errors import NotModelledYetError, QueryFailedError, QueryTimeoutError, QueryTooLargeError
from api.queue import FairQueue
from api.settings import ApiSettings
from api.turn import Turn
from core.breaker import Breaker
from core.errors import RadixError, UnavailableError
from core.warehouse import ProjectScope, connect_async

_logger = structlog.get_logger()

# ClickHouse's error codes, from its ErrorCodes.cpp.
TIMEOUTS = {159, 160}  # TIMEOUT_EXCEEDED, TOO_SLOW
_READONLY = 164
_NO_SUCH_TABLE = {60, 81}  # UNKNOWN_TABLE, UNKNOWN_DATABASE
_LIMITS = {
    158: "query_max_rows_to_read",  # TOO_MANY_ROWS
    241: "query_max_memory_bytes",  # MEMORY_LIMIT_EXCEEDED
    396: "query_max_result_rows",  # TOO_MANY_ROWS_OR_BYTES
}

# Sent by those who ask for it, see `Warehouse.result`.
_LIMITS_OF_RESULTS = {"max_result_bytes"}

# Rewritings of GROUP BY and of comparisons, which made no question of bench/unmodelled.py faster. For each key and each
# comparison they read all that is grouped: 0.6 s of the 1.4 that a long statement took (docs/performance.md).
PLANNING = {
    "optimize_aggregators_of_group_by_keys": 0,
    "optimize_and_compare_chain": 0,
    "optimize_group_by_function_keys": 0,
    "optimize_injective_functions_in_group_by": 0,
}

# The count of rows read comes with the answer's head, so that must not leave before the query has ended.
_COUNTED = {"wait_end_of_query": 1}

Explain = Callable[[Exception], RadixError | None]


@dataclass(frozen=True, slots=True)
class QueryRows:
    """What one query returned, one mapping per row, and what reading it took."""

    rows: list[dict[str, Any]]
    moments: tuple[str, ...]
    """Names of the columns in which dates or instants may be."""
    read_rows: int
    read_bytes: int


class Warehouse:
    """One shared connection pool to ClickHouse, opened by the first query and again after ClickHouse was away."""

    def __init__(self, settings: ApiSettings) -> None:
        self._settings = settings
        self.breaker = Breaker("clickhouse")
        self._client: AsyncClient | None = None
        self._limits: dict[str, Any] = {}
        self._planning: dict[str, Any] = {}
        self._connecting = Turn()
        self.queue = FairQueue(
            settings.max_concurrent_queries,
            most_of_one=settings.project_max_concurrent_queries,
            most_waiting=settings.project_max_waiting_queries,
        )

    async def query(self, scope: ProjectScope, sql: str, parameters: Mapping[str, Any]) -> QueryRows:
        """Run one statement on behalf of a project and return its rows.

        Raises `TooManyQueriesError`, `QueryTimeoutError`, `QueryTooLargeError`, `NotModelledYetError`,
        `QueryFailedError` or `UnavailableError`. When the caller is cancelled, the connection closes and ClickHouse
        ends the query.
        """
        result = await self.result(scope, sql, parameters)
        summary: dict[str, Any] = result.summary
        return QueryRows(
            rows=list(result.named_results()),
            moments=tuple(
                name for name, kind in zip(result.column_names, result.column_types, strict=True) if "Date" in kind.name
            ),
            read_rows=int(summary.get("read_rows", 0)),
            read_bytes=int(summary.get("read_bytes", 0)),
        )

    async def result(
        self,
        scope: ProjectScope,
        sql: str,
        parameters: Mapping[str, Any],
        *,
        limits: Mapping[str, int] | None = None,
        explain: Explain | None = None,
    ) -> QueryResult:
        """Run one statement on behalf of a project as `query` does, and return its columns with their types too.

        `limits` hold instead of those of the same name. `explain` says which error of the caller's ClickHouse's is,
        None where it is none of his.
        """
        async with self.queue.place(scope.project_id):
            with self.breaker.passed():
                client = await self._connected()
                held = self._planning | (self._limits | dict(limits or {}) if self._limits else {})
                try:
                    async with asyncio.timeout(self._settings.query_max_seconds + 1):
                        return await scope.run_async(client, sql, dict(parameters), settings=held | _COUNTED)
                except TimeoutError as error:
                    # ClickHouse ends what runs too long a second before, unless it hangs.
                    await self.demand_sign_of_life()
                    raise (explain and explain(error)) or QueryTimeoutError(self._settings.query_max_seconds) from error
                except (Error, aiohttp.ClientError, OSError) as error:
                    raise (explain and explain(error)) or self._explain(error) from error

    async def unscoped(
        self, sql: str, parameters: Mapping[str, Any], explain: Explain | None = None
    ) -> Sequence[Sequence[Any]]:
        """Return the rows of a statement that reads no tenant's data; `explain` as `result` takes it."""
        with self.breaker.passed():
            client = await self._connected()
            try:
                async with asyncio.timeout(self._settings.connect_seconds):
                    result = await client.query(sql, parameters=dict(parameters))
            except TimeoutError as error:
                raise UnavailableError("clickhouse") from error
            except (Error, aiohttp.ClientError, OSError) as error:
                raise (explain and explain(error)) or self._explain(error) from error
            return result.result_rows

    async def demand_sign_of_life(self) -> None:
        """Raise `UnavailableError` unless ClickHouse answers a query of this user within `connect_seconds`."""
        client = await self._connected()
        try:
            async with asyncio.timeout(self._settings.connect_seconds):
                await client.command("select 1")
        except (Error, TimeoutError, aiohttp.ClientError, OSError) as error:
            raise UnavailableError("clickhouse") from error

    async def is_reachable(self) -> bool:
        """Say whether ClickHouse answers a query of this user."""
        try:
            await self.demand_sign_of_life()
        except UnavailableError:
            return False
        return True

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def _connected(self) -> AsyncClient:
        async with self._connecting.taken():
            if self._client is None:
                settings = self._settings
                try:
                    async with asyncio.timeout(settings.connect_seconds):
                        client = await connect_async(
                            settings.clickhouse_url.get_secret_value(),
                            connect_timeout_s=max(1, round(settings.connect_seconds)),
                            read_timeout_s=round(settings.query_max_seconds) + 10,
                        )
                        try:
                            self._limits = await self._accepted_limits(client)
                            self._planning = await self._accepted_planning(client)
                        except BaseException:
                            await client.close()
                            raise
                    self._client = client
                except (ClickHouseError, TimeoutError, aiohttp.ClientError, OSError) as error:
                    _logger.warning("clickhouse_unavailable", error=str(error))
                    raise UnavailableError("clickhouse") from error
            return self._client

    async def _accepted_limits(self, client: AsyncClient) -> dict[str, Any]:
        """Return the limits that ClickHouse takes from this user."""
        settings = self._settings
        limits = {
            "max_execution_time": settings.query_max_seconds,
            "max_memory_usage": settings.query_max_memory_bytes,
            "max_rows_to_read": settings.query_max_rows_to_read,
            "max_result_rows": settings.query_max_result_rows,
        }
        # system.settings calls them read-only for a read-only user, which the client believes and refuses to send them;
        # the embedded ClickHouse lets any user tighten a limit.
        client.valid_transport_settings = client.valid_transport_settings | set(limits) | _LIMITS_OF_RESULTS
        try:
            await client.command("select 1", settings=limits)
        except Error as error:
            if error.code is None:
                raise
            if error.code == _READONLY:
                _logger.warning("clickhouse_user_may_set_no_limits", consequence="those of the user's profile hold")
                return {}
        # Any other refusal comes from a limit that even this query meets: they are taken.
        return limits

    async def _accepted_planning(self, client: AsyncClient) -> dict[str, Any]:
        """Return how statements are planned, or nothing where ClickHouse refuses any of it to this user."""
        client.valid_transport_settings = client.valid_transport_settings | set(PLANNING)
        try:
            await client.command("select 1", settings=PLANNING)
        except Error as error:
            if error.code is None:
                raise
            _logger.warning("clickhouse_user_may_not_say_how_to_plan", consequence="long statements take longer")
            return {}
        return PLANNING

    def _explain(self, error: Exception) -> RadixError:
        settings = self._settings
        code = error.code if isinstance(error, Error) else None
        if code in TIMEOUTS:
            return QueryTimeoutError(settings.query_max_seconds)
        if code in _LIMITS:
            return QueryTooLargeError(_LIMITS[code], getattr(settings, _LIMITS[code]))
        if code in _NO_SUCH_TABLE:
            return NotModelledYetError(f"a table of {settings.marts_database}")
        if code is not None:
            _logger.error("query_failed", clickhouse_code=code, error=str(error))
            return QueryFailedError(
                f"ClickHouse answered with error {code}; the API's log has its text.", clickhouse_code=code
            )
        _logger.warning("clickhouse_unavailable", error=str(error))
        return UnavailableError("clickhouse")
