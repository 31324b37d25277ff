"""PostHog's capture API, v0 and v1: what a request holds, and what its clients understand as an answer."""

import binascii
import re
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from msgspec import UNSET, MsgspecError, Raw, Struct, UnsetType, field
from msgspec.json import Decoder

from core.errors import RadixError
from core.events import Event
from core.events.event import Instant
from core.metadata.projects import WRITE_KEY_PREFIX
from ingestion import instants, lenient_json
from ingestion.errors import MalformedRequestError, UnsupportedEncodingError
from ingestion.protocols.posthog_events import Common, translate
from ingestion.wire import Delivery, Endpoint, Rejection, Reply, Wire, header_write_key, problem

NAME = "posthog"
_SUCCESS = Reply(b'{"status":"Ok"}')
_PIXEL = Reply(
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00"
    b",\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x01D\x00;",
    "image/gif",
)
_MAX_REPORTED_REJECTS = 100
_BASE64_URL = bytes.maketrans(b"-_ ", b"+/+")
_TEMPORARY = frozenset({408, 429})
_UNAVAILABLE = 503


class _Keys(Struct):
    """Where a key may stand."""

    api_key: Any = None
    token: Any = None
    dollar_token: Any = field(name="$token", default=None)
    properties: Raw | UnsetType = UNSET


class _Envelope(_Keys):
    """A batch, or what a single event says of its request."""

    batch: list[Raw] | None = None
    sent_at: Instant = None
    timestamp: Instant = None


class _Uuid(Struct):
    uuid: str | None = None


_decode_envelope = Decoder(_Envelope).decode
_decode_keys = Decoder(_Keys).decode
_decode_keys_of_list = Decoder(list[_Keys]).decode
_decode_uuid = Decoder(_Uuid).decode
_BATCH_OR_EVENTS = re.compile(rb'"(batch|events)"\s*+:\s*+\[')
_UUID_MEMBER = re.compile(rb'"uuid"\s*+:\s*+"([^"\\]{1,200})"')
_KEY_MEMBER = re.compile(rb'"(?:api_key|\$?token)"\s*+:\s*+"(%b[^"\\]{1,200})"' % WRITE_KEY_PREFIX.encode())


@dataclass(frozen=True, slots=True)
class _Opened:
    """A request's events, and what stands around them."""

    events: list[Raw]
    envelope: _Envelope
    plain: bool
    is_batch: bool


def claims(wire: Wire) -> bool:
    """Say whether a request on a path that others claim too is PostHog's."""
    if wire.headers.get("user-agent", "").startswith("posthog-"):
        return True
    if wire.path.rstrip("/").endswith("/batch"):
        # Amplitude's batch has an api_key too, but its list is called `events`.
        first = _BATCH_OR_EVENTS.search(wire.body)
        return first is not None and first.group(1) == b"batch"
    try:
        # Nothing to read is malformed too: then only the head is known yet.
        body = _payload(wire)
    except (MalformedRequestError, UnsupportedEncodingError):
        return False
    # Mixpanel's token stands in properties only, and its library says `mp_lib`.
    return b'"$lib"' in body or b'"api_key"' in body or _says_token(body)


def parse(wire: Wire) -> Delivery:
    """Split a request into its events; raise `MalformedRequestError` when it holds none at all."""
    body = _payload(wire)
    opened = _open(body)
    envelope, parameters = opened.envelope, wire.parameters
    said_key = wire.header_write_key or _own_key(envelope)
    key = (
        said_key
        or (None if opened.is_batch else _inner_key(envelope))
        or next((key for key in map(_event_key, opened.events) if key), None)
        or parameters.get("api_key")
        or parameters.get("token")
        or _guessed_key(body)
    )
    sent_at = envelope.sent_at
    if sent_at is None and opened.is_batch:
        sent_at = envelope.timestamp
    if sent_at is None:
        sent_at = parameters.get("sent_at") or parameters.get("_")
    common = Common(
        write_key=key,
        keys_in_properties=said_key is None,
        sent_ms=_milliseconds(sent_at),
        # What was made for Mixpanel's people: the path says what the event is.
        default_name="$identify" if wire.path.rstrip("/").endswith("/engage") else None,
    )
    answer = _pixel if parameters.get("img") == "1" else reply
    return Delivery(opened.events, partial(decode, common=common, plain=opened.plain), answer, key, sent_at)


def parse_v1(wire: Wire) -> Delivery:
    """Split a request of protocol v1, whose key, library and clock stand in its head."""
    opened = _open(wire.body)
    key = wire.header_key or _own_key(opened.envelope)
    sent_at = wire.headers.get("posthog-request-timestamp")
    library = wire.headers.get("posthog-sdk-info", "")
    common = Common(write_key=key, sent_ms=_milliseconds(sent_at), library=library)
    return Delivery(
        opened.events,
        partial(decode, common=common, plain=opened.plain),
        partial(verdicts, opened.events),
        key,
        sent_at,
    )


def decode(raw: Raw, *, common: Common, plain: bool) -> Event:
    """Decode one event; raise `RejectedEventError`."""
    return lenient_json.decode_event(raw, partial(translate, common=common), plain=plain)


def reply(rejected: list[Rejection]) -> Reply:
    """Say that everything is on disk, and which events were rejected. The clients look at the status only."""
    if not rejected:
        return _SUCCESS
    reported = [
        {"index": rejection.index, "reason": rejection.reason, "detail": rejection.detail}
        for rejection in rejected[:_MAX_REPORTED_REJECTS]
    ]
    return Reply(msgspec.json.encode({"status": "Ok", "rejected": len(rejected), "rejects": reported}))


