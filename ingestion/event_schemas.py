"""The schemas of a project, made ready to judge what clients say."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

import msgspec
from jsonschema_rs import Draft202012Validator, ValidationError, ValidationErrorKind
from msgspec import Raw

from core.events import EventType
from core.events.deviations import OPAQUE_NAME
from core.metadata.event_schemas import EVERY_EVENT
from core.metadata.schema_documents import compile_schema
from ingestion.privacy import HASHED, MASK

_MOST_DEVIATIONS = 8
_UNREADABLE = "/ unreadable"
_decode = msgspec.json.decode
# A name that is data itself (an id, an e-mail address) must not get into what is said about an event.
_OPAQUE_NAME = re.compile(OPAQUE_NAME)
_INDEX = re.compile(r"\d{1,4}")
# Plain strings: comparing with a member of an enumeration costs three times as much.
_WITH_TRAITS = frozenset({str(EventType.IDENTIFY), str(EventType.GROUP)})
_ALIAS = str(EventType.ALIAS)


class EventSchema:
    """One version of the schema of one event."""

    def __init__(self, version: int, schema: bytes) -> None:
        """Compile it; raises `ValueError` where the document is no schema."""
        self.version = version
        document = _decode(schema)
        if not isinstance(document, dict):
            raise ValueError("the document is no JSON object")  # noqa: TRY004 - as for every other fault of it
        self._validator: Draft202012Validator = compile_schema(cast("dict[str, Any]", document))

    def deviations(self, said: Raw | bytes, *, is_cleaned: bool = False) -> list[str]:
        """Return where a JSON object does not fit, as a JSON pointer and the keyword; never a value.

        At most eight. `is_cleaned` says that the project's rules on personal data were applied to it: then what they
        put in a value's place is not held against it.
        """
        try:
            instance = _decode(said)
            if self._validator.is_valid(instance):
                return []
            found: list[str] = []
            for error in self._validator.iter_errors(instance):
                if not (is_cleaned and _is_cleaned(error.instance)):
                    found += (text for text in _texts(error) if text not in found)
                if len(found) >= _MOST_DEVIATIONS:
                    break
            return found[:_MOST_DEVIATIONS]
        except (ValueError, RecursionError):  # msgspec's errors, and a nesting or a number beyond what is compared
            return [_UNREADABLE]


class ProjectSchemas:
    """The schemas of one project, by event, and what becomes of what does not fit them."""

    def __init__(self, schemas: Mapping[str, EventSchema], *, is_enforced: bool) -> None:
        self._schemas = dict(schemas)
        self._every_event = self._schemas.pop(EVERY_EVENT, None)
        self.is_enforced = is_enforced
        """Whether events that do not fit are refused; otherwise they land, and say so."""

    def find(self, kind: str, event: str) -> EventSchema | None:
        """Return the schema that an event of this type and name must fit, if any."""
        found = self._schemas.get(event)
        if found is None and kind not in _WITH_TRAITS:
            found = self._every_event
        return None if kind == _ALIAS else found


def judges_traits(kind: str) -> bool:
    """Say whether the schema of such an event speaks of its traits; otherwise it does of its properties."""
    return kind in _WITH_TRAITS


def _texts(error: ValidationError) -> Iterator[str]:
    steps = list(error.instance_path)
    kind = error.kind
    match kind:
        case ValidationErrorKind.Required():
            yield f"{_pointer([*steps, str(kind.property)])} {kind.name}"
        case ValidationErrorKind.AdditionalProperties() | ValidationErrorKind.UnevaluatedProperties():
            for name in kind.unexpected[:_MOST_DEVIATIONS]:
                yield f"{_pointer([*steps, name])} {kind.name}"
        case _:
            yield f"{_pointer(steps)} {kind.name}"


def _pointer(steps: list[str | int]) -> str:
    # A name that is a number comes as one: only its length tells it from the place in a list.
    names = (str(step) for step in steps)
    shown = (name if _INDEX.fullmatch(name) or not _OPAQUE_NAME.search(name) else "*" for name in names)
    return "/" + "/".join(name.replace("~", "~0").replace("/", "~1") for name in shown)


def _is_cleaned(value: Any) -> bool:
    return isinstance(value, str) and (value == MASK or value.startswith(HASHED))
