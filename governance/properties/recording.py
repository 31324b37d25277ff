"""Reads and writes what is known about properties, in ClickHouse."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from clickhouse_connect.driver.client import Client

from core.warehouse.json_paths import PARAMETERS, paths_query
from governance.properties.changes import Change, Event, Known, Property
from governance.properties.windows import Window

_NOW = "select now64(3, 'UTC')"
# One row, of no project, says how far the look has come.
_PROGRESS = "select count(), max(last_seen_at) from {governance:Identifier}.event_properties where project_id = 0"
_SEEN = paths_query("""
    select project_id, event, type, properties, traits, inserted_at
    from {landing:Identifier}.events
    where
        inserted_at >= {from:DateTime64(3, 'UTC')}
        and inserted_at < {until:DateTime64(3, 'UTC')}
        and protocol != 'canary'
""")
_KNOWN = """
select
    project_id,
    event,
    property,
    groupUniqArrayArray(types) as types,
    min(first_seen_at) as first_seen_at,
    max(last_seen_at) as last_seen_at,
    sum(deliveries) as deliveries
from {governance:Identifier}.event_properties
where (project_id, event) in (
    select distinct project_id, event
    from {landing:Identifier}.events
    where inserted_at >= {from:DateTime64(3, 'UTC')} and inserted_at < {until:DateTime64(3, 'UTC')}
)
group by project_id, event, property
"""
_PROJECTS = """
select project_id, min(first_seen_at)
from {governance:Identifier}.event_properties
where project_id > 0 and property = ''
group by project_id
"""
_REPORTED = """
select distinct project_id, event, property, change, detail, schema_version
from {governance:Identifier}.schema_changes
where project_id in {projects:Array(UInt32)}
"""
# Names may be data: what one window can hold in memory is bounded, whatever clients send.
_BOUNDED = {"max_bytes_before_external_group_by": 300_000_000, "max_bytes_before_external_sort": 300_000_000}
_CHANGE_COLUMNS = [*Change._fields, "noticed_at"]
_PROPERTY_COLUMNS = [
    "project_id", "event", "property", "types", "first_seen_at", "last_seen_at", "deliveries", "schema_version",
]  # fmt: skip


def now(client: Client) -> datetime:
    """Return what ClickHouse's clock says, by which inserts are dated."""
    instant: datetime = client.query(_NOW).result_rows[0][0]
    return instant


def progress(client: Client, governance: str) -> datetime | None:
    """Return up to where events were looked at; None before the first look."""
    looks, reached = client.query(_PROGRESS, parameters={"governance": governance}).result_rows[0]
    return reached if looks else None


def read_properties(
    client: Client, landing: str, window: Window
) -> tuple[dict[Event, list[Property]], dict[Event, int]]:
    """Return the properties of a window's events, those in most deliveries first, and how many each event has."""
    bound = {"landing": landing} | window.bound | PARAMETERS
    seen: dict[Event, list[Property]] = {}
    paths: dict[Event, int] = {}
    for project_id, name, steps, types, deliveries, first_seen_at, last_seen_at, count in client.query(
        _SEEN, parameters=bound, settings=_BOUNDED
    ).result_rows:
        event = Event(project_id, name)
        property_ = Property(event, tuple(steps), frozenset(types), first_seen_at, last_seen_at, deliveries)
        seen.setdefault(event, []).append(property_)
        paths[event] = count
    return seen, paths


def read_known(client: Client, landing: str, governance: str, window: Window) -> dict[Event, dict[str, Known]]:
    """Return what is stored of the properties of a window's events, by path."""
    known: dict[Event, dict[str, Known]] = {}
    bound = {"landing": landing, "governance": governance} | window.bound
    for project_id, name, path, types, first_seen_at, last_seen_at, deliveries in client.query(
        _KNOWN, parameters=bound
    ).result_rows:
        stored = Known(frozenset(types), first_seen_at, last_seen_at, deliveries)
        known.setdefault(Event(project_id, name), {})[path] = stored
    return known


def read_projects(client: Client, governance: str) -> dict[int, datetime]:
    """Return when the first event of each project that is known came."""
    rows = client.query(_PROJECTS, parameters={"governance": governance}).result_rows
    return {project_id: first_seen_at for project_id, first_seen_at in rows}  # noqa: C416 - rows are lists


def read_reported(client: Client, governance: str, changes: Sequence[Change]) -> set[Change]:
    """Return what was reported before of the projects that these changes are about."""
    if not changes:
        return set()
    bound = {"governance": governance, "projects": sorted({change.project_id for change in changes})}
    return {Change(*row) for row in client.query(_REPORTED, parameters=bound).result_rows}


def write_changes(client: Client, governance: str, changes: Iterable[Change], noticed_at: datetime) -> None:
    """Store what is new; written again, it keeps the instant at which it was noticed first."""
    rows = [[*change, noticed_at] for change in changes]
    if rows:
        client.insert("schema_changes", rows, column_names=_CHANGE_COLUMNS, database=governance)


def write_properties(
    client: Client, governance: str, properties: Iterable[tuple[Property, int]], until: datetime
) -> None:
    """Add to what is known, each with the schema version that names it, and that events before `until` were seen."""
    rows: list[list[Any]] = [
        [
            *each.event, each.path, sorted(each.types), each.first_seen_at, each.last_seen_at, each.deliveries, version,
        ]
        for each, version in properties
    ]  # fmt: skip
    rows.append([0, "", "", [], until, until, 0, 0])
    # One block: it is there whole or not at all.
    settings = {"min_insert_block_size_rows": 100_000_000, "min_insert_block_size_bytes": 1_000_000_000}
    client.insert("event_properties", rows, column_names=_PROPERTY_COLUMNS, database=governance, settings=settings)
