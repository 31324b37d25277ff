"""Events that landed and that no refresh has modelled yet: how many there are, and how an answer takes them in."""

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from api.errors import NotModelledYetError
from api.insights.macros import InsightMacros
from api.insights.moments import literal
from api.settings import ApiSettings
from api.turn import Turn
from api.warehouse import Warehouse
from core.warehouse import ProjectScope

_PROJECT = "{project_id:UInt32}"
_TIMEZONE = "{timezone:String}"

# They are sent with each statement. Where a client repeats more than these with other times, the next refresh tells.
_MOST_REPEATED = 1_000


@dataclass(frozen=True, slots=True)
class Unmodelled:
    """The events of a project that were inserted in [since, until), UTC, and are not in fct_events."""

    since: datetime
    until: datetime
    events: int
    received_until: datetime
    """When the newest of them was received, UTC."""
    repeated: tuple[str, ...]
    """Message ids that landed in this span and are modelled by another delivery."""

    def parameters(self) -> dict[str, Any]:
        """Return the values that a statement over them binds."""
        bounds = {"landed_since": literal(self.since), "landed_until": literal(self.until)}
        return bounds | {"repeated": list(self.repeated)}


class UnmodelledSql:
    """Relations of modelled events and of those that are not yet."""

    def __init__(self, macros: InsightMacros, settings: ApiSettings) -> None:
        self._macros = macros
        marts, intermediate = settings.marts_database, settings.intermediate_database
        self._facts = f"{marts}.fct_events"
        self.landing = f"{settings.landing_database}.events"
        self._ids = f"{settings.staging_database}.stg_collector__events_ids"
        self._span = {
            "project": _PROJECT,
            "since": "{landed_since:DateTime64(3, 'UTC')}",
            "until": "{landed_until:DateTime64(3, 'UTC')}",
            "landing": self.landing,
            "facts": self._facts,
        }
        self._persons = {
            "merged_users": f"{intermediate}.int_users_merged",
            "linked_devices": f"{intermediate}.int_devices_linked",
            "numbered_persons": f"{intermediate}.int_persons_numbered",
        }

    def counted(self) -> str:
        """Rows: events, received_until (null without any). One row."""
        return (
            f"select\n    count() as events,\n    maxOrNull(received_at) as received_until\nfrom (\n{self._events()}\n)"
        )

    def repeated(self) -> str:
        """Rows: message_id of events that landed again and tell something else than what is modelled."""
        return self._macros.render("repeated_deliveries", ids=self._ids, **self._span)

    def events(self) -> str:
        """Return the relation of all events."""
        return self._macros.render("all_events", facts=self._facts, project=_PROJECT, unmodelled=self._events())

    def rollup(self, table: str, moment: str, *, has_events: bool) -> str:
        """Return the relation of a rollup with these events in it; `moment` is event_date or hour_at."""
        return self._macros.render(
            "all_of_rollup",
            rollup=table,
            project=_PROJECT,
            unmodelled=self._events(),
            timezone=_TIMEZONE,
            moment=moment,
            has_events=has_events,
        )

    def _events(self) -> str:
        return self._macros.render(
            "unmodelled_events", timezone=_TIMEZONE, repeated="{repeated:Array(String)}", **self._span, **self._persons
        )


class UnmodelledEvents:
    """Tells how many events of a project are not modelled yet."""

    def __init__(self, settings: ApiSettings, warehouse: Warehouse, sql: UnmodelledSql) -> None:
        self._settings = settings
        self._warehouse = warehouse
        self._sql = sql
        self._known: dict[tuple[int, str], Unmodelled | None] = {}
        self._known_version = ""
        self._known_since = float("-inf")
        self._counting = Turn()

    async def find(self, project_id: int, timezone: str) -> Unmodelled | None:
        """Return them, or None when all that landed is modelled. Raises what `Warehouse.query` raises.

        Looked up anew with every version of the modelled data, and every `landing_seconds`.
        """
        async with self._counting.taken():
            version = await self._warehouse.data_version()
            age_s = time.monotonic() - self._known_since
            if version != self._known_version or age_s >= self._settings.landing_seconds:
                self._known.clear()
                self._known_version = version
                self._known_since = time.monotonic()
            if (project_id, timezone) not in self._known:
                self._known[project_id, timezone] = await self._count(project_id, timezone)
            return self._known[project_id, timezone]

    async def _count(self, project_id: int, timezone: str) -> Unmodelled | None:
        span = await self._warehouse.landing_span()
        if span is None:
            return None
        scope, (since, until) = ProjectScope(project_id), span
        bounds = {"landed_since": literal(since), "landed_until": literal(until)}
        try:
            found = (await self._warehouse.query(scope, self._sql.repeated(), bounds)).rows
            if len(found) > _MOST_REPEATED:
                return None
            repeated = tuple(row["message_id"] for row in found)
            parameters = bounds | {"repeated": list(repeated), "timezone": timezone}
            counted = (await self._warehouse.query(scope, self._sql.counted(), parameters)).rows[0]
        except NotModelledYetError:
            # An older version's models keep no ids.
            return None
        return (
            Unmodelled(since, until, counted["events"], counted["received_until"], repeated)
            if counted["events"]
            else None
        )
