"""One look at what landed since the last one: which properties it carries, and what is new about that."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from clickhouse_connect.driver.client import Client

from governance.properties import recording
from governance.properties.changes import Change, Event, Property, Schema, find_changes, fit, too_many
from governance.properties.deviations import find_deviations
from governance.properties.windows import Window, find_windows

_SETTLED_AFTER = timedelta(minutes=10)
"""What landed within this time is left for the next look. A row carries the instant at which its insert began and is
seen when the insert ends, 120 s later at most; clocks may be set back a little. Each row is to be looked at once, since
deliveries are counted."""
_FIRST_LOOK = timedelta(days=7)
"""How much history the very first look reads."""
_MOST_DELIVERIES = 5_000_000
"""About how many rows one run looks at; what is left is the next one's."""


@dataclass(slots=True)
class PropertyScan:
    """What one run did: its half-open span of `inserted_at` (UTC), its size, and what is new."""

    scanned_from: datetime
    scanned_until: datetime
    deliveries: int = 0
    properties: int = 0
    """Rows written to `event_properties`."""
    changes: list[Change] = field(default_factory=list[Change])
    duration_ms: int = 0


def scan_properties(
    client: Client,
    schemas: Iterable[tuple[int, str, int, dict[str, Any]]],
    *,
    landing: str = "raw",
    governance: str = "governance",
    clock: Callable[[], datetime] | None = None,
) -> PropertyScan:
    """Look at the events that landed since the last look, and record their properties and what is new about them.

    `schemas` are those that hold, as `core.metadata.event_schemas.current_schemas` returns them; `landing` and
    `governance` are databases. The span is cut into windows. Of each, what is new is written first, where writing it
    again changes nothing, and then the properties together with how far the look has come, in one insert: a run that
    dies goes on where it was, and counts nothing twice. `clock` stands in for ClickHouse's.
    """
    began = time.monotonic()
    now = clock() if clock else recording.now(client)
    holding = {Event(project_id, event): Schema.of(version, said) for project_id, event, version, said in schemas}
    start = recording.progress(client, governance) or now - _FIRST_LOOK
    done = PropertyScan(start, start)
    for window in find_windows(client, landing, start, now - _SETTLED_AFTER):
        _scan_window(client, window, holding, done, landing=landing, governance=governance, now=now)
        if done.deliveries >= _MOST_DELIVERIES:
            break
    done.duration_ms = round((time.monotonic() - began) * 1000)
    return done


def _scan_window(
    client: Client,
    window: Window,
    schemas: Mapping[Event, Schema],
    done: PropertyScan,
    *,
    landing: str,
    governance: str,
    now: datetime,
) -> None:
    seen, paths = recording.read_properties(client, landing, window)
    known = recording.read_known(client, landing, governance, window)
    kept: dict[Event, list[Property]] = {}
    changes: list[Change] = []
    for event, properties in seen.items():
        kept[event], left_out = fit(properties, known.get(event, {}), paths[event])
        if left_out:
            changes.append(too_many(event, schemas.get(event, Schema())))
    changes += find_changes(
        kept,
        known,
        projects_since=recording.read_projects(client, governance),
        schemas=schemas,
        until=window.until,
    )
    changes += find_deviations(client, landing, window)
    new = list(_unreported(changes, recording.read_reported(client, governance, changes)))
    recording.write_changes(client, governance, new, now)
    rows = [(each, _version(each, schemas)) for properties in kept.values() for each in properties]
    recording.write_properties(client, governance, rows, window.until)
    done.scanned_until = window.until
    done.deliveries += window.deliveries
    done.properties += len(rows)
    done.changes += new


def _unreported(changes: Iterable[Change], reported: set[Change]) -> Iterator[Change]:
    for change in dict.fromkeys(changes):
        if change not in reported:
            yield change


def _version(each: Property, schemas: Mapping[Event, Schema]) -> int:
    schema = schemas.get(each.event)
    if schema is None:
        return 0
    return schema.version_that_names(each.path) if each.path else schema.version
