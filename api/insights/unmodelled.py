"""Events that landed and that no refresh has modelled yet: how many there are, and how an answer takes them in."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import structlog

from api.errors import NotModelledYetError, QueryFailedError, QueryTimeoutError, QueryTooLargeError
from api.insights.unmodelled_sql import ChangedSessions, Unmodelled, UnmodelledSql, bounds_of, with_events
from api.settings import ApiSettings
from api.turn import Turn
from api.warehouse import Warehouse
from core.warehouse import ProjectScope

_logger = structlog.get_logger()

_FAILURES = (QueryFailedError, QueryTimeoutError, QueryTooLargeError)

# They are sent with each statement. Where a client repeats more than these with other times, the next refresh tells.
_MOST_REPEATED = 1_000
# Of the minute in which the refresh looked most deliveries are modelled. Where more landed than this many times as many
# as may be listed, it is not tried.
_MOST_MODELLED = 20
# In one parameter of a request: ClickHouse takes 128 KiB of each, and quotes double what they stand before.
_MOST_BYTES = 60_000
MOST_SESSIONS = 3_000
"""So many may change, each with an event that landed: each is a value of some 20 characters in one parameter."""
# Of so many projects it is remembered what was found, up to 600 kB each; then all is looked up anew.
_MOST_KNOWN = 1_000


@dataclass(slots=True)
class _Known:
    """What was found last, and of which state of the tables."""

    turn: Turn = field(default_factory=Turn)
    generation: str = ""
    looked_at: float = float("-inf")
    landed: Unmodelled | None = None
    found: Unmodelled | None = None
    is_long: bool = False
    """There were too many to list, and there are only more of them until the next refresh."""
    changed_of: tuple[str, Unmodelled | None] | None = None
    """For which state of the tables and which events it is known which sessions change."""
    changed: ChangedSessions | None = None
    changed_at: float = float("-inf")


class UnmodelledEvents:
    """Tells how many events of a project are not modelled yet."""

    def __init__(self, settings: ApiSettings, warehouse: Warehouse, sql: UnmodelledSql) -> None:
        self._settings = settings
        self._warehouse = warehouse
        self._sql = sql
        self._known: defaultdict[tuple[int, str], _Known] = defaultdict(_Known)

    async def find(self, project_id: int, timezone: str, generation: str) -> Unmodelled | None:
        """Return them, or None when all that landed is modelled. Raises `UnavailableError`.

        Looked up anew with every `generation` of the tables and every `landing_seconds`.
        """
        if len(self._known) > _MOST_KNOWN:
            self._known.clear()
        known = self._known[project_id, timezone]
        async with known.turn.taken():
            is_other = generation != known.generation
            if is_other or time.monotonic() - known.looked_at >= self._settings.landing_seconds:
                known.is_long = known.is_long and not is_other
                landed = await self._landed(project_id)
                # The same answers come from the cache until something lands.
                if is_other or landed != known.landed:
                    known.found = landed and await self._count(project_id, timezone, landed, known)
                known.generation, known.landed, known.looked_at = generation, landed, time.monotonic()
            return known.found

    async def changed_sessions(
        self, project_id: int, timezone: str, generation: str, found: Unmodelled | None
    ) -> ChangedSessions | None:
        """Return which sessions change with what `find` found; None where that cannot be told, or is too many.

        With them are those that a refresh under way has not made anew yet. Raises `UnavailableError`.
        """
        known = self._known[project_id, timezone]
        async with known.turn.taken():
            is_old = time.monotonic() - known.changed_at >= self._settings.landing_seconds
            # Where it could not be told it is tried again.
            if known.changed_of != (generation, found) or (known.changed is None and is_old):
                known.changed = await self._look_at_sessions(project_id, timezone, found)
                known.changed_of, known.changed_at = (generation, found), time.monotonic()
            return known.changed

    async def are_as_changed(self, project_id: int, timezone: str, changed: ChangedSessions) -> bool:
        """Say whether nobody has got a number since the sessions were looked at; else the next look is anew."""
        answer = await self._warehouse.query(ProjectScope(project_id), self._sql.numbered(), {})
        is_same = answer.rows[0]["numbered"] == changed.numbered
        if not is_same:
            self._known[project_id, timezone].changed_of = None
        return is_same

    async def is_as_found(self, project_id: int, timezone: str, found: Unmodelled) -> bool:
        """Say whether no delivery of the span has become visible or gone since; if one has, the next look is anew."""
        bounds = bounds_of(found.since, found.until)
        answer = await self._warehouse.query(ProjectScope(project_id), self._sql.landed(), bounds)
        is_same = answer.rows[0]["deliveries"] == found.deliveries
        if not is_same:
            self._known[project_id, timezone].looked_at = float("-inf")
        return is_same

    async def _look_at_sessions(
        self, project_id: int, timezone: str, found: Unmodelled | None
    ) -> ChangedSessions | None:
        if found is not None and (found.events is None or found.events > MOST_SESSIONS):
            return None
        sql = self._sql.changed_sessions(found)
        known = (found.parameters() if found else {}) | {"timezone": timezone, "most": MOST_SESSIONS + 1}
        bound = {name: value for name, value in known.items() if f"{{{name}:" in sql}
        try:
            row = (await self._warehouse.query(ProjectScope(project_id), sql, bound)).rows[0]
        except NotModelledYetError:
            return None
        except _FAILURES as error:
            _logger.warning("sessions_not_looked_at", project_id=project_id, code=error.code)
            return None
        is_many = any(len(row[name]) > MOST_SESSIONS for name in ("anew", "replaced", "start_ms"))
        return ChangedSessions.of(row) if row["is_known"] and not is_many else None

    async def _landed(self, project_id: int) -> Unmodelled | None:
        scope, until = ProjectScope(project_id), datetime.now(UTC)
        try:
            span = (await self._warehouse.query(scope, self._sql.span, {})).rows[0]
            if span["since"] is None:
                return None
            since, until = span["since"], span["until"]
            row = (await self._warehouse.query(scope, self._sql.landed(), bounds_of(since, until))).rows[0]
        except NotModelledYetError:
            # Before the first refresh, and of an older version's.
            return None
        except _FAILURES as error:
            _logger.warning("landing_not_looked_at", project_id=project_id, code=error.code)
            return Unmodelled(until, until, 0)
        if not row["deliveries"]:
            return None
        return Unmodelled(since, row["inserted_until"], row["deliveries"], bool(row["has_identifies"]))

    async def _count(self, project_id: int, timezone: str, landed: Unmodelled, known: _Known) -> Unmodelled | None:
        if not 0 < landed.deliveries <= self._settings.landing_max_events:
            return landed
        try:
            return await self._look_up(ProjectScope(project_id), timezone, landed, known)
        except NotModelledYetError:
            # An older version's models keep no ids.
            return None
        except _FAILURES as error:
            _logger.warning("unmodelled_events_not_counted", project_id=project_id, code=error.code)
            return landed

    async def _look_up(
        self, scope: ProjectScope, timezone: str, landed: Unmodelled, known: _Known
    ) -> Unmodelled | None:
        repeats, merges = await asyncio.gather(
            self._warehouse.query(scope, self._sql.repeated(), landed.parameters()),
            self._warehouse.query(scope, self._sql.merges(), landed.parameters()),
        )
        if len(repeats.rows) > _MOST_REPEATED:
            return landed
        repeated = tuple(row["message_id"] for row in repeats.rows)
        landed = replace(landed, repeated=repeated, has_merges=bool(merges.rows[0]["has_merges"]))
        unknown, found = await asyncio.gather(
            self._warehouse.query(scope, self._sql.unknown(), landed.parameters()),
            self._events(scope, timezone, landed, known),
        )
        return found and replace(found, **{name: bool(value) for name, value in unknown.rows[0].items()})

    async def _events(self, scope: ProjectScope, timezone: str, landed: Unmodelled, known: _Known) -> Unmodelled | None:
        parameters = landed.parameters() | {"timezone": timezone}
        most = self._settings.landing_listed_events
        if not known.is_long and landed.deliveries <= most * _MOST_MODELLED:
            bound = parameters | {"most": most + 1}
            events = (await self._warehouse.query(scope, self._sql.listed(landed), bound)).rows
            if len(events) <= most and _is_short(events):
                return with_events(landed, events)
            known.is_long = True
        counted = (await self._warehouse.query(scope, self._sql.counted(landed), parameters)).rows[0]
        if counted["events"] == 0:
            return None
        return replace(landed, events=counted["events"], received_until=counted["received_until"])


def _is_short(events: Sequence[Mapping[str, Any]]) -> bool:
    texts = ("message_id", "event")
    return all(sum(len(event[name].encode()) for event in events) <= _MOST_BYTES for name in texts)
