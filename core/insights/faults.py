"""What is wrong with a document, and at which of its keys: in the words of people who write one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from pydantic import ValidationError

KINDS = ("funnel", "retention", "trend", "lifecycle", "stickiness", "paths", "web", "revenue", "rollup", "cohort")

Place = tuple[str | int, ...]
"""The way to a value: keys of mappings and places in lists."""


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
    for each in error.errors(include_url=False, include_input=False):
        place = _place(each["loc"], document, is_missing=each["type"] == "missing")
        # Where several shapes are possible, each of them says what it misses: the first is enough.
        into = short if each["type"] == "too_short" else found
        into.setdefault(place, Fault(place, _sentence(each, kinds), each["type"]))
    # What is wrong is left out by pydantic, and then there are too few of it.
    around = {place[:length] for place in (*found, *short) for length in range(len(place))}
    return [*found.values(), *(fault for place, fault in short.items() if place not in around and place not in found)]


def _place(location: Iterable[int | str], document: Any, *, is_missing: bool) -> Place:
    """Follow pydantic's way into the document; it names the shapes between the keys too, which no document has."""
    node: Any = document
    place: Place = ()
    parts = list(location)
    for part in parts:
        is_key = isinstance(node, dict) and part in node
        is_item = isinstance(node, list) and isinstance(part, int) and part < len(cast("list[Any]", node))
        if is_key or is_item:
            node, place = cast("Any", node)[part], (*place, part)
    return (*place, parts[-1]) if is_missing else place


def _sentence(error: Mapping[str, Any], kinds: Iterable[str]) -> str:
    kind = f"kind has to be one of {', '.join(kinds)}"
    known = {
        "extra_forbidden": "there is no such key here",
        "missing": "it has to be there",
        "union_tag_not_found": kind,
        "union_tag_invalid": kind,
        "model_attributes_type": "a definition is a mapping: kind, description and what the kind wants",
        "tuple_type": "it has to be a list",
        "model_type": "it has to be a mapping of keys to values",
        "too_short": f"there have to be at least {error.get('ctx', {}).get('min_length')}",
    }
    text = known.get(str(error["type"])) or str(error["msg"]).removeprefix("Value error, ")
    return text[:1].lower() + text[1:]
