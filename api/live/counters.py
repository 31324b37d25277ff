"""Live counters: what happened in the last minutes, from the landing table."""

import time
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from api.live.schemas import Counters
from api.settings import ApiSettings
from api.turn import Turn
from api.warehouse import Warehouse
from core.clock import utc_now
from core.warehouse import ProjectScope

_SPAN = timedelta(minutes=30)
_RECENT = timedelta(minutes=5)
_MOST_EXACT = 1_000_000
# So that a large project does not keep ClickHouse busy: at most this part of the time is spent on counting it.
_MOST_OF_THE_TIME = 0.1
# Of so many projects it is remembered what was counted.
_MOST_KNOWN = 1_000

_DELIVERIES = """
select count() as deliveries
from {landing}.events
where
    project_id = {project_id:UInt32}
    and received_at >= toDateTime64({since:String}, 3, 'UTC')
"""

# A row per event, the one that was received first; what happened in the span was received in it. An id that is a user's
# and one that is a device's are two, even if they read the same.
_EXACT = """
with
    toDateTime64({since:String}, 3, 'UTC') as since,
    toDateTime64({recent:String}, 3, 'UTC') as recent,
    toDateTime64({until:String}, 3, 'UTC') as until,
    firsts as (
        select
            min((received_at, sequence, timestamp, user_id != '', if(user_id != '', user_id, anonymous_id))) as first
        from {landing}.events
        where project_id = {project_id:UInt32} and received_at >= since and protocol != 'canary'
        group by message_id
    )
select
    uniqExactIf((first.4, first.5), first.3 >= recent) as active_5_minutes,
    uniqExact((first.4, first.5)) as active_30_minutes,
    countResample(0, 30, 1)(dateDiff('millisecond', since, first.3) div 60000) as events_per_minute
from firsts
where first.3 >= since and first.3 < until
"""

_APPROXIMATE = """
with
    toDateTime64({since:String}, 3, 'UTC') as since,
    toDateTime64({recent:String}, 3, 'UTC') as recent,
    toDateTime64({until:String}, 3, 'UTC') as until,
    (user_id != '', if(user_id != '', user_id, anonymous_id)) as id
select
    uniqCombined64If(17)(id, timestamp >= recent) as active_5_minutes,
    uniqCombined64(17)(id) as active_30_minutes,
    uniqCombined64Resample(0, 30, 1)(message_id, dateDiff('millisecond', since, timestamp) div 60000)
        as events_per_minute
from {landing}.events
where
    project_id = {project_id:UInt32}
    and received_at >= since
    and timestamp >= since
    and timestamp < until
    and protocol != 'canary'
"""


@dataclass(slots=True)
class _Known:
    turn: Turn = field(default_factory=Turn)
    counters: Counters | None = None
    stale_at: float = float("-inf")


class LiveCounters:
    """Counts a project at most every few seconds, however many ask."""

    def __init__(self, settings: ApiSettings, warehouse: Warehouse) -> None:
        self._settings = settings
        self._warehouse = warehouse
        self._known: defaultdict[int, _Known] = defaultdict(_Known)

    async def read(self, project_id: int) -> Counters:
        """Return the counters; raises what `Warehouse.query` raises."""
        if len(self._known) > _MOST_KNOWN:
            self._known.clear()
        known = self._known[project_id]
        async with known.turn.taken():
            began = time.monotonic()
            if known.counters is None or began >= known.stale_at:
                known.counters = await self._count(ProjectScope(project_id))
                took = time.monotonic() - began
                known.stale_at = began + max(self._settings.live_counters_seconds, took / _MOST_OF_THE_TIME)
            return known.counters

    async def _count(self, scope: ProjectScope) -> Counters:
        until = utc_now()
        bounds = {
            "since": _text(until - _SPAN),
            "recent": _text(until - _RECENT),
            "until": _text(until),
        }
        # Of one that hangs it is known in seconds, and not when a query has run too long.
        with self._warehouse.breaker.passed():
            await self._warehouse.demand_sign_of_life()
        counted = await self._warehouse.query(scope, self._of_landing(_DELIVERIES), {"since": bounds["since"]})
        is_exact = counted.rows[0]["deliveries"] <= _MOST_EXACT
        sql = self._of_landing(_EXACT if is_exact else _APPROXIMATE)
        row: dict[str, Any] = (await self._warehouse.query(scope, sql, bounds)).rows[0]
        per_minute = [int(events) for events in row["events_per_minute"]]
        return Counters(
            until=until,
            active_5_minutes=row["active_5_minutes"],
            active_30_minutes=row["active_30_minutes"],
            events_last_minute=per_minute[-1],
            events_per_minute=per_minute,
            counted="distinct_ids",
            is_exact=is_exact,
        )

    def _of_landing(self, sql: str) -> str:
        return sql.replace("{landing}", self._settings.landing_database)


def _text(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
