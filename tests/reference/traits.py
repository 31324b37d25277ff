"""How the traits of persons and groups came to be what they are: their operations, replayed one by one."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from reference.events import Event

Trait = tuple[str, str]
"""Whose it is, and its name."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """An event that made a trait another one; values are JSON, empty for none."""

    valid_from: datetime
    valid_to: datetime | None
    operation: str
    value_before: str
    value_after: str
    message_id: str


def person_changes(events: Iterable[Event], persons: dict[str, str]) -> dict[Trait, list[Change]]:
    """Return the changes of each trait of each person; `persons` names the person of each event by message id."""
    carriers = [event for event in events if event.type != "group"]
    return _changes(carriers, {event.message_id: persons[event.message_id] for event in carriers})


def group_changes(events: Iterable[Event], group_type: str) -> dict[Trait, list[Change]]:
    """Return the changes of each trait of each group of a kind; groups are set, no more."""
    carriers = [event for event in events if event.type == "group" and event.group_type == group_type]
    return _changes(carriers, {event.message_id: event.group_id for event in carriers}, is_set_only=True)


def _changes(events: list[Event], owners: dict[str, str], *, is_set_only: bool = False) -> dict[Trait, list[Change]]:
    values: dict[Trait, str] = {}
    found: defaultdict[Trait, list[tuple[Event, str, str, str]]] = defaultdict(list)
    for event in sorted(events, key=lambda event: event.order):
        for name, operation, after in list(_after(event, owners[event.message_id], values, is_set_only=is_set_only)):
            trait = (owners[event.message_id], name)
            before = values.get(trait, "")
            if after != before:
                values[trait] = after
                found[trait].append((event, operation, before, after))
    return {trait: _spans(steps) for trait, steps in found.items()}


def _after(event: Event, owner: str, values: dict[Trait, str], *, is_set_only: bool) -> Iterator[tuple[str, str, str]]:
    """Yield (name, the operation that decides, the value afterwards) of each trait that the event names."""
    sets, once, added = (json.loads(text or "{}") for text in (event.traits, event.traits_once, event.traits_increment))
    if is_set_only:
        once, added = {}, {}
    for name in {**sets, **once, **added}:
        value = values.get((owner, name), "")
        operation = ""
        if name in once and once[name] is not None and not value:
            value, operation = json.dumps(once[name]), "set_once"
        if name in added:
            value, operation = _sum(value, added[name]), "increment"
        if name in sets:
            value, operation = json.dumps(sets[name]).replace("Infinity", "null"), "set"
        if operation:
            yield name, operation, value


def _sum(value: str, added: float) -> str:
    number = json.loads(value) if value else 0
    total = (number if isinstance(number, int | float) else 0) + added
    return str(int(total)) if total == int(total) else str(total)


def _spans(steps: list[tuple[Event, str, str, str]]) -> list[Change]:
    ends = [event.timestamp for event, *_ in steps[1:]]
    return [
        Change(
            valid_from=event.timestamp,
            valid_to=end,
            operation=operation,
            value_before=before,
            value_after=after,
            message_id=event.message_id,
        )
        for (event, operation, before, after), end in zip(steps, [*ends, None], strict=True)
    ]
