"""Mixpanel's ingestion API: `/track`, `/engage`, `/groups` and `/import`."""

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Protocol
from urllib.parse import unquote_to_bytes

import msgspec
from msgspec import Raw, Struct
from msgspec.json import Decoder

from core.errors import RadixError
from core.events import Event, RejectReason
from core.metadata.projects import WRITE_KEY_PREFIX
from ingestion import lenient_json
from ingestion.errors import MalformedRequestError
from ingestion.protocols.mixpanel.events import decode_event, decode_group, decode_profile
from ingestion.wire import Delivery, Endpoint, Rejection, Reply, Wire, rejection_members

NAME = "mixpanel"
_PIXEL = Reply(
    base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"),
    "image/gif",
    headers={"Cache-Control": "no-store"},
)
_MAX_FAILED_RECORDS = 2000
# Clients send 5. Without a limit 2 MB of `a&a&…` take 0.7 s, before anybody's key is judged.
_MAX_PARAMETERS = 50
_MILLISECONDS = re.compile(rb"\d{13}")
_FROM_URL_SAFE = bytes.maketrans(b" -_", b"++/")

_PREFIX = re.escape(WRITE_KEY_PREFIX).encode()
# In a query, or in JSON as it is or percent-encoded in a form: a write key itself is never encoded. The lookbehind sees
# the last character of `"`, `$`, `%22` or `%24`.
_HEAD_KEY = re.compile(rb"(?:^|&)(?:project_id|api_key|token)=(%b\w{1,200})" % _PREFIX)
_TOKEN = rb"""(?<=["$24])token(?:"|%%22)(?:\s|\+|%%20)*+(?::|%%3[Aa])(?:\s|\+|%%20)*+(?:"|%%22)(%b[^"\\%%&]{1,200})"""
_KEY_TOKEN, _ANY_TOKEN = re.compile(_TOKEN % _PREFIX), re.compile(_TOKEN % b"")
_INSERT_ID = re.compile(rb'"\$insert_id"\s*:\s*"([^"\\]{1,200})"')

_OWN_PARAMETER = re.compile(rb"(?:^|&)verbose=")
_OWN_PROPERTY = b"mp_lib"
_HINTS_START_WITHIN, _HINTS_END_WITHIN = 2000, 100

_FIELDS = {
    RejectReason.INVALID_EVENT_NAME: "event",
    RejectReason.INVALID_TIMESTAMP: "properties.time",
    RejectReason.INVALID_MESSAGE_ID: "properties.$insert_id",
    RejectReason.MISSING_ID: "properties.distinct_id",
    RejectReason.ILLEGAL_ID: "properties.distinct_id",
    RejectReason.OTHER_WRITE_KEY: "properties.token",
}
"""Where in an event of `/import` the fault lies, in the strict answer."""


class _Decode(Protocol):
    def __call__(self, raw: Raw, *, key: str | None, plain: bool) -> Event: ...


class _List(Struct):
    data: list[Raw]


_decode_list = Decoder(_List).decode
_decode_value = Decoder(Raw).decode


@dataclass(frozen=True, slots=True)
class _Request:
    """What a request says: its parameters, wherever they stand, and its events undecoded."""

    parameters: dict[str, bytes]
    payload: bytes
    is_bare: bool
    """Whether the payload is the body itself, not the parameter `data`."""


_Answer = Callable[[_Request, list[Raw], list[Rejection]], Reply]


def claims(wire: Wire) -> bool:
    """Say whether a request to a path that others serve too shows that one of Mixpanel's clients sent it."""
    body = wire.body
    return (
        _OWN_PROPERTY in body[:_HINTS_START_WITHIN]
        or _OWN_PARAMETER.search(wire.query_string) is not None
        or _OWN_PARAMETER.search(body[-_HINTS_END_WITHIN:]) is not None
    )


