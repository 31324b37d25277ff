"""What is wrong with a document or a parameter, and where: in the words of people, not of the validator."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

Place = tuple[str | int, ...]
"""The way to a value: keys of mappings and places in lists."""

_LONGEST_SHOWN = 60
# By the beginnings of the validator's names: what it wanted.
_WANTED = {
    "string": "a text",
    "int": "a whole number",
    "float": "a number",
    "finite": "a number",
    "bool": "true or false",
    "list": "a list",
    "tuple": "a list",
    "set": "a list",
    "dict": "a mapping of keys to values",
    "model": "a mapping of keys to values",
    "datetime": "an instant such as 2026-03-01T09:00:00Z",
    "date": "a day such as 2026-03-01",
    "none": "null",
}
_HOLDERS = {"list", "tuple", "set", "dict", "model"}
_SENTENCES = {
    "missing": "it has to be there",
    "extra_forbidden": "there is no such {within} here",
    "greater_than": "it has to be more than {gt}{given}",
    "greater_than_equal": "it has to be {ge} or more{given}",
    "less_than": "it has to be less than {lt}{given}",
    "less_than_equal": "it has to be {le} or less{given}",
    "literal_error": "it has to be {expected}{given}",
    "enum": "it has to be {expected}{given}",
    "union_tag_invalid": "{discriminator} has to be one of {expected_tags}",
    "union_tag_not_found": "{discriminator} has to be there",
    "string_pattern_mismatch": "it has to match the pattern {pattern}{given}",
    "timezone_aware": "it has to say its offset from UTC, as in 2026-03-01T09:00:00Z{given}",
}
_SECRET = re.compile(
    "password|secret|token|code|key|ticket|invitation|authorization|cookie|saml|relay|^(current|new)$", re.IGNORECASE
)


class WrongPartsError(ValueError):
    """What a validator finds wrong in parts of what it looks at: the way to each of them from there, and what it is."""

    def __init__(self, *parts: tuple[Place, str]) -> None:
        super().__init__("; ".join(message for _, message in parts))
        self.parts = parts


def by_part(errors: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Yield pydantic's errors, with those of several parts taken apart."""
    for error in errors:
        found = error.get("ctx", {}).get("error")
        if isinstance(found, WrongPartsError):
            for way, message in found.parts:
                yield {**error, "loc": (*error["loc"], *way), "msg": message}
        else:
            yield error


def is_secret(place: Iterable[str | int]) -> bool:
    """Say whether what stands at a place is by its names a secret, which no answer or log repeats."""
    return any(_SECRET.search(part) for part in place if isinstance(part, str))


def place_in(document: Any, location: Iterable[int | str], *, is_missing: bool) -> Place:
    """Follow pydantic's way into the document; it names the shapes between the keys too, which no document has."""
    node: Any = document
    place: Place = ()
    is_told = False
    parts = list(location)
    for part in parts:
        # Which of several shapes it is, by its kind; there may be a key of that name too.
        if isinstance(node, dict) and not is_told and cast("Any", node).get("kind") == part:
            is_told = True
            continue
        is_key = isinstance(node, dict) and part in node
        is_item = isinstance(node, list) and isinstance(part, int) and part < len(cast("list[Any]", node))
        if is_key or is_item:
            node, place, is_told = cast("Any", node)[part], (*place, part), False
    return (*place, parts[-1]) if is_missing and parts else place


def pointer(place: Place) -> str:
    """Return the JSON Pointer (RFC 6901) of a place; empty for the document itself.

    >>> pointer(("steps", 1, "a/b"))
    '/steps/1/a~1b'
    """
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in place)


def sentence(error: Mapping[str, Any], *, within: str = "key") -> str:
    """Return what is wrong, with the value unless it is secret, and what is wanted; `within` is what a name is here.

    `error` is one of pydantic's, with `input` where the value may be shown at all.
    """
    kind, context = str(error["type"]), error.get("ctx", {})
    is_hidden = "input" not in error or is_secret(error["loc"])
    if kind in _SENTENCES:
        given = "" if is_hidden else f", not {_shown(error['input'])}"
        return _SENTENCES[kind].format(**context, within=within, given=given)
    if kind.endswith(("too_short", "too_long")):
        return _length(kind, error, is_hidden=is_hidden)
    return _wanted(kind, error, is_hidden=is_hidden) or _own_words(error)


def _length(kind: str, error: Mapping[str, Any], *, is_hidden: bool) -> str:
    context, given = error["ctx"], error.get("input")
    is_least = kind.endswith("short")
    bound = context["min_length" if is_least else "max_length"]
    if not isinstance(given, str):
        actual = context.get("actual_length")
        counted = "" if actual is None else f", not {actual}"
        return f"there {'have to be at least' if is_least else 'may be at most'} {bound}{counted}"
    if not given.strip():
        return "it may not be empty"
    unit = "character" if bound == 1 else "characters"
    counted = "" if is_hidden else f", not {len(given)}"
    return f"it {'has to have at least' if is_least else 'may have at most'} {bound} {unit}{counted}"


def _wanted(kind: str, error: Mapping[str, Any], *, is_hidden: bool) -> str | None:
    """Return what was wanted in place of something of another kind; None where it was something else."""
    name = kind.partition("_")[0]
    if name not in _WANTED or kind == "string_unicode":
        return None
    if is_hidden:
        return f"it has to be {_WANTED[name]}"
    given = error["input"]
    # A text in place of a whole document may hold anything.
    shown = "a text" if name in _HOLDERS and isinstance(given, str) else _shown(given)
    return f"it has to be {_WANTED[name]}, not {shown}"


def _own_words(error: Mapping[str, Any]) -> str:
    text = str(error["msg"]).removeprefix("Value error, ")
    return text[:1].lower() + text[1:]


def _shown(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, bytes):
        return "a body that is not said to be JSON (Content-Type: application/json)"
    if isinstance(value, (str, int, float)):
        text = repr(value[: _LONGEST_SHOWN + 1] if isinstance(value, str) else value)
        return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
    return "a mapping" if isinstance(value, Mapping) else "a list"
