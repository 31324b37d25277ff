"""Who is in a cohort, decided person by person."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import combinations
from typing import Any

from reference.events import Counted

_UNITS = {"min": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
Document = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Population:
    """The persons of a project, each of whom has an event, and what is known of them."""

    events: Sequence[Counted]
    traits: Mapping[str, Document] = field(default_factory=dict[str, Document])
    users: Mapping[str, str] = field(default_factory=dict[str, str])
    """The user's id of each person who has one."""
    merged: Mapping[str, str] = field(default_factory=dict[str, str])
    """For each id that was merged into another user the person whom it counts for."""
    lists: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    cohorts: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])

    @property
    def persons(self) -> set[str]:
        """Everybody."""
        return {event.person for event in self.events}


def cohort(who: Sequence[Document], population: Population, now: datetime) -> set[str]:
    """Return the persons who meet all of the criteria, which are as a definition writes them."""
    return {person for person in population.persons if all(_meets(person, each, population, now) for each in who)}


def _meets(person: str, criterion: Document, population: Population, now: datetime) -> bool:
    inner: list[Document] = next((criterion[word] for word in ("all", "any", "none") if word in criterion), [])
    met = [_meets(person, each, population, now) for each in inner]
    match criterion:
        case {"all": _}:
            found = all(met)
        case {"any": _}:
            found = any(met)
        case {"none": _}:
            found = not any(met)
        case {"did": behaviour}:
            found = _did(person, behaviour, population, now)
        case {"did_not": behaviour}:
            found = not _did(person, behaviour, population, now)
        case {"first_did": behaviour}:
            found = _first_did(person, behaviour, population, now)
        case {"did_in_order": sequence}:
            found = _did_in_order(person, sequence, population, now)
        case {"listed": name}:
            found = any(_person_of(user, population) == person for user in population.lists[name])
        case _:
            found = _holds(criterion, None, person, population)
    return found


def _did(person: str, behaviour: Any, population: Population, now: datetime) -> bool:
    long: Document = {"event": behaviour} if isinstance(behaviour, str) else behaviour
    found = [event for event in population.events if _fits(event, long, person, population)]
    return sum(_is_within(event, long, now) for event in found) >= long.get("at_least", 1)


def _first_did(person: str, behaviour: Document, population: Population, now: datetime) -> bool:
    times = [event.timestamp for event in population.events if _fits(event, behaviour, person, population)]
    return bool(times) and min(times) >= now - _length(behaviour["within"])


def _did_in_order(person: str, sequence: Any, population: Population, now: datetime) -> bool:
    long: Document = {"steps": sequence} if isinstance(sequence, list) else sequence
    events = [event for event in population.events if event.person == person and _is_within(event, long, now)]
    # Every way to choose one event for each step, with none earlier than the one before it.
    for chain in combinations(sorted(events, key=lambda event: event.order), len(long["steps"])):
        if all(_fits(event, step, person, population) for event, step in zip(chain, long["steps"], strict=True)):
            took = chain[-1].timestamp - chain[0].timestamp
            if "window" not in long or took <= _length(long["window"]):
                return True
    return False


def _fits(event: Counted, selection: Any, person: str, population: Population) -> bool:
    long: Document = {"event": selection} if isinstance(selection, str) else selection
    names = long.get("event", event.event)
    return (
        event.person == person
        and event.event in ([names] if isinstance(names, str) else names)
        and all(_holds(condition, event, person, population) for condition in long.get("where", []))
    )


def _holds(condition: Document, event: Counted | None, person: str, population: Population) -> bool:
    match condition:
        case {"cohort": name}:
            return person in population.cohorts[name]
        case {"trait": name, "value": value}:
            return population.traits.get(person, {}).get(name) == value
        case {"property": name, "value": value} if event is not None:
            return event.properties.get(name) == value
        case _:
            raise NotImplementedError(condition)


def _is_within(event: Counted, behaviour: Document, now: datetime) -> bool:
    return "within" not in behaviour or event.timestamp >= now - _length(behaviour["within"])


def _person_of(user: str, population: Population) -> str | None:
    if user in population.merged:
        return population.merged[user]
    return next((person for person, known in population.users.items() if known == user), None)


def _length(text: str) -> timedelta:
    unit = text.lstrip("0123456789")
    return int(text.removesuffix(unit)) * _UNITS[unit]
