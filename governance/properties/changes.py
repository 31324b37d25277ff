"""What is new about events: pure comparison of what was seen with what was known."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from core.metadata.schema_documents import named_properties
from core.warehouse.json_paths import MOST_PATHS

SETTLES_AFTER = timedelta(days=1)
"""In its first day everything about a project or an event is new: nothing of it is reported."""
VANISHES_AFTER = timedelta(days=7)
"""A property that its event lacks for so long has vanished."""
_LEAST_DELIVERIES = 10
"""Fewer than so many, and nobody misses the property."""


class Event(NamedTuple):
    """An event of a project."""

    project_id: int
    name: str


@dataclass(frozen=True, slots=True)
class Property:
    """One property of an event, as it was seen; the empty path is the event as a whole."""

    event: Event
    steps: tuple[str, ...]
    """Its path, the column (`properties` or `traits`) first; only that: the event as a whole."""
    types: frozenset[str]
    first_seen_at: datetime
    last_seen_at: datetime
    deliveries: int

    @property
    def path(self) -> str:
        """The path as it is stored: `properties.items[].sku`; empty for the event as a whole."""
        return "" if len(self.steps) == 1 else ".".join(self.steps).replace(".[]", "[]")


@dataclass(frozen=True, slots=True)
class Known:
    """What is stored of a property."""

    types: frozenset[str]
    first_seen_at: datetime
    last_seen_at: datetime
    deliveries: int


@dataclass(frozen=True, slots=True)
class Schema:
    """The schema of an event that holds: its version, and the paths of the properties that it names."""

    version: int = 0
    names: frozenset[str] = field(default_factory=frozenset[str])

    @classmethod
    def of(cls, version: int, document: dict[str, Any]) -> "Schema":
        """Read what a schema names."""
        paths = ("".join(step if step == "[]" else f".{step}" for step in path) for path in named_properties(document))
        return cls(version, frozenset(paths))

    def version_that_names(self, path: str) -> int:
        """Return the version if it names the property with this path, else 0."""
        column_end = min((at for at in (path.find("."), path.find("[")) if at != -1), default=len(path))
        return self.version if path[column_end:] in self.names else 0


class Change(NamedTuple):
    """One thing that is new, in the order of the columns of `governance.schema_changes`."""

    project_id: int
    event: str
    property: str
    change: str
    detail: str
    schema_version: int


NO_SCHEMA = Schema()


def find_changes(
    seen: Mapping[Event, list[Property]],
    known: Mapping[Event, Mapping[str, Known]],
    *,
    projects_since: Mapping[int, datetime],
    schemas: Mapping[Event, Schema],
    until: datetime,
) -> Iterator[Change]:
    """Yield what is new about the events that were seen before `until`.

    `projects_since` says when the first event of each project came, `known` what was stored before. New events and
    properties, types that a property did not have, and properties that are gone.
    """
    for event, properties in seen.items():
        schema = schemas.get(event, NO_SCHEMA)
        before = known.get(event, {})
        if not before:
            if _is_settled(projects_since.get(event.project_id), until):
                yield Change(*event, "", "new_event", _and_schema("first seen", schema), schema.version)
            continue
        reports_new = schema is not NO_SCHEMA or _is_settled(min(each.first_seen_at for each in before.values()), until)
        for each in properties:
            stored = before.get(each.path)
            if stored is None:
                if reports_new:
                    yield Change(*event, each.path, "new_property", _news(each, schema), schema.version)
            else:
                yield from _new_types(each, stored, schema)
        yield from _vanished(event, before, {each.path for each in properties}, schema, until)


def fit(properties: Iterable[Property], known: Mapping[str, Known], paths: int) -> tuple[list[Property], int]:
    """Return the properties of an event that there is room for, and how many more there are.

    `paths` is how many it had, of which `properties` are those in most deliveries. Those that are known have their
    room already.
    """
    kept: list[Property] = []
    room = MOST_PATHS - len(known)
    left_out = 0
    seen = 0
    for each in properties:
        seen += 1
        if each.path in known:
            kept.append(each)
        elif room > 0:
            kept.append(each)
            room -= 1
        else:
            left_out += 1
    return kept, left_out + max(paths - seen, 0)


def too_many(event: Event, schema: Schema) -> Change:
    """Return the change that says that an event has more properties than are kept."""
    detail = f"more than {MOST_PATHS} properties: names may be data; what is over that is not kept"
    return Change(*event, "", "too_many_properties", detail, schema.version)


def _is_settled(since: datetime | None, until: datetime) -> bool:
    return since is not None and since <= until - SETTLES_AFTER


def _news(each: Property, schema: Schema) -> str:
    types = ", ".join(sorted(each.types)) or "empty"
    if schema is NO_SCHEMA:
        return types
    return types + ("" if schema.version_that_names(each.path) else f"; not named by version {schema.version}")


def _and_schema(text: str, schema: Schema) -> str:
    return text if schema is NO_SCHEMA else f"{text}; version {schema.version} of its schema holds"


def _new_types(each: Property, stored: Known, schema: Schema) -> Iterator[Change]:
    had, has = _kinds(stored.types), _kinds(each.types)
    if had and has - had:
        detail = f"{', '.join(sorted(had))} → {', '.join(sorted(has - had))}"
        yield Change(*each.event, each.path, "new_type", detail, schema.version)


def _kinds(types: Iterable[str]) -> set[str]:
    """Leave out what is no news: a property that may be null, and a number that is whole this time."""
    return {"number" if each == "integer" else each for each in types} - {"null"}


def _vanished(
    event: Event, before: Mapping[str, Known], now: set[str], schema: Schema, until: datetime
) -> Iterator[Change]:
    for path, stored in before.items():
        is_missed = stored.deliveries >= _LEAST_DELIVERIES and stored.last_seen_at <= until - VANISHES_AFTER
        if path and is_missed and path not in now:
            yield Change(*event, path, "vanished", f"last seen {stored.last_seen_at:%Y-%m-%d}", schema.version)
