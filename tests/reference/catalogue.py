"""What events and traits say of themselves: names, types, values, when."""

import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from reference.events import Event

Place = tuple[str, str, str, str]
"""Source, group type, event (empty for all of them together) and name."""

_DATETIME = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d([.,]\d+)?)?(Z|[+-]\d\d:?\d\d)?)?")
_MAX_INTEGER = 2**64 - 1


@dataclass(frozen=True, kw_only=True)
class Property:
    """What there is to say of a property that has up to eight different values."""

    events: int
    strings: int
    datetimes: int
    numbers: int
    booleans: int
    arrays: int
    objects: int
    nulls: int
    distinct_values: int
    examples: tuple[str, ...]
    first_seen_at: datetime
    last_seen_at: datetime


def catalogue(events: Iterable[Event]) -> dict[Place, Property]:
    """Return what there is of each property and trait; `events` are deduplicated."""
    seen: defaultdict[Place, list[tuple[object, datetime]]] = defaultdict(list)
    for event in events:
        for source, group_type, names, text in _objects(event):
            members: dict[str, object] = json.loads(text or "{}")
            for name, value in members.items():
                for event_name in names:
                    seen[source, group_type, event_name, name].append((value, event.timestamp))
    return {place: _property(found) for place, found in seen.items()}


def _objects(event: Event) -> Iterator[tuple[str, str, tuple[str, ...], str]]:
    yield "event", "", (event.event, ""), event.properties
    if event.type == "group":
        yield "group", event.group_type, ("",), event.traits
    else:
        for traits in (event.traits, event.traits_once, event.traits_increment):
            yield "person", "", ("",), traits


def _property(found: list[tuple[object, datetime]]) -> Property:
    # Beyond what a float holds there is no number.
    values = [None if isinstance(value, float) and math.isinf(value) else value for value, _ in found]
    instants = [instant for _, instant in found]
    types = Counter(_type(value) for value in values)
    texts = {json.dumps(value): value for value in values if value is not None}
    return Property(
        events=len(found),
        **{f"{name}s": types[name] for name in _TYPES},
        distinct_values=len(texts),
        examples=tuple(sorted({_text(value) for value in texts.values()})),
        first_seen_at=min(instants),
        last_seen_at=max(instants),
    )


_TYPES = ("string", "datetime", "number", "boolean", "array", "object", "null")


def _type(value: object) -> str:
    if isinstance(value, str):
        return "datetime" if _DATETIME.fullmatch(value) else "string"
    if isinstance(value, int) and abs(value) > _MAX_INTEGER:
        return "string"
    types: dict[type, str] = {bool: "boolean", int: "number", float: "number", list: "array", dict: "object"}
    return types.get(type(value), "null")


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