def verdicts(events: list[Raw], rejected: list[Rejection]) -> Reply:
    """Say of each event by its uuid whether it was taken. Nothing is to be sent again: what is rejected stays so."""
    reasons = {rejection.index: f"{rejection.reason}: {rejection.detail}" for rejection in rejected}
    results: dict[str, dict[str, str]] = {}
    for index, raw in enumerate(events):
        uuid = _uuid(raw)
        if uuid:
            reason = reasons.get(index)
            results[uuid] = {"result": "ok"} if reason is None else {"result": "drop", "details": reason}
    return Reply(msgspec.json.encode({"results": results}))


def refuse(wire: Wire, error: RadixError) -> Reply:
    """Say an error such that nothing is lost that may still be taken.

    posthog-js gives up on any 4xx, 408 and 429 included, and sends again after 5xx; the other clients do both. A demand
    for a password would open a dialog in browsers.
    """
    said = problem(wire, error)
    headers = {name: value for name, value in error.headers.items() if name != "WWW-Authenticate"}
    if error.status not in _TEMPORARY:
        return Reply(said.body, said.media_type, said.status, headers)
    body = error.problem(instance=wire.path) | {"status": _UNAVAILABLE}
    return Reply(msgspec.json.encode(body), said.media_type, _UNAVAILABLE, headers)


def find_key(wire: Wire) -> str | None:
    """Return the write key of a request; a guess where its body is not JSON."""
    body = _payload(wire)
    try:
        if body[:1] == b"[":
            holders = _decode_keys_of_list(body)
            found = next((key for key in (_own_key(keys) or _inner_key(keys) for keys in holders) if key), None)
        else:
            keys = _decode_keys(body)
            found = _own_key(keys) or _inner_key(keys)
    except (MsgspecError, *lenient_json.NOT_JSON):
        found = None
    return found or wire.parameters.get("api_key") or wire.parameters.get("token") or _guessed_key(body)


def _payload(wire: Wire) -> bytes:
    """Return the JSON that a request carries: as its body, or as `data` in a form or in the query, maybe in base64."""
    if wire.parameters.get("compression") == "lz64":
        raise UnsupportedEncodingError("lz64 is not known here. Newer versions of posthog-js don't send it.")
    body = wire.body.strip()
    if not body:
        body = wire.parameters.get("data", "").encode()
    elif body[:1] not in {b"{", b"["} and b"data=" in body:
        form = dict(parse_qsl(body.decode("latin-1"), keep_blank_values=True))
        body = form.get("data", "").encode()
    body = body.strip()
    if not body:
        raise MalformedRequestError("There is no event: neither a body nor data in the query.")
    if body[:1] in {b"{", b"["}:
        return body
    text = body.translate(_BASE64_URL).rstrip(b"=")
    try:
        body = binascii.a2b_base64(text + b"=" * (-len(text) % 4)).strip()
    except binascii.Error as error:
        raise MalformedRequestError(f"The body is neither JSON nor base64: {error}.") from error
    if body[:1] not in {b"{", b"["}:
        raise MalformedRequestError("The body is neither JSON nor JSON in base64.")
    return body


def _open(body: bytes) -> _Opened:
    is_list = body[:1] == b"["
    try:
        envelope, events = lenient_json.decode_envelope(
            b'{"batch":%b}' % body if is_list else body, _decode_envelope, "batch"
        )
    except MalformedRequestError:
        mended = lenient_json.mend_surrogates(body)
        if mended == body:
            raise
        return _open(mended)
    plain = lenient_json.is_plain(body)
    if events is None:
        events = [Raw(body)] if envelope.batch is None else envelope.batch
    return _Opened(events, envelope, plain, is_batch=envelope.batch is not None)


def _own_key(keys: _Keys) -> str | None:
    return next((key for key in (keys.api_key, keys.token, keys.dollar_token) if isinstance(key, str) and key), None)


def _says_token(body: bytes) -> bool:
    try:
        return isinstance(_decode_keys(body).token, str)
    except (MsgspecError, *lenient_json.NOT_JSON):
        return False


def _inner_key(keys: _Keys) -> str | None:
    try:
        return None if isinstance(keys.properties, UnsetType) else _own_key(_decode_keys(keys.properties))
    except MsgspecError:
        return None


def _event_key(raw: Raw) -> str | None:
    try:
        keys = _decode_keys(raw)
    except (MsgspecError, *lenient_json.NOT_JSON):
        return None
    return _own_key(keys) or _inner_key(keys)


def _guessed_key(body: bytes) -> str | None:
    member = _KEY_MEMBER.search(body)
    return member.group(1).decode(errors="replace") if member else None


def _uuid(raw: Raw) -> str | None:
    try:
        return _decode_uuid(raw).uuid
    except (MsgspecError, *lenient_json.NOT_JSON):
        member = _UUID_MEMBER.search(bytes(raw))
        return member.group(1).decode(errors="replace") if member else None


def _milliseconds(sent_at: Instant) -> int | None:
    try:
        return None if sent_at is None else instants.parse(sent_at)
    except instants.InvalidInstantError:
        return None


def _pixel(_rejected: list[Rejection]) -> Reply:
    return _PIXEL


def _wrap(event: bytes) -> bytes:
    return b'{"batch":[%b]}' % event


_V0 = Endpoint(NAME, parse, find_key, refuse, frozenset({"GET", "POST"}), wrap=_wrap, head_key=header_write_key)
SHARED = {"/batch": _V0, "/track": _V0, "/engage": _V0}
"""By path, those of which `claims` decides, without the protocol's own prefix."""
ENDPOINTS = {
    "/e": _V0,
    "/i/v0/e": _V0,
    "/i/v0/ai/batch": _V0,
    "/capture": _V0,
    "/i/v1/analytics/events": Endpoint(NAME, parse_v1, wrap=_wrap),
}
"""By path, those that are PostHog's alone, without the protocol's own prefix."""
