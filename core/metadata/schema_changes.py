"""What differs between two versions of an event's schema, and whether clients that fitted the first fit the second.

Whether they do is proved by containment of the sets of instances (the canonical form of jsonschema-rs), with one
difference: a property that only the second version names is taken for one that nobody sent before. What cannot be
proved counts as breaking.
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import jsonschema_rs
import msgspec
from jsonschema_rs import RegexOptions
from jsonschema_rs.canonical import Containment

from core.metadata.schema_documents import NAMED_SCHEMAS

# They say something about the schema, not about events.
_REMARKS = frozenset({"$comment", "$id", "$schema", "default", "deprecated", "description", "examples", "title"})


@dataclass(frozen=True, slots=True)
class SchemaChanges:
    """What the second of two schemas changes of the first."""

    is_breaking: bool
    """Something that fitted the first may not fit the second, or it cannot be proved that it does."""
    texts: list[str]
    """One sentence per place, e.g. `/properties/amount/type: "number" → "integer"`."""


def compare(former: dict[str, Any], latter: dict[str, Any]) -> SchemaChanges:
    """Return what `latter` changes of `former`; both as `schema_documents.read_schema` returns them."""
    texts = list(_differences(former, latter, ""))
    return SchemaChanges(is_breaking=bool(texts) and not _covers(former, latter), texts=texts)


def _covers(former: dict[str, Any], latter: dict[str, Any]) -> bool:
    assumed = _with_new_properties(former, latter)
    # A root that says no type would admit numbers and texts too, which properties never are.
    wide, narrow = (_canonical({"type": "object"} | schema) for schema in (latter, assumed))
    return wide.covers(narrow) == Containment.YES


def _canonical(schema: dict[str, Any]) -> jsonschema_rs.CanonicalSchema:
    plain = {name: value for name, value in schema.items() if name not in {"$schema", "$id"}}
    return jsonschema_rs.canonicalize(
        plain, draft=jsonschema_rs.Draft202012, validate_formats=True, pattern_options=RegexOptions(), offline=True
    )


def _with_new_properties(former: dict[str, Any], latter: dict[str, Any]) -> dict[str, Any]:
    """Return `former` with the definitions of those properties that only `latter` names."""
    assumed = copy.deepcopy(former)
    properties = latter.get("properties")
    if isinstance(properties, dict):
        known = assumed.setdefault("properties", {})
        for name, below in cast("dict[str, Any]", properties).items():
            if name not in known:
                known[name] = copy.deepcopy(below)
            elif isinstance(known[name], dict) and isinstance(below, dict):
                known[name] = _with_new_properties(known[name], cast("dict[str, Any]", below))
    if isinstance(assumed.get("items"), dict) and isinstance(latter.get("items"), dict):
        assumed["items"] = _with_new_properties(assumed["items"], latter["items"])
    # What is copied may refer to them. A name that both define keeps the former's meaning.
    if isinstance(latter.get("$defs"), dict):
        assumed["$defs"] = copy.deepcopy(latter["$defs"]) | assumed.get("$defs", {})
    return assumed


def _differences(former: Any, latter: Any, where: str, *, names: bool = False) -> Iterator[str]:
    """Yield what differs; `names` says that the members are names of the schema's author, not keywords."""
    if isinstance(former, dict) and isinstance(latter, dict):
        before, after = cast("dict[str, Any]", former), cast("dict[str, Any]", latter)
        for name in sorted(before.keys() | after.keys()):
            if not names and name in _REMARKS:
                continue
            place = f"{where}/{name.replace('~', '~0').replace('/', '~1')}"
            if name not in after:
                yield f"{place}: removed"
            elif name not in before:
                yield f"{place}: added, {_text(after[name])}"
            else:
                yield from _differences(before[name], after[name], place, names=not names and name in NAMED_SCHEMAS)
    elif isinstance(former, list) and isinstance(latter, list):
        before, after = ([_text(item) for item in cast("list[Any]", side)] for side in (former, latter))
        gone, come = ([item for item in one if item not in other] for one, other in ((before, after), (after, before)))
        if gone or come:
            yield f"{where}: {', '.join([*(f'+{item}' for item in come), *(f'-{item}' for item in gone)])}"
    elif type(former) is not type(latter) or former != latter:
        yield f"{where}: {_text(former)} → {_text(latter)}"


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()
