"""What is asked about events that landed and that no refresh has modelled yet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from api.insights.macros import InsightMacros
from api.insights.moments import literal
from api.settings import ApiSettings

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
_FOUND = {name: f"{{found_{name}:Array({kind})}}" for name, kind in _LISTED.items()}
"""For each of these columns, the parameter that holds its values of all listed events."""
CONTENT = frozenset({
    "properties", "group_type", "group_id", "library", "page_host", "page_path", "page_query", "page_title", "referrer",
    "referrer_host", "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "locale", "device_timezone",
})  # fmt: skip
"""The columns of fct_events that follow from a delivery alone; others are looked up when events are modelled."""

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
        bounds = bounds_of(self.since, self.until)
        if self.listed:
            columns = zip(*self.listed, strict=True)
            return bounds | {f"found_{name}": list(values) for name, values in zip(_LISTED, columns, strict=True)}
        return bounds | {"repeated": list(self.repeated)}


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

    def events(self, found: Unmodelled, content: list[str]) -> str:
        """Return the relation of all events, with what names, persons and instants take, and these of `CONTENT`."""
        unmodelled = self._events(found)
        if content:
            brought = _FOUND if found.listed else None
            unmodelled = self._macros.render(
                "events_with_content", events=unmodelled, columns=content, found=brought, **self._landing
            )
        return self._macros.render(
            "all_events", facts=self._facts, project=_PROJECT, unmodelled=unmodelled, content=content
        )

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
            return self._macros.render("found_events", project=_PROJECT, timezone=_TIMEZONE, found=_FOUND)
        return self._macros.render(
            "unmodelled_events",
            timezone=_TIMEZONE,
            repeated="{repeated:Array(String)}",
            has_identifies=found.has_identifies,
            has_merges=found.has_merges,
            **self._span,
            **self._persons,
        )


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


def bounds_of(since: datetime, until: datetime) -> dict[str, Any]:
    """Return the values by which a statement knows the span of landing."""
    return {"landed_since": literal(since), "landed_until": literal(until)}
