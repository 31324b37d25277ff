"""The API's way to ClickHouse: project-scoped queries under limits, and the version of the modelled data."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
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
_TIMEOUTS = {159, 160}  # TIMEOUT_EXCEEDED, TOO_SLOW
_READONLY = 164
_NO_SUCH_TABLE = {60, 81}  # UNKNOWN_TABLE, UNKNOWN_DATABASE
_LIMITS = {
    158: "query_max_rows_to_read",  # TOO_MANY_ROWS
    241: "query_max_memory_bytes",  # MEMORY_LIMIT_EXCEEDED
    396: "query_max_result_rows",  # TOO_MANY_ROWS_OR_BYTES
}

# Sent by those who ask for it, see `Warehouse.result`.
_LIMITS_OF_RESULTS = {"max_result_bytes"}

# The count of rows read comes with the answer's head, so that must not leave before the query has ended.
_COUNTED = {"wait_end_of_query": 1}

# The path names the table's own directory, so a table that was rebuilt and exchanged differs even where its parts'
# names do not. Merges rename parts too: the version may change without a change of content, never the reverse.
# Another version of the engine may cut days by other rules of a time zone.
_DATA_VERSION = """
select lower(hex(sipHash64(arraySort(groupArray((path, modification_time))), version()))) as version
from system.parts
where database = {database:String} and active
"""

_GENERATION = """
select lower(hex(sipHash64(arraySort(groupArray((name, uuid)))))) as generation
from system.tables
where
    database = {database:String}
    and name in ('fct_events', 'agg_events_daily', 'agg_events_hourly', 'agg_persons_daily')
"""

# Each rollup writes down up to which change of fct_events it is repaired.
_ROLLUP_ZONE = """
select timezone
from marts.dim_projects
where
    project_id = {project_id:UInt32}
    and (select max(run) from marts.fct_events_touched) = least(
        (select max(run) from marts.agg_events_daily_repaired),
        (select max(run) from marts.agg_events_hourly_repaired),
        (select max(run) from marts.agg_persons_daily_repaired)
    )
