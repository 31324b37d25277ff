"""Reads a query document from a request: within bounds, and with a pointer to whatever does not fit."""

import json
import re
from collections.abc import Iterable
from typing import Any, NoReturn, get_args

from fastapi import Request
from pydantic import TypeAdapter, ValidationError

from api.errors import DocumentTooLargeError
from api.queries.documents import AnyDocument, InsightDocument, QueryDocument
from core.insights.faults import Fault, faults_in
from core.insights.filters import Filter, Subject, parts_of
from core.problem import InvalidRequestError
from core.validation import Place, pointer

# Of one value a document may be made wholly, and ClickHouse takes 128 KiB of each and quotes double what they stand
# before.
MOST_BYTES = 60_000
MOST_VALUES = 5_000
DEEPEST = 30
# ClickHouse takes some 20 ms to plan each.
MOST_CONDITIONS = 100

# These show single events or persons, which a viewer may not see.
_OF_PERSONS = frozenset(
    {
        "events",
        "persons",
        "person",
        "cohort",
        "trend_persons",
        "funnel_persons",
        "retention_persons",
        "lifecycle_persons",
        "stickiness_persons",
    }
)
_FIGURES = frozenset({"trend", "funnel", "funnel_trend", "funnel_times", "retention", "lifecycle", "stickiness"})
_MOST_FAULTS = 50
_HALF = re.compile("[\ud800-\udfff]")

_DOCUMENTS: TypeAdapter[Any] = TypeAdapter(QueryDocument)
KINDS = tuple(str(get_args(document.model_fields["kind"].annotation)[0]) for document in get_args(AnyDocument))


class ReadDocument:
    """A document as it was sent, and what it says."""

    def __init__(self, sent: Any) -> None:
        self.sent = sent
        try:
            self.document: AnyDocument = _DOCUMENTS.validate_python(sent)
        except ValidationError as error:
            raise invalid_document(*_in_words(faults_in(error, sent, KINDS))) from error
        conditions = sum(1 for _ in parts_of(self.document, Filter))
        if conditions > MOST_CONDITIONS:
            message = f"it has {conditions} conditions, more than {MOST_CONDITIONS}"
            raise invalid_document(Fault((), message, "too_large"))


async def read_document(request: Request) -> ReadDocument:
    """Return the document in the body of a request; raises `DocumentTooLargeError` and `InvalidRequestError`."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise DocumentTooLargeError(MOST_BYTES)
    try:
        sent = json.loads(body, object_pairs_hook=_members, parse_constant=_refuse_constant)
    except _TwiceError as error:
        raise invalid_document(Fault((), f"the key '{error}' stands there twice", "duplicate_key")) from error
    except (ValueError, RecursionError) as error:
        raise invalid_document(Fault((), f"it is no JSON: {_reason(error)}", "json_invalid")) from error
    _check_bounds(sent)
    return ReadDocument(sent)


def shows_persons(read: ReadDocument) -> bool:
    """Say whether the answer shows single events or persons, and not figures of many."""
    return read.document.kind in _OF_PERSONS


def tells_of_many(read: ReadDocument) -> bool:
    """Say whether the answer is figures of many persons, and nothing is told apart by what is known of one."""
    told_apart = parts_of(getattr(read.document, "breakdown", ()), Subject)
    return isinstance(read.document, InsightDocument) and all(each.trait is None for each in told_apart)


def tells_no_values(document: AnyDocument) -> bool:
    """Say whether an answer holds figures alone, which do no harm when whoever they count was erased meanwhile."""
    return document.kind in _FIGURES and not getattr(document, "breakdown", None)


def read_part(sent: Any, place: Place) -> ReadDocument:
    """Return the query document at a place of another document.

    Raises `DocumentTooLargeError`, and `InvalidRequestError` with pointers into the document around it.
    """
    try:
        _check_bounds(sent)
        if len(json.dumps(sent, allow_nan=False, ensure_ascii=False).encode()) > MOST_BYTES:
            raise DocumentTooLargeError(MOST_BYTES)
        return ReadDocument(sent)
    except InvalidRequestError as error:
        raise invalid_at(place, error) from error
    except ValueError as error:
        raise invalid_document(Fault(place, f"it is no JSON: {error}", "json_invalid")) from error


def invalid_document(*faults: Fault) -> InvalidRequestError:
    """Return the error for a document, each fault with the JSON Pointer (RFC 6901) of its place."""
    return _invalid(
        [
            {"pointer": pointer(fault.place), "message": fault.message, "kind": fault.kind}
            for fault in faults[:_MOST_FAULTS]
        ]
    )


def invalid_at(place: Place, error: InvalidRequestError) -> InvalidRequestError:
    """Return the error of a document that stands at a place of another one."""
    before = pointer(place)
    return _invalid([each | {"pointer": before + each["pointer"]} for each in error.extra["errors"]])


def _invalid(errors: list[dict[str, str]]) -> InvalidRequestError:
    detail = "; ".join(f"{error['pointer'] or 'the document'}: {error['message']}" for error in errors)
    return InvalidRequestError(detail, errors=errors)


class _TwiceError(Exception):
    """A key stands twice in an object."""


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise _TwiceError(name[:100])
            seen.add(name)
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at character {error.pos + 1}"
    if isinstance(error, RecursionError):
        return f"it is nested deeper than {DEEPEST} levels"
    return str(error)


def _check_bounds(sent: Any) -> None:
    """Refuse what is nested too deep, has too many values, or a text that is none; without recursion."""
    waiting: list[tuple[Place, Any]] = [((), sent)]
    values = 0
    while waiting:
        place, value = waiting.pop()
        values += 1
        if len(place) > DEEPEST or values > MOST_VALUES:
            message = f"it is nested deeper than {DEEPEST} levels, or has over {MOST_VALUES:,} values"
            raise invalid_document(Fault(place, message, "too_large"))
        texts: Iterable[Any] = ()
        if isinstance(value, dict):
            texts = value
            waiting += [((*place, name), item) for name, item in value.items()]
        elif isinstance(value, list):
            waiting += [((*place, number), item) for number, item in enumerate(value)]
        elif isinstance(value, str):
            texts = (value,)
        if any(map(_HALF.search, texts)):
            raise invalid_document(Fault(place, "it holds half of a character (a lone surrogate)", "string_unicode"))


def _in_words(faults: list[Fault]) -> list[Fault]:
    """Return the faults; of something that is no document at all it is said what one is."""
    return [
        Fault((), f"a query document is an object with kind: one of {', '.join(KINDS)}", fault.kind)
        if fault.kind == "model_attributes_type" and not fault.place
        else fault
        for fault in faults
    ]
