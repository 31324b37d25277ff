"""What is asked about events that landed and that no refresh has modelled yet."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from api.insights.macros import InsightMacros
from api.insights.moments import literal
from api.settings import ApiSettings

_PROJECT = "{project_id:UInt32}"
_TIMEZONE = "{timezone:String}"
_REPEATED = "{repeated:Array(String)}"
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
_BY_AGENT = frozenset({"browser", "browser_version", "os", "os_version", "device_type", "device_brand"})
# The country of an address that no refresh has looked up yet is what the collector found, in the file that it read when
# it started.
_BY_ADDRESS = frozenset({"region", "city"})
CONTENT = _BY_AGENT | _BY_ADDRESS | {
    "properties", "group_type", "group_id", "library", "page_host", "page_path", "page_query", "page_title", "referrer",
    "referrer_host", "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "locale", "device_timezone",
    "country", "referrer_type", "referrer_name", "channel",
}  # fmt: skip
"""The columns of fct_events that follow from a delivery, and from what is known of its user agent and its address."""
TRAITS = "person_traits"
"""What is asked for like a column of events: the current traits of their persons."""

_CHANGED = {
    "anew": "Array(UInt64)",
    "replaced": "Array(UInt64)",
    "start_persons": "Array(UInt32)",
    "start_ms": "Array(Int64)",
    "from_at": "DateTime64(3, 'UTC')",
    "to_at": "DateTime64(3, 'UTC')",
}
_OF_PAGES = frozenset({"page_host", "page_path"})
_CHANGES = {name: f"{{sessions_{name}:{kind}}}" for name, kind in _CHANGED.items()}
"""For each column of `changed_sessions`, the parameter that hands it to a statement."""

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
class ChangedSessions:
    """Sessions of a project that are others than in fct_sessions: `changed_sessions` says what of them."""

    anew: Sequence[int]
    replaced: Sequence[int]
    start_persons: Sequence[int]
    start_ms: Sequence[int]
    from_at: datetime
    to_at: datetime
    numbered: int
    """How many persons had numbers: events that are looked up again may be of others when there are more."""

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "ChangedSessions":
        """Return what a row of `UnmodelledSql.changed_sessions` says."""
        return cls(**{name: row[name] for name in _CHANGED}, numbered=row["numbered"])

    @property
    def has_any(self) -> bool:
        """Say whether there are any."""
        return bool(self.anew or self.replaced or self.start_ms)

    def parameters(self) -> dict[str, Any]:
        """Return the values that a statement over them binds."""
        values = {name: getattr(self, name) for name in _CHANGED}
        return {
            f"sessions_{name}": literal(value) if isinstance(value, datetime) else value
            for name, value in values.items()
        }


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
    has_unknown_agents: bool = True
    has_unknown_addresses: bool = True
    """Whether deliveries in it have user agents, and addresses, that no refresh has looked up yet."""
    has_new_traits: bool = True
    """Whether they may change the traits of persons."""
    repeated: tuple[str, ...] = ()
    """Message ids that landed in this span and are modelled by another delivery."""
    listed: tuple[tuple[str | int, ...], ...] = ()
    """The events, where they are few enough for a statement to bring them along: `_LISTED` says what of each."""

    def tells(self, columns: AbstractSet[str]) -> bool:
        """Say whether these columns of fct_events are known of them as the next refresh makes them."""
        return (
            columns <= CONTENT | {TRAITS}
            and not (self.has_new_traits and TRAITS in columns)
            and not (self.has_unknown_agents and columns & _BY_AGENT)
            and not (self.has_unknown_addresses and columns & _BY_ADDRESS)
        )

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
        self._sessions = f"{marts}.fct_sessions"
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
        self._lookups = {
            "agents": f"{intermediate}.int_user_agents_latest",
            "addresses": f"{intermediate}.int_addresses_latest",
        }
        self._listed_sources = f"{intermediate}.traffic_sources"
        self._of_sessions = {
            "facts": self._facts,
            "touched": f"{self._facts}_touched",
            "repaired": f"{self._sessions}_repaired",
            "sdk_sessions": f"{intermediate}.int_sdk_sessions",
            "projects": f"{settings.staging_database}.stg_collector__projects",
            "numbered_persons": f"{intermediate}.int_persons_numbered",
        }
        self._session_rollup = f"{marts}.agg_sessions_daily"
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

    def unknown(self) -> str:
        """Rows: has_unknown_agents, has_unknown_addresses, has_new_traits. One row."""
        return self._macros.render("unknown_in_span", repeated=_REPEATED, **self._lookups, **self._span)

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

    def changed_sessions(self, found: Unmodelled | None) -> str:
        """Rows: the fields of `ChangedSessions`, is_known. One row; of those behind at most `{most:UInt64}`."""
        events = None if found is None else self._with_content(found, ["sdk_session_key"])
        return self._macros.render(
            "changed_sessions", project=_PROJECT, events=events, most="{most:UInt64}", **self._of_sessions
        )

    def numbered(self) -> str:
        """Rows: numbered, as in `ChangedSessions`. One row."""
        persons = self._persons["numbered_persons"]
        return f"select count() as numbered\nfrom {persons}\nwhere project_id = {_PROJECT}"

    def events(self, found: Unmodelled, content: list[str]) -> str:
        """Return the relation of all events, with what names, persons and instants take, and these of `CONTENT`."""
        unmodelled = self._with_content(found, content) if content else self._events(found)
        return self._macros.render(
            "all_events", facts=self._facts, project=_PROJECT, unmodelled=unmodelled, content=content
        )

    def events_with_sessions(self, found: Unmodelled | None, content: list[str], *, only_changed: bool = False) -> str:
        """Return the relation of all events, or of those in changed sessions, with their sessions and these columns."""
        unmodelled = None if found is None else self._with_content(found, [*content, "sdk_session_key"])
        return self._macros.render(
            "events_with_sessions",
            facts=self._facts,
            project=_PROJECT,
            unmodelled=unmodelled,
            content=content,
            changed=_CHANGES,
            only_changed=only_changed,
        )

    def sessions(self, found: Unmodelled | None, content: list[str]) -> str:
        """Return the relation of all sessions, with what these columns of their events tell, pages among them."""
        return self._macros.render(
            "all_sessions",
            sessions=self._sessions,
            project=_PROJECT,
            events=self.events_with_sessions(found, content, only_changed=True),
            of_entry=[column for column in content if column not in _OF_PAGES],
            changed=_CHANGES,
        )

    def session_rollup(self, found: Unmodelled | None, dimension: str | None) -> str:
        """Return the relation of the rollup of sessions by day, with one of its dimensions or none."""
        return self._macros.render(
            "all_of_session_rollup",
            rollup=self._session_rollup,
            project=_PROJECT,
            sessions=self.sessions(found, ["page_host", "page_path", *([dimension] if dimension else [])]),
            timezone=_TIMEZONE,
            changed=_CHANGES,
            dimension=dimension,
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

    def _with_content(self, found: Unmodelled, content: list[str]) -> str:
        return self._macros.render(
            "events_with_content",
            events=self._events(found),
            columns=content,
            found=_FOUND if found.listed else None,
            listed=self._listed_sources,
            **self._lookups,
            **self._landing,
        )

    def _events(self, found: Unmodelled) -> str:
        if found.listed:
            return self._macros.render("found_events", project=_PROJECT, timezone=_TIMEZONE, found=_FOUND)
        return self._macros.render(
            "unmodelled_events",
            timezone=_TIMEZONE,
            repeated=_REPEATED,
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
