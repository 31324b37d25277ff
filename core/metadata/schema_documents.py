"""What a JSON Schema of an event's properties may be, and how it is read.

Draft 2020-12; `format` is checked. Where the collector would pay for a schema with every event, it is bounded here: it
is no larger than 64 KB, nothing in it is fetched, no part of it contains itself, and its expressions are of the kind
that is matched in linear time.
"""

from collections.abc import Iterator
from typing import Any, ClassVar, cast

import jsonschema_rs
import msgspec
from jsonschema_rs import Draft202012Validator, RegexOptions

from core.errors import RadixError

MAX_BYTES = 64 * 1024
MAX_DEPTH = 32
MAX_PARTS = 10_000
"""Keywords and values of a schema once each reference is replaced by what it names: bounds the work on one event."""
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_MOVING_REFERENCES = frozenset({"$dynamicRef", "$recursiveRef"})
# Their members are examples and constants, not schemas: a "$ref" in there names nothing.
_PLAIN_DATA = frozenset({"const", "default", "enum", "examples"})
_UNLIKE_SCHEMAS = _PLAIN_DATA | _MOVING_REFERENCES | {"$ref"}
NAMED_SCHEMAS = frozenset({"properties", "patternProperties", "dependentSchemas", "$defs"})
"""Keywords whose members bear names of the author's choice, each with a schema."""
_COMBINING = ("allOf", "anyOf", "oneOf")


class InvalidSchemaError(RadixError):
    """A document cannot be the schema of an event."""

    status: ClassVar[int] = 422
    code: ClassVar[str] = "invalid_event_schema"
    title: ClassVar[str] = "The event schema is not valid"


def read_schema(document: bytes) -> dict[str, Any]:
    """Return the schema that a JSON document is; raise `InvalidSchemaError`, which says what is wrong where."""
    if len(document) > MAX_BYTES:
        raise InvalidSchemaError(f"The schema has {len(document):,} bytes; {MAX_BYTES:,} are allowed.")
    try:
        schema = msgspec.json.decode(document, type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise InvalidSchemaError(f"The schema is no JSON object: {error}.") from error
    if b"\\u0000" in document:
        raise InvalidSchemaError("The schema contains a NUL character (\\u0000), which cannot be stored.")
    if schema.get("$schema", _DIALECT) not in {_DIALECT, f"{_DIALECT}#"}:
        raise InvalidSchemaError(f"$schema is {schema['$schema']!r}; only {_DIALECT} is read.")
    if schema.get("type", "object") != "object":
        raise InvalidSchemaError(f"type is {schema['type']!r}; properties and traits are always an object.")
    _count_parts(schema, schema, 0, (), names=False)
    try:
        compile_schema(schema)
    except jsonschema_rs.ValidationError as error:
        where = "".join(f"/{step}" for step in error.instance_path) or "/"
        raise InvalidSchemaError(f"{where}: {error.message}.") from error
    except (jsonschema_rs.ReferencingError, ValueError) as error:
        raise InvalidSchemaError(f"The schema cannot be read: {error}.") from error
    return schema


def compile_schema(schema: dict[str, Any]) -> Draft202012Validator:
    """Return what judges instances by a schema; raise `ValueError` where it is none. Takes about 50 µs."""
    return Draft202012Validator(schema, validate_formats=True, pattern_options=RegexOptions(), offline=True)


def named_properties(schema: dict[str, Any]) -> set[tuple[str, ...]]:
    """Return the path of every property that a schema names, `[]` standing for the items of a list.

    >>> sorted(named_properties({"properties": {"a": {"items": {"properties": {"b": {}}}}}}))
    [('a',), ('a', '[]'), ('a', '[]', 'b')]
    """
    return {path for path, _ in _walk(schema, schema, ())}


def resolve(root: dict[str, Any], reference: str) -> Any:
    """Return what a reference such as `#/$defs/price` names; raise `InvalidSchemaError` where it is none."""
    node: Any = root
    for step in reference.removeprefix("#").split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(node, dict) and name in node:
            node = cast("dict[str, Any]", node)[name]
        elif isinstance(node, list) and name.isdecimal() and int(name) < len(cast("list[Any]", node)):
            node = cast("list[Any]", node)[int(name)]
        else:
            raise InvalidSchemaError(f"$ref {reference!r} names nothing in this schema.")
    return node


def _count_parts(root: dict[str, Any], node: Any, depth: int, within: tuple[str, ...], *, names: bool) -> int:
    """Count `node` and what is in it, references followed; raise `InvalidSchemaError` over the bounds.

    `names` says that its members bear names of the author's choice.
    """
    if depth > MAX_DEPTH:
        raise InvalidSchemaError(f"The schema is nested deeper than {MAX_DEPTH} levels.")
    parts = 1
    for name, below in _members(node):
        if names or name not in _UNLIKE_SCHEMAS:
            parts += _count_parts(root, below, depth + 1, within, names=not names and name in NAMED_SCHEMAS)
        elif name in _MOVING_REFERENCES:
            raise InvalidSchemaError(f"{name} is not read; use $ref.")
        elif name == "$ref" and isinstance(below, str):
            _demand_local(below, within)
            parts += _count_parts(root, resolve(root, below), depth + 1, (*within, below), names=False)
        if parts > MAX_PARTS:
            raise InvalidSchemaError(f"The schema has more than {MAX_PARTS:,} parts, references followed.")
    return parts


def _members(node: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        yield from cast("dict[str, Any]", node).items()
    elif isinstance(node, list):
        yield from (("", item) for item in cast("list[Any]", node))


def _demand_local(reference: str, within: tuple[str, ...]) -> None:
    if reference == "#" or reference in within:
        raise InvalidSchemaError(f"$ref {reference!r} leads back to itself; schemas cannot contain themselves.")
    if not reference.startswith("#/"):
        raise InvalidSchemaError(f"$ref is {reference!r}; only places in the schema itself are read (#/$defs/…).")


def _walk(root: dict[str, Any], node: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    if not isinstance(node, dict):
        return
    members = cast("dict[str, Any]", node)
    if isinstance(members.get("$ref"), str):
        yield from _walk(root, resolve(root, members["$ref"]), path)
    for name, below in members.get("properties", {}).items():
        yield (*path, name), below
        yield from _walk(root, below, (*path, name))
    if isinstance(members.get("items"), dict):
        yield (*path, "[]"), members["items"]
        yield from _walk(root, members["items"], (*path, "[]"))
    for combining in _COMBINING:
        for below in members.get(combining, []):
            yield from _walk(root, below, path)
