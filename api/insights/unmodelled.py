"""Events that landed and that no refresh has modelled yet: how many there are, and how an answer takes them in."""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import structlog

from api.errors import NotModelledYetError, QueryFailedError, QueryTimeoutError, QueryTooLargeError
from api.insights.macros import InsightMacros
from api.insights.moments import literal
from api.settings import ApiSettings
from api.turn import Turn
from api.warehouse import Warehouse
from core.warehouse import ProjectScope

_logger = structlog.get_logger()

_FAILURES = (QueryFailedError, QueryTimeoutError, QueryTooLargeError)

_PROJECT = "{project_id:UInt32}"
_TIMEZONE = "{timezone:String}"
_LISTED = {
    "message_id": "String",
    "type": "String",
    "event": "String",
    "timestamp": "DateTime64(3, 'UTC')",
    "received_at": "DateTime64(3, 'UTC')",
    "sequence": "UInt32",
    "person_number": "UInt32",
}

# They are sent with each statement. Where a client repeats more than these with other times, the next refresh tells.
_MOST_REPEATED = 1_000
# Of the minute in which the refresh looked most deliveries are modelled. Where more landed than this many times as many
# as may be listed, it is not tried.
_MOST_MODELLED = 20


# In one parameter of a request: ClickHouse takes 128 KiB of each, and quotes double what they stand before.
_MOST_BYTES = 60_000
_MOST_KNOWN = 1_000

# The refresh says how many deliveries of the last minutes it has seen: an insert may become visible late. One of the
# last seconds may still be under way: two looks by one statement must see the same.
_SPAN = """
with
    settled as (
        select
            project_id,
            inserted_minute,
            landed
        from marts.fct_events_settled_minutes
    )

select
    minOrNull(toDateTime64(inserted_minute, 3, 'UTC')) as since,
    now64(3, 'UTC') - toIntervalSecond(2) as until
from (
    select inserted_minute
    from (
        select
            toStartOfMinute(inserted_at) as inserted_minute,
            toInt64(count()) as landed
        from raw.events
        where
            project_id = {project_id:UInt32}
            and inserted_at >= (
                select toDateTime64(max(inserted_minute), 3, 'UTC') - toIntervalMinute(9)
                from settled
            )
        group by inserted_minute
        union all
        select
            inserted_minute,
            -toInt64(landed) as landed
        from settled
        where project_id = {project_id:UInt32}
    ) as minutes
    group by inserted_minute
    having sum(landed) != 0
) as others
"""


@dataclass(frozen=True, slots=True)
class Unmodelled:
    """The events of a project that were inserted in [since, until), UTC, and are not in fct_events."""

    since: datetime
    until: datetime
    deliveries: int
    """How many deliveries the span has, of modelled events too."""
    has_identifies: bool = True
    has_merges: bool = True
    """Whether devices may be linked in this span; whether users in it were merged into others."""
    events: int | None = None
    """None where they could not be counted; then no answer takes them in."""
    received_until: datetime | None = None
    """When the newest of them was received, UTC."""
    repeated: tuple[str, ...] = ()
    """Message ids that landed in this span and are modelled by another delivery."""
    listed: tuple[tuple[str | int, ...], ...] = ()
    """The events, where they are few enough for a statement to bring them along: `_LISTED` says what of each."""

    def parameters(self) -> dict[str, Any]:
        """Return the values that a statement over them binds."""
        if self.listed:
            columns = zip(*self.listed, strict=True)
            return {f"found_{name}": list(values) for name, values in zip(_LISTED, columns, strict=True)}
        return _bounds(self.since, self.until) | {"repeated": list(self.repeated)}


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


