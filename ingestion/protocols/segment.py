"""Segment's HTTP API, which is also our own `/v1` and RudderStack's."""

from dataclasses import replace
from functools import partial
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType, ValidationError
from msgspec.json import Decoder

from core.errors import RadixError
from core.events import Event, EventType
from core.events.event import Instant, JsonObject
from ingestion import lenient_json
from ingestion.errors import MalformedRequestError, SlowRequestError
from ingestion.wire import Delivery, Endpoint, Rejection, Reply, Wire, rejection_members

NAME = "segment"
_SUCCESS = Reply(b'{"success":true}')


class Batch(Struct, rename="camel"):
    """The body of `POST /v1/batch`. The events are kept undecoded, so that one bad event spoils none of the others."""

    batch: Annotated[
        list[Raw],
        Meta(
            description="The events, each with its type, in the order in which they happened.",
            extra_json_schema={"items": {"$ref": "#/components/schemas/Event"}},
        ),
    ]
    write_key: Annotated[str | None, Meta(description="The write key, unless it stands in the header.")] = None
    sent_at: Annotated[Instant, Meta(description="The client's clock on sending.")] = None
    context: JsonObject = UNSET


class _Envelope(Struct, rename="camel"):
    """What the request says beside the event itself, when a single event is sent."""

    write_key: str | None = None


class _Context(Struct):
    """Where RudderStack's Python library puts the traits of an identify, and nowhere else."""

    traits: JsonObject = UNSET


_decode_batch = Decoder(Batch).decode
_decode_envelope = Decoder(_Envelope).decode
_decode_event = Decoder(Event).decode
_decode_context = Decoder(_Context).decode


def find_write_key(body: bytes) -> str | None:
    """Return the write key that stands in a body, without looking at its events.

    Where the body is not JSON it is a guess: what `parse_batch` returns decides. Raises `MalformedRequestError` for
    JSON that is no object.
    """
    try:
        return _decode_envelope(body).write_key
    except ValidationError as error:
        raise MalformedRequestError(f"The body is not as expected: {error}.") from error
    except lenient_json.NOT_JSON:
        return lenient_json.find_text(body, "writeKey", "batch")


def parse_batch(body: bytes) -> Delivery:
    """Split the body of a batch into its events; raise `MalformedRequestError` when it is no batch at all."""
    parsed, split = lenient_json.decode_envelope(body, _decode_batch, "batch")
    plain = lenient_json.is_plain(body)
    context = parsed.context
    if not plain and isinstance(context, Raw):
        context = Raw(lenient_json.on_one_line(bytes(context)))
    events = parsed.batch if split is None else split
    return Delivery(events, partial(decode_event, plain=plain), reply, parsed.write_key, parsed.sent_at, context)


def parse_single(body: bytes, kind: EventType) -> Delivery:
    """Take the body of `POST /v1/track` and its like as one event; raise `MalformedRequestError` for no JSON object."""
    try:
        envelope = _decode_envelope(body)
    except ValidationError as error:
        raise MalformedRequestError(f"The body is not an event: {error}.") from error
    except lenient_json.NOT_JSON as error:
        mended = lenient_json.mend_surrogates(body)
        if mended == body:
            raise MalformedRequestError(f"The body is not JSON: {error}.") from error
        return parse_single(mended, kind)
    decode = partial(decode_event, plain=lenient_json.is_plain(body), kind=kind)
    return Delivery([Raw(body)], decode, reply, envelope.write_key)


def decode_event(raw: Raw, *, plain: bool, kind: EventType | None = None) -> Event:
    """Decode one event, whose type is `kind` where the path says it; raise `RejectedEventError`."""
    event = lenient_json.decode_event(raw, _decode_event, plain=plain)
    if kind is not None:
        event.type = kind
    if event.type == EventType.IDENTIFY and isinstance(event.context, Raw) and _says_nothing(event.traits):
        try:
            event.traits = _decode_context(event.context).traits
        except ValidationError:
            return event  # it is no object, which is for validation to say
    return event


def refuse(wire: Wire, error: RadixError) -> Reply:
    """Say an error as a problem document, in which the Python libraries look for `message` too.

    RudderStack's takes an answer without it for a broken connection, and sends again what was refused for good. To its
    libraries, and to older ones of Segment's, a 408 is final: a 503 has them send again.
    """
    status = 503 if error.status == SlowRequestError.status else error.status
    body = error.problem(instance=wire.path) | {"status": status, "message": error.detail}
    return Reply(msgspec.json.encode(body), "application/problem+json", status, error.headers)


def reply(rejected: list[Rejection]) -> Reply:
    """Say that everything is on disk, and which events were rejected."""
    if not rejected:
        return _SUCCESS
    return Reply(msgspec.json.encode({"success": True, **rejection_members(rejected)}))


def _says_nothing(traits: Raw | UnsetType) -> bool:
    return traits is UNSET or bytes(traits) in {b"{}", b"null", b"[]"}


def _find_key(wire: Wire) -> str | None:
    return find_write_key(wire.body)


def _batch(wire: Wire) -> Delivery:
    return parse_batch(wire.body)


def _single(wire: Wire, kind: EventType) -> Delivery:
    return parse_single(wire.body, kind)


def _wrap(event: bytes) -> bytes:
    return b'{"batch":[%b]}' % event


def _beacon_key(wire: Wire) -> str | None:
    return wire.parameters.get("writeKey") or wire.header_key


_BATCH = Endpoint(NAME, _batch, find_key=_find_key, refuse=refuse, wrap=_wrap)
_SINGLE = {kind: Endpoint(NAME, partial(_single, kind=kind), find_key=_find_key, refuse=refuse) for kind in EventType}
ENDPOINTS = {
    "/v1/batch": _BATCH,
    "/v1/import": _BATCH,
    **{f"/v1/{kind}": endpoint for kind, endpoint in _SINGLE.items()},
    # Segment's browser library says the first letter only.
    "/v1/b": _BATCH,
    **{f"/v1/{kind[0]}": endpoint for kind, endpoint in _SINGLE.items()},
    # RudderStack's, where it is to use beacons, which cannot have headers.
    "/beacon/v1/batch": replace(_BATCH, head_key=_beacon_key),
}
"""By path, without the protocol's own prefix."""
