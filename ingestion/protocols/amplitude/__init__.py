"""Amplitude's HTTP V2, batch, identify and group identify APIs.

Amplitude's libraries look at `code` in an answer's body, not at its HTTP status, and let an event have 12 tries at
most. What they do on each code decides what is answered here (`docs/protocols.md`).
"""

import re
import time
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from msgspec import UNSET, MsgspecError, Raw, Struct, UnsetType
from msgspec.json import Decoder

from core.errors import RadixError
from core.events.event import Instant
from ingestion import lenient_json
from ingestion.errors import MalformedRequestError
from ingestion.protocols.amplitude.events import GROUP_IDENTIFY, IDENTIFY, GroupSplitter, decode_event
from ingestion.wire import Delivery, Endpoint, Rejection, Reply, Wire, header_write_key, rejection_members

NAME = "amplitude"
# The libraries send 2 to 5. Without a limit 2 MB of `a&a&…` take 0.7 s, before anybody's key is judged.
_MAX_FIELDS = 50

_OK, _BAD_REQUEST, _THROTTLED, _INTERNAL = 200, 400, 429, 500
# More than any library sends at once by itself (Python's 200, Node's 200, the browser's 30).
_EVERY_INDEX = list(range(1000))


class _Envelope(Struct):
    """A request's body. Its events stand under one of three names; what can be odd without harm is read leniently."""

    api_key: str | None = None
    events: Raw | UnsetType = UNSET
    identification: Raw | UnsetType = UNSET
    event: Raw | UnsetType = UNSET
    client_upload_time: Any = None
    options: Any = None


class _Key(Struct):
    api_key: str | None = None


_decode_envelope = Decoder(_Envelope).decode
_decode_key = Decoder(_Key).decode
_decode_list = Decoder(list[Raw]).decode
_JSON = re.compile(rb"\s*+[{\[]")


def claims(wire: Wire) -> bool:
    """Say whether a request to a path that others serve too is Amplitude's."""
    return lenient_json.first_list(wire.body, "events", "batch") == "events"


def find_api_key(wire: Wire, *, member: str) -> str | None:
    """Return the API key that stands in a body or form, without looking at its events.

    Where the body is not JSON it is a guess. Raises `MalformedRequestError` for JSON that is not as expected.
    """
    body = _body(wire, member)
    try:
        return _decode_key(body).api_key
    except msgspec.ValidationError as error:
        raise MalformedRequestError(f"The body is not as expected: {error}.") from error
    except lenient_json.NOT_JSON:
        return lenient_json.find_text(body, "api_key", member)


def parse(wire: Wire, *, member: str, event_type: str | None = None, as_words: bool = False) -> Delivery:
    """Split a request into the events that stand in `member`; raise `MalformedRequestError` when it has none."""
    body = _body(wire, member)
    envelope, events = lenient_json.decode_envelope(body, _decode_envelope, member)
    if events is None:
        events = _elements(getattr(envelope, member), member)
    if GROUP_IDENTIFY.encode() in body:
        splitter = GroupSplitter(len(body))
        events = [part for event in events for part in splitter.split(event)]
    decode = partial(
        decode_event,
        plain=lenient_json.is_plain(body),
        min_id_length=_min_id_length(envelope.options),
        event_type=event_type,
    )
    reply = _say_success if as_words else partial(_reply, count=len(events), size=len(wire.body))
    return Delivery(events, decode, reply, envelope.api_key, _instant(envelope.client_upload_time))