"""

_COMMENT = "select any(comment) from system.tables where database = {database:String} and name = {table:String}"

_DAY_STARTS = """
select arrayMap(day -> toUnixTimestamp64Milli(toDateTime64(day, 3, {timezone:String})), {days:Array(Date32)}) as starts
"""
# Two days per question, 100 bytes each: ranges that people choose repeat.
_MAX_DAYS_KNOWN = 10_000


Explain = Callable[[Exception], RadixError | None]


@dataclass(frozen=True, slots=True)
class QueryRows:
    """What one query returned, one mapping per row, and what reading it took."""

    rows: list[dict[str, Any]]
    read_rows: int
    read_bytes: int


class Warehouse:
    """One shared connection pool to ClickHouse, opened by the first query and again after ClickHouse was away."""

    def __init__(self, settings: ApiSettings) -> None:
        self._settings = settings
        self.breaker = Breaker("clickhouse")
        self._client: AsyncClient | None = None
        self._limits: dict[str, Any] = {}
        self._connecting = Turn()
        self.queue = FairQueue(
            settings.max_concurrent_queries,
            most_of_one=settings.project_max_concurrent_queries,
            most_waiting=settings.project_max_waiting_queries,
        )
        self._version = ""
        self._version_read_at = float("-inf")
        self._version_reading = Turn()
        self._generation = ""
        self._generation_read_at = float("-inf")
        self._generation_reading = Turn()
        self._days: dict[tuple[str, date], datetime] = {}
        self._zones: dict[int, str | None] = {}

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
                held = self._limits | dict(limits or {}) if self._limits else {}
                try:
                    async with asyncio.timeout(self._settings.query_max_seconds + 1):
                        return await scope.run_async(client, sql, dict(parameters), settings=held | _COUNTED)
                except (Error, TimeoutError, aiohttp.ClientError, OSError) as error:
                    raise (explain and explain(error)) or self._explain(error) from error

    async def data_version(self) -> str:
        """Return a token that changes whenever a modelled table or the version of ClickHouse does.

        It is believed for `data_version_seconds`. Reading it looks at ClickHouse's own list of parts, which holds no
        tenant's data and so needs no scope.
        """
        async with self._version_reading.taken():
            if time.monotonic() - self._version_read_at >= self._settings.data_version_seconds:
                version = str(await self._unscoped(_DATA_VERSION, {"database": self._settings.marts_database}))
                if version != self._version:
                    self._days.clear()
                    self._zones.clear()
                self._version = version
                self._version_read_at = time.monotonic()
            return self._version

    async def day_starts(self, days: Iterable[date], timezone: str) -> dict[date, datetime]:
        """Return the UTC instant at which each of the days begins in a zone; days from 1900 to 2299.

        Where midnight was skipped, the day begins at the transition; where it came twice, at the first of them. A day
        that the zone skipped begins where the next one does. ClickHouse says so and not Python, because it also cuts
        the buckets: the two may know different rules for one zone. Answers are kept as long as the data's version.
        """
        await self.data_version()
        wanted = set(days)
        missing = sorted(day for day in wanted if (timezone, day) not in self._days)
        found = {day: self._days[timezone, day] for day in wanted.difference(missing)}
        if missing:
            starts = await self._unscoped(_DAY_STARTS, {"timezone": timezone, "days": missing})
            found |= {day: datetime.fromtimestamp(ms / 1000, UTC) for day, ms in zip(missing, starts, strict=True)}
            if len(self._days) + len(found) > _MAX_DAYS_KNOWN:
                self._days.clear()
            self._days |= {(timezone, day): start for day, start in found.items()}
        return found

    async def rollup_zone(self, scope: ProjectScope) -> str | None:
        """Return the time zone in which the rollups cut the project's days; None where they are not as the events are.

        Before they were made, between the parts of a refresh, and where one of them could not be built. The zone is
        another one than the project's after that was changed, until the next refresh. Raises what `query` raises.
        """
        await self.data_version()
        project_id = scope.project_id
        if project_id not in self._zones:
            sql = _ROLLUP_ZONE.replace("marts.", f"{self._settings.marts_database}.")
            try:
                rows = (await self.query(scope, sql, {})).rows
            except NotModelledYetError:
                # An older version's marts: the events are there.
                rows = []
            self._zones[project_id] = rows[0]["timezone"] if rows else None
        return self._zones[project_id]

    async def generation(self) -> str:
        """Return a token that changes whenever a refresh exchanges a table of events or a rollup.

        Read after it is asked for; one look answers all who ask before it begins. Unlike the version it stays as it is
        when parts are merged or other tables change.
        """
        asked_at = time.monotonic()
        async with self._generation_reading.taken():
            if self._generation_read_at < asked_at:
                read_at = time.monotonic()
                found = str(await self._unscoped(_GENERATION, {"database": self._settings.marts_database}))
                if found != self._generation:
                    # What is believed for a second may be of the tables before.
                    self._version_read_at = float("-inf")
                    self._zones.clear()
                self._generation, self._generation_read_at = found, read_at
            return self._generation

    async def comment(self, table: str) -> str:
        """Return the comment of a table of the marts, empty where there is no such table."""
        found = await self._unscoped(_COMMENT, {"database": self._settings.marts_database, "table": table})
        return str(found)

    async def is_reachable(self) -> bool:
        """Say whether ClickHouse answers a query of this user."""
        try:
            client = await self._connected()
            async with asyncio.timeout(self._settings.connect_seconds):
                await client.command("select 1")
        except (UnavailableError, Error, TimeoutError, aiohttp.ClientError, OSError):
            return False
        return True

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def _unscoped(self, sql: str, parameters: dict[str, Any]) -> Any:
        """Return the one value of a statement that reads no tenant's data."""
        return (await self.unscoped(sql, parameters))[0][0]

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

    def _explain(self, error: Exception) -> RadixError:
        settings = self._settings
        code = error.code if isinstance(error, Error) else None
        if isinstance(error, TimeoutError) or code in _TIMEOUTS:
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
