"""The state of the modelled tables: their version, the rollups' time zone, where days begin."""

import time
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any

from api.errors import NotModelledYetError
from api.settings import ApiSettings
from api.turn import Turn
from api.warehouse import Warehouse
from core.warehouse import ProjectScope

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
    and name in (
        'fct_events',
        'fct_sessions',
        'agg_breakdowns_daily',
        'agg_events_daily',
        'agg_events_hourly',
        'agg_persons_daily',
        'agg_sessions_daily'
    )
"""

# Each rollup writes down up to which change of fct_events it is repaired.
_ROLLUP_ZONE = """
select timezone
from marts.dim_projects
where
    project_id = {project_id:UInt32}
    and (select max(run) from marts.fct_events_touched) = least(
        (select max(run) from marts.agg_breakdowns_daily_repaired),
        (select max(run) from marts.agg_events_daily_repaired),
        (select max(run) from marts.agg_events_hourly_repaired),
        (select max(run) from marts.agg_persons_daily_repaired),
        (select max(run) from marts.agg_sessions_daily_repaired)
    )
"""

_COMMENT = "select any(comment) from system.tables where database = {database:String} and name = {table:String}"

_DAY_STARTS = """
select arrayMap(day -> toUnixTimestamp64Milli(toDateTime64(day, 3, {timezone:String})), {days:Array(Date32)}) as starts
"""
# Two days per question, 100 bytes each: ranges that people choose repeat.
_MAX_DAYS_KNOWN = 10_000


class DataState:
    """What is known of the modelled tables, looked up as seldom as it may be. Raises what `Warehouse.query` raises."""

    def __init__(self, settings: ApiSettings, warehouse: Warehouse) -> None:
        self._settings = settings
        self._warehouse = warehouse
        self._version = ""
        self._version_read_at = float("-inf")
        self._version_reading = Turn()
        self._generation = ""
        self._generation_read_at = float("-inf")
        self._generation_reading = Turn()
        self._days: dict[tuple[str, date], datetime] = {}
        self._zones: dict[int, str | None] = {}

    async def version(self) -> str:
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
        await self.version()
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
        await self.version()
        project_id = scope.project_id
        if project_id not in self._zones:
            sql = _ROLLUP_ZONE.replace("marts.", f"{self._settings.marts_database}.")
            try:
                rows = (await self._warehouse.query(scope, sql, {})).rows
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

    async def believed_generation(self) -> str:
        """Return the generation as it was `data_version_seconds` ago at most.

        An answer that reads several tables compares it with `generation` when it has read them: an exchange in between
        is then seen as well as one that happens meanwhile.
        """
        if time.monotonic() - self._generation_read_at < self._settings.data_version_seconds:
            return self._generation
        return await self.generation()

    async def comment(self, table: str) -> str:
        """Return the comment of a table of the marts, empty where there is no such table."""
        found = await self._unscoped(_COMMENT, {"database": self._settings.marts_database, "table": table})
        return str(found)

    async def _unscoped(self, sql: str, parameters: dict[str, Any]) -> Any:
        """Return the one value of a statement that reads no tenant's data."""
        return (await self._warehouse.unscoped(sql, parameters))[0][0]