def refuse(_: Wire, error: RadixError) -> Reply:
    """Say an error so that the libraries keep what can be sent again, and let go of the rest.

    - An unknown key and a body that is no request are final: they are known by how `error` begins and by
      `missing_field`; any other 400 would be sent again. To the mobile libraries every other 4xx is an outage.
    - Under `code` 500 an event's 12 tries are over within 10 seconds (Python), under 429 within minutes, provided that
      `throttled_events` names it. So that is what a collector says that cannot take anything for now.
    """
    answer: dict[str, Any] = {"code": error.status, "error": error.detail, "reason": error.code}
    status = error.status
    match error.status:
        case 401:
            status = answer["code"] = _BAD_REQUEST
            answer["error"] = f"Invalid API key: {error.detail}"
            return Reply(msgspec.json.encode(answer), status=status)
        case 408 | 413:
            pass
        case code if code == _THROTTLED or code >= _INTERNAL:
            answer |= {"code": _THROTTLED, "eps_threshold": 0, "throttled_events": _EVERY_INDEX}
        case _:
            answer |= {"code": _BAD_REQUEST, "missing_field": "events"}
            status = _BAD_REQUEST
    return Reply(msgspec.json.encode(answer), status=status, headers=error.headers)


def _body(wire: Wire, member: str) -> bytes:
    """Return the body as JSON, made of the form's or the query's fields where it is none."""
    if _JSON.match(wire.body):
        return wire.body
    fields: dict[str, bytes] = {}
    # Latin-1 there and back keeps bytes that are not UTF-8 as they are.
    for source in (wire.query_string, wire.body):
        try:
            pairs = parse_qsl(
                source.decode("latin-1"), keep_blank_values=True, encoding="latin-1", max_num_fields=_MAX_FIELDS
            )
        except ValueError as error:
            raise MalformedRequestError(f"The form has more than {_MAX_FIELDS} fields.") from error
        fields |= {name: value.encode("latin-1") for name, value in pairs}
    if member not in fields:
        return wire.body
    key = msgspec.json.encode(fields.get("api_key", b"").decode(errors="replace"))
    return b'{"api_key":%b,"%b":%b}' % (key, member.encode(), fields[member])


def _elements(value: Raw | UnsetType, member: str) -> list[Raw]:
    if value is UNSET:
        raise MalformedRequestError(f"The body has no {member}.")
    if bytes(value).startswith(b"{"):
        return [value]
    try:
        return _decode_list(value)
    except MsgspecError as error:
        raise MalformedRequestError(f"{member} must be a list of objects: {error}.") from error


def _min_id_length(options: Any) -> int:
    """Return the shortest id that the client wants to count; Amplitude's own default of 5 is not applied."""
    length = options.get("min_id_length") if isinstance(options, dict) else None
    return length if isinstance(length, int) else 0


def _instant(value: Any) -> Instant:
    return value if isinstance(value, str | int | float) else None


def _reply(rejected: list[Rejection], *, count: int, size: int) -> Reply:
    """Say that everything is on disk. Naming bad events in a 400 would have the libraries send the others again."""
    answer: dict[str, Any] = {
        "code": _OK,
        "events_ingested": count - len(rejected),
        "payload_size_bytes": size,
        "server_upload_time": time.time_ns() // 1_000_000,
    }
    if rejected:
        answer |= rejection_members(rejected)
    return Reply(msgspec.json.encode(answer))


def _say_success(_: list[Rejection]) -> Reply:
    return Reply(b"success", "text/plain")


def _endpoint(member: str, *, event_type: str | None = None, methods: str = "POST") -> Endpoint:
    return Endpoint(
        NAME,
        partial(parse, member=member, event_type=event_type, as_words=member != "events"),
        find_key=partial(find_api_key, member=member),
        refuse=refuse,
        methods=frozenset(methods.split()),
        wrap=partial(_wrap, member),
        head_key=header_write_key,
    )


def _wrap(member: str, event: bytes) -> bytes:
    return b'{"%b":[%b]}' % (member.encode(), event)


ENDPOINTS = {
    "/2/httpapi": _endpoint("events"),
    "/httpapi": _endpoint("event", methods="GET POST"),
    "/identify": _endpoint("identification", event_type=IDENTIFY, methods="GET POST"),
    "/groupidentify": _endpoint("identification", event_type=GROUP_IDENTIFY, methods="GET POST"),
}
"""By path, without the protocol's own prefix."""
SHARED = {"/batch": _endpoint("events")}
"""By path that other protocols claim too."""
