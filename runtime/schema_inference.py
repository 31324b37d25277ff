"""Proposes the schema of an event from what landed of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from clickhouse_connect.driver.client import Client

from core.warehouse import ProjectScope
from core.warehouse.json_paths import PARAMETERS, paths_query

_MOST_EVENTS = 200_000
_ITEMS = "[]"
_OPAQUE = "*"
_PATHS = paths_query("""
    select project_id, event, type, properties, traits, inserted_at
    from raw.events
    where
        project_id = {project_id:UInt32}
        and event = {event:String}
        and received_at >= {since:DateTime64(3, 'UTC')}
    order by received_at desc
    limit {most_events:UInt32}
""")


@dataclass(slots=True)
class _Member:
    """One member and what lies in it."""

    types: list[str] = field(default_factory=list[str])
    events: int = 0
    members: dict[str, "_Member"] = field(default_factory=dict[str, "_Member"])


@dataclass(frozen=True, slots=True)
class Proposal:
    """A schema, and from how many events it was read."""

    schema: dict[str, Any]
    events: int


def infer(client: Client, project_id: int, event: str, since: datetime) -> Proposal | None:
    """Return the schema that the latest events of this name fit, 200,000 at most; None when there are none.

    A property is required when it was always there. Within lists nothing is, and lists and texts are of any length.
    """
    bound = {"event": event, "since": since, "most_events": _MOST_EVENTS} | PARAMETERS
    rows = ProjectScope(project_id).run(client, _PATHS, bound).result_rows
    if not rows:
        return None
    return propose([(tuple(row[2]), list(row[3]), row[4]) for row in rows])


def propose(paths: Sequence[tuple[tuple[str, ...], list[str], int]]) -> Proposal:
    """Return the schema of what has these paths; each with its JSON types and the number of events that have it.

    >>> propose([(("properties",), ["object"], 2), (("properties", "a"), ["integer", "null"], 2)]).schema
    {'type': 'object', 'properties': {'a': {'type': ['integer', 'null']}}, 'required': ['a']}
    """
    root = _Member(types=["object"])
    for steps, types, events in paths:
        member = root
        for step in steps[1:]:
            member = member.members.setdefault(step, _Member())
        member.types = types if len(steps) > 1 else ["object"]
        member.events += events
    return Proposal(_schema(root, is_counted=True), root.events)


def _schema(member: _Member, *, is_counted: bool) -> dict[str, Any]:
    types = sorted(set(member.types) - ({"integer"} if "number" in member.types else set()))
    schema: dict[str, Any] = {"type": types[0] if len(types) == 1 else types} if types else {}
    named = {name: below for name, below in sorted(member.members.items()) if name not in {_ITEMS, _OPAQUE}}
    # How often a member of an item is there is not known, only in how many events.
    is_counted = is_counted and types == ["object"]
    if named:
        schema["properties"] = {name: _schema(below, is_counted=is_counted) for name, below in named.items()}
        required = _always(named, member.events) if is_counted else []
        if required:
            schema["required"] = required
    items = member.members.get(_ITEMS)
    if items is not None:
        schema["items"] = _schema(items, is_counted=False)
    return schema


def _always(members: Mapping[str, _Member], events: int) -> list[str]:
    return [name for name, below in members.items() if below.events == events]