class UnmodelledSql:
    """Relations of modelled events and of those that are not yet."""

    def __init__(self, macros: InsightMacros, settings: ApiSettings) -> None:
        self._macros = macros
        marts, intermediate = settings.marts_database, settings.intermediate_database
        self._facts = f"{marts}.fct_events"
        self.landing = f"{settings.landing_database}.events"
        self.span = _SPAN.replace("marts.", f"{marts}.").replace("raw.", f"{settings.landing_database}.")
        self._ids = f"{settings.staging_database}.stg_collector__events_ids"
        self._landing = {
            "project": _PROJECT,
            "since": "{landed_since:DateTime64(3, 'UTC')}",
            "until": "{landed_until:DateTime64(3, 'UTC')}",
            "landing": self.landing,
        }
        self._span = self._landing | {"facts": self._facts}
        self._persons = {
            "merged_users": f"{intermediate}.int_users_merged",
            "linked_devices": f"{intermediate}.int_devices_linked",
            "numbered_persons": f"{intermediate}.int_persons_numbered",
        }

    def landed(self) -> str:
        """Rows: deliveries, inserted_until, has_identifies. One row."""
        return self._macros.render("landed_in_span", **self._landing)

    def merges(self) -> str:
        """Rows: has_merges. One row."""
        merged_users = self._persons["merged_users"]
        return self._macros.render("merges_in_span", merged_users=merged_users, **self._landing)

    def counted(self, landed: Unmodelled) -> str:
        """Rows: events, received_until (null without any). One row."""
        events = self._events(landed)
        return f"select\n    count() as events,\n    maxOrNull(received_at) as received_until\nfrom (\n{events}\n)"

    def listed(self, landed: Unmodelled) -> str:
        """Rows: the columns of `_LISTED`, one per event; `{most:UInt64}` of them."""
        events, columns = self._events(landed), ", ".join(_LISTED)
        return f"select {columns}\nfrom (\n{events}\n)\nlimit {{most:UInt64}}"

    def repeated(self) -> str:
        """Rows: message_id of events that landed again and tell something else than what is modelled."""
        return self._macros.render("repeated_deliveries", ids=self._ids, **self._span)

    def events(self, found: Unmodelled) -> str:
        """Return the relation of all events."""
        return self._macros.render("all_events", facts=self._facts, project=_PROJECT, unmodelled=self._events(found))

    def rollup(self, found: Unmodelled, table: str, moment: str, *, has_events: bool) -> str:
        """Return the relation of a rollup with these events in it; `moment` is event_date or hour_at."""
        return self._macros.render(
            "all_of_rollup",
            rollup=table,
            project=_PROJECT,
            unmodelled=self._events(found),
            timezone=_TIMEZONE,
            moment=moment,
            has_events=has_events,
        )

    def _events(self, found: Unmodelled) -> str:
        if found.listed:
            listed = {name: f"{{found_{name}:Array({kind})}}" for name, kind in _LISTED.items()}
            return self._macros.render("found_events", project=_PROJECT, timezone=_TIMEZONE, found=listed)
        return self._macros.render(
            "unmodelled_events",
            timezone=_TIMEZONE,
            repeated="{repeated:Array(String)}",
            has_identifies=found.has_identifies,
            has_merges=found.has_merges,
            **self._span,
            **self._persons,
        )


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

    async def is_as_found(self, project_id: int, timezone: str, found: Unmodelled) -> bool:
        """Say whether no delivery of the span has become visible or gone since; if one has, the next look is anew.

        To a statement that brings the events along it makes no difference.
        """
        if found.listed:
            return True
        bounds = _bounds(found.since, found.until)
        answer = await self._warehouse.query(ProjectScope(project_id), self._sql.landed(), bounds)
        is_same = answer.rows[0]["deliveries"] == found.deliveries
        if not is_same:
            self._known[project_id, timezone].looked_at = float("-inf")
        return is_same

    async def _landed(self, project_id: int) -> Unmodelled | None:
        scope, until = ProjectScope(project_id), datetime.now(UTC)
        try:
            span = (await self._warehouse.query(scope, self._sql.span, {})).rows[0]
            if span["since"] is None:
                return None
            since, until = span["since"], span["until"]
            row = (await self._warehouse.query(scope, self._sql.landed(), _bounds(since, until))).rows[0]
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
        repeats = (await self._warehouse.query(scope, self._sql.repeated(), landed.parameters())).rows
        if len(repeats) > _MOST_REPEATED:
            return landed
        merges = (await self._warehouse.query(scope, self._sql.merges(), landed.parameters())).rows[0]
        repeated = tuple(row["message_id"] for row in repeats)
        landed = replace(landed, repeated=repeated, has_merges=bool(merges["has_merges"]))
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


def with_events(landed: Unmodelled, events: Sequence[Mapping[str, Any]]) -> Unmodelled | None:
    """Return what landed with its events, rows of `UnmodelledSql.listed`; None without any."""
    if not events:
        return None
    listed = (
        tuple(literal(value) if isinstance(value, datetime) else value for value in event.values()) for event in events
    )
    # The order in which they came would make other answers of the same events.
    return replace(
        landed,
        events=len(events),
        received_until=max(event["received_at"] for event in events),
        listed=tuple(sorted(listed)),
    )


def _bounds(since: datetime, until: datetime) -> dict[str, Any]:
    return {"landed_since": literal(since), "landed_until": literal(until)}
