"""What is wrong with a document, and at which of its keys: in the words of people who write one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from pydantic import ValidationError

from core.validation import Place, by_part, place_in, sentence

KINDS = ("funnel", "retention", "trend", "lifecycle", "stickiness", "paths", "web", "revenue", "rollup", "cohort")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong at one place; `kind` is pydantic's name of it."""

    place: Place
    message: str
    kind: str


def faults_in(error: ValidationError, document: Any, kinds: Iterable[str] = KINDS) -> list[Fault]:
    """Return what is wrong with a document, once for each place; `kinds` are those that a document may have."""
    found: dict[Place, Fault] = {}
    short: dict[Place, Fault] = {}
    for each in by_part(error.errors(include_url=False)):
        place = place_in(document, each["loc"], is_missing=each["type"] == "missing")
        # Where several shapes are possible, each of them says what it misses: the first is enough.
        into = short if each["type"] == "too_short" else found
        into.setdefault(place, Fault(place, _sentence(each, kinds), each["type"]))
    # What is wrong is left out by pydantic, and then there are too few of it.
    around = {place[:length] for place in (*found, *short) for length in range(len(place))}
    return [*found.values(), *(fault for place, fault in short.items() if place not in around and place not in found)]


def places_of(sent: Any, key: str, name: str, place: Place = ()) -> list[Place]:
    """Return where in a document a key gives a name."""
    found: list[Place] = []
    items: Iterable[tuple[str | int, Any]] = ()
    if isinstance(sent, dict):
        items = cast("dict[str, Any]", sent).items()
    elif isinstance(sent, list):
        items = enumerate(cast("list[Any]", sent))
    for part, item in items:
        if part == key and item == name:
            found.append((*place, part))
        found += places_of(item, key, name, (*place, part))
    return found


def _sentence(error: Mapping[str, Any], kinds: Iterable[str]) -> str:
    kind = f"kind has to be one of {', '.join(kinds)}"
    known = {
        "union_tag_not_found": kind,
        "union_tag_invalid": kind,
        "model_attributes_type": "a definition is a mapping: kind, description and what the kind wants",
    }
    return known.get(str(error["type"])) or sentence(error)