def _head_key(wire: Wire) -> str | None:
    """Return the write key in the head: what else stands there is a service account's name, or Mixpanel's own id."""
    if wire.header_write_key is not None:
        return wire.header_write_key
    found = _HEAD_KEY.search(wire.query_string)
    return found.group(1).decode() if found else None


def _find_key(wire: Wire) -> str | None:
    """Return the write key in the head, or the first token in the body, without looking at its events."""
    return _head_key(wire) or _token(wire.body or wire.query_string) or _token(_read(wire).payload)


def _token(sent: bytes) -> str | None:
    """Return the first token that is a write key, or else the first of all; None in base64."""
    found = _KEY_TOKEN.search(sent) or _ANY_TOKEN.search(sent)
    return found.group(1).decode(errors="replace") if found else None


def _parse(wire: Wire, decode: _Decode, answer: _Answer) -> Delivery:
    request = _read(wire)
    events = _split(request.payload)
    key = _head_key(wire) or _token(request.payload)
    plain = lenient_json.is_plain(request.payload)
    # The browser's client numbers its requests by its clock; any other number there is no clock's.
    sent_at = request.parameters.get("_", b"")
    return Delivery(
        events,
        partial(decode, key=key, plain=plain),
        partial(answer, request, events),
        key,
        int(sent_at) if _MILLISECONDS.fullmatch(sent_at) else None,
        # Without `ip=1` the request comes from a server, or from a page whose visitors' addresses are not wanted.
        uses_ip=request.parameters.get("ip") == b"1",
    )


def _read(wire: Wire) -> _Request:
    """Find the payload: the body, or `data` in a form or in the query, as JSON or base64."""
    parameters = _form(wire.query_string)
    body = wire.body.strip()
    if body.startswith((b"[", b"{")):
        return _Request(parameters, body, is_bare=True)
    if body.count(b"&") >= _MAX_PARAMETERS:
        raise MalformedRequestError(f"The form has more than {_MAX_PARAMETERS} parameters.")
    parameters |= _form(body)
    payload = parameters.pop("data", b"").strip()
    if payload and not payload.startswith((b"[", b"{")):
        payload = _from_base64(payload)
    if not payload.startswith((b"[", b"{")):
        raise MalformedRequestError("Send events as JSON: in the body, or as JSON or base64 in the parameter `data`.")
    return _Request(parameters, payload, is_bare=False)


def _form(encoded: bytes) -> dict[str, bytes]:
    """Return the members of a form, `_MAX_PARAMETERS` at most; of several with one name the last."""
    parts = encoded.split(b"&", _MAX_PARAMETERS)[:_MAX_PARAMETERS]
    pairs = (pair.partition(b"=") for pair in parts if pair)
    return {
        unquote_to_bytes(name).decode("latin-1"): unquote_to_bytes(value.replace(b"+", b" "))
        for name, _, value in pairs
    }


def _from_base64(encoded: bytes) -> bytes:
    """Decode base64 of either alphabet. Clients forget the padding, and to encode `+`, which then is a space."""
    try:
        return base64.b64decode(encoded.translate(_FROM_URL_SAFE).rstrip(b"=") + b"==").strip()
    except binascii.Error as error:
        raise MalformedRequestError(f"The parameter `data` is neither JSON nor base64: {error}.") from error


def _split(payload: bytes) -> list[Raw]:
    """Cut a payload into events: a list, a single one, or one per line."""
    if payload.startswith(b"["):
        parsed, split = lenient_json.decode_envelope(b'{"data":%b}' % payload, _decode_list, "data")
        return parsed.data if split is None else split
    try:
        return [_decode_value(payload)]
    except lenient_json.NOT_JSON:
        lines = [line.strip() for line in payload.split(b"\n")]
        lines = [line for line in lines if line]
        if all(line.startswith(b"{") for line in lines):
            return [Raw(line) for line in lines]
        return [Raw(payload)]


def _answer(request: _Request, _events: list[Raw], rejected: list[Rejection]) -> Reply:
    """Say that everything is on disk: rejected events too, so that no client sends them again and again."""
    if "img" in request.parameters:
        return _PIXEL
    if request.parameters.get("verbose", b"0") == b"0":
        return Reply(b"1", "text/plain")
    said: dict[str, object] = {"status": 1, "error": None}
    if rejected:
        said |= rejection_members(rejected)
    return Reply(msgspec.json.encode(said))


def _answer_import(request: _Request, events: list[Raw], rejected: list[Rejection]) -> Reply:
    strict = request.parameters.get("strict")
    if not request.is_bare and strict != b"1":
        return _answer(request, events, rejected)  # the client libraries' way
    status = HTTPStatus.BAD_REQUEST if rejected and strict != b"0" else HTTPStatus.OK
    said: dict[str, object] = {
        "code": status,
        "num_records_imported": len(events) - len(rejected),
        "status": status.phrase,
    }
    if status != HTTPStatus.OK:
        said["error"] = "some data points in the request failed validation"
        said["failed_records"] = [_failed(events, rejection) for rejection in rejected[:_MAX_FAILED_RECORDS]]
    return Reply(msgspec.json.encode(said), status=status)


def _failed(events: list[Raw], rejection: Rejection) -> dict[str, object]:
    insert_id = _INSERT_ID.search(events[rejection.index])
    return {
        "index": rejection.index,
        "insert_id": insert_id.group(1).decode(errors="replace") if insert_id else "",
        "field": _FIELDS.get(rejection.reason, ""),
        "message": f"{rejection.reason}: {rejection.detail}",
    }


def _refuse(wire: Wire, error: RadixError) -> Reply:
    """Say an error in a way that every client can read.

    Python's wants a `status` and an `error` with any HTTP status, and says `verbose=1` only in its body. The browser's
    drops its events on every 4xx but 413 and 429: a body that was too slow must be another.
    """
    parameters = _form(wire.query_string) | ({} if wire.body[:1] in (b"[", b"{") else _form(wire.body[-200:]))
    status = HTTPStatus.SERVICE_UNAVAILABLE if error.status == HTTPStatus.REQUEST_TIMEOUT else HTTPStatus(error.status)
    if "img" in parameters:
        return Reply(_PIXEL.body, _PIXEL.media_type, status, error.headers)
    if parameters.get("verbose") == b"0" or (wire.method == "GET" and "verbose" not in parameters):
        return Reply(b"0", "text/plain", status, error.headers)
    said = {"status": 0, "error": error.detail, "code": error.code}
    return Reply(msgspec.json.encode(said), status=status, headers=error.headers)


def _refuse_import(wire: Wire, error: RadixError) -> Reply:
    is_form = wire.method == "GET" or "form" in wire.headers.get("content-type", "")
    if is_form and _form(wire.query_string).get("strict") != b"1":
        return _refuse(wire, error)
    said = {"code": error.status, "error": error.detail, "status": HTTPStatus(error.status).phrase}
    return Reply(msgspec.json.encode(said), status=error.status, headers=error.headers)


_METHODS = frozenset({"GET", "POST"})


def _wrap(event: bytes) -> bytes:
    return b"[%b]" % event


def _endpoint(
    decode: _Decode, answer: _Answer = _answer, refuse: Callable[[Wire, RadixError], Reply] = _refuse
) -> Endpoint:
    parse = partial(_parse, decode=decode, answer=answer)
    return Endpoint(NAME, parse, _find_key, refuse, _METHODS, wrap=_wrap, head_key=_head_key)


SHARED = {"/track": _endpoint(decode_event), "/engage": _endpoint(decode_profile)}
"""By path, without the protocol's own prefix; other protocols have these paths too."""
ENDPOINTS = {
    "/groups": _endpoint(decode_group),
    "/import": _endpoint(decode_event, _answer_import, _refuse_import),
}
"""By path, without the protocol's own prefix."""
