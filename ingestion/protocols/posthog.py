"""PostHog's capture API, v0 and v1: what a request holds, and what its clients understand as an answer."""

import binascii
import re
from dataclasses import dataclass
from functools import partial

import msgspec
from msgspec import UNSET, MsgspecError, Raw, Struct, UnsetType, field
from msgspec.json import Decoder

from core.errors import RadixError
from core.events import Event
from core.events.event import Instant
from core.metadata.projects import WRITE_KEY_PREFIX
from ingestion import lenient_json
from ingestion.errors import MalformedRequestError, UnsupportedEncodingError
from ingestion.protocols.posthog_events import Common, milliseconds, translate
from ingestion.wire import Delivery, Endpoint, Rejection, Reply, Wire, header_write_key, problem, rejection_members

NAME = "posthog"
_SUCCESS = Reply(b'{"status":"Ok"}')
_PIXEL = Reply(
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00"
    b",\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x01D\x00;",
    "image/gif",
)
_BASE64_URL = bytes.maketrans(b"-_ ", b"+/+")
_TEMPORARY = frozenset({408, 429})
_UNAVAILABLE = 503


class _Keys(Struct):
    """Where a key may stand.

    None is decoded yet: 2 MB of `[[],[],…]` in place of a key would take 0.4 s.
    """

    api_key: Raw | UnsetType = UNSET
    token: Raw | UnsetType = UNSET
    dollar_token: Raw | UnsetType = field(name="$token", default=UNSET)
    properties: Raw | UnsetType = UNSET


class _Envelope(_Keys):
    """A batch, or what a single event says of its request."""

    batch: list[Raw] | None = None
    sent_at: Instant = None
    timestamp: Instant = None


class _FirstReadError(Exception):
    """The first element of a list is read: the others may be many."""

    def __init__(self, keys: _Keys) -> None:
        super().__init__()
        self.keys = keys


class _FirstKeys(_Keys):
    """Where a key may stand in the first element of a list: decoding ends there, which leaves out 0.1 s per 2 MB."""

    def __post_init__(self) -> None:
        raise _FirstReadError(self)


class _Uuid(Struct):
    uuid: str | None = None


_decode_envelope = Decoder(_Envelope).decode
_decode_keys = Decoder(_Keys).decode
_decode_first_keys = Decoder(list[_FirstKeys]).decode
_decode_text = Decoder(str).decode
_decode_uuid = Decoder(_Uuid).decode
_BATCH_OR_EVENTS = re.compile(rb'"(batch|events)"\s*+:\s*+\[')
# A uuid, or what else has to be skipped as a whole or counted to know whether one is the event's own.
_UUID_OR_STRUCTURE = re.compile(
    rb'"uuid"\s*+:\s*+"(?P<uuid>[^"\\]{1,200})"|"(?:[^"\\]++|\\.?+)*+"?|[\[\]{}]', re.DOTALL
)
_ESCAPED = re.compile(rb"(?:%[0-9a-fA-F]{2})++")
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
    try:
        # Nothing to read is malformed too: then only the head is known yet.
        body = _payload(wire)
    except (MalformedRequestError, UnsupportedEncodingError):
        return False
    if wire.path.rstrip("/").endswith("/batch"):
        # Amplitude's batch has an api_key too, but it is an object whose list is called `events`.
        first = _BATCH_OR_EVENTS.search(body)
        return body[:1] == b"[" or (first is not None and first.group(1) == b"batch")
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
        sent_ms=milliseconds(sent_at),
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
    common = Common(write_key=key, sent_ms=milliseconds(sent_at), library=library)
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
    return Reply(msgspec.json.encode({"status": "Ok", **rejection_members(rejected)}))


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
    said = refuse_v1(wire, error)
    if error.status not in _TEMPORARY:
        return said
    body = error.problem(instance=wire.path) | {"status": _UNAVAILABLE}
    return Reply(msgspec.json.encode(body), said.media_type, _UNAVAILABLE, said.headers)


def refuse_v1(wire: Wire, error: RadixError) -> Reply:
    """Say an error to clients of v1: they send again after 408 and 429 too, but browsers would ask for a password."""
    said = problem(wire, error)
    headers = {name: value for name, value in error.headers.items() if name != "WWW-Authenticate"}
    return Reply(said.body, said.media_type, said.status, headers)


def find_key(wire: Wire) -> str | None:
    """Return the write key of a request; a guess where its body is not JSON, or a list whose first event has none."""
    body = _payload(wire)
    found = _first_key(body) if body[:1] == b"[" else _event_key(body)
    return found or wire.parameters.get("api_key") or wire.parameters.get("token") or _guessed_key(body)


def find_key_v1(wire: Wire) -> str | None:
    """Return the write key around the events of v1, for requests without one in their head."""
    try:
        return _own_key(_decode_keys(wire.body))
    except msgspec.ValidationError:
        return None
    except lenient_json.NOT_JSON:
        return _guessed_key(wire.body)


def _payload(wire: Wire) -> bytes:
    """Return the JSON that a request carries: as its body, or as `data` in a form or in the query, maybe in base64."""
    if wire.parameters.get("compression") == "lz64":
        raise UnsupportedEncodingError("lz64 is not known here. Newer versions of posthog-js don't send it.")
    body = wire.body.strip()
    if not body:
        body = wire.parameters.get("data", "").encode()
    elif body[:1] not in {b"{", b"["} and b"data=" in body:
        body = _form_data(body)
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


def _form_data(body: bytes) -> bytes:
    """Return the last `data` of a form. No other field is read: a million of them would take a second."""
    start = body.rfind(b"&data=") + len(b"&data=")
    if start < len(b"&data="):
        start = len(b"data=") if body.startswith(b"data=") else len(body)
    end = body.find(b"&", start)
    value = body[start : None if end == -1 else end].replace(b"+", b" ")
    return _ESCAPED.sub(lambda run: bytes.fromhex(run.group().replace(b"%", b"").decode()), value)


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
    return next((key for key in map(_text, (keys.api_key, keys.token, keys.dollar_token)) if key), None)


def _text(value: Raw | UnsetType) -> str | None:
    try:
        return None if isinstance(value, UnsetType) else _decode_text(value)
    except (MsgspecError, *lenient_json.NOT_JSON):
        return None


def _says_token(body: bytes) -> bool:
    try:
        return _text(_decode_keys(body).token) is not None
    except (MsgspecError, *lenient_json.NOT_JSON):
        return False


def _inner_key(keys: _Keys) -> str | None:
    try:
        return None if isinstance(keys.properties, UnsetType) else _own_key(_decode_keys(keys.properties))
    except (MsgspecError, *lenient_json.NOT_JSON):
        return None


def _event_key(event: Raw | bytes) -> str | None:
    try:
        keys = _decode_keys(event)
    except (MsgspecError, *lenient_json.NOT_JSON):
        return None
    return _own_key(keys) or _inner_key(keys)


def _first_key(body: bytes) -> str | None:
    """Return the key of the first event of a list."""
    try:
        _decode_first_keys(body)
    except _FirstReadError as first:
        return _own_key(first.keys) or _inner_key(first.keys)
    except (MsgspecError, *lenient_json.NOT_JSON):
        pass
    return None


def _guessed_key(body: bytes) -> str | None:
    member = _KEY_MEMBER.search(body)
    return member.group(1).decode(errors="replace") if member else None


def _uuid(raw: Raw) -> str | None:
    event = bytes(raw)
    for form in (event, lenient_json.mend_surrogates(event)):
        try:
            return _decode_uuid(form).uuid
        except msgspec.ValidationError:
            return None
        except lenient_json.NOT_JSON:
            continue
    return _guessed_uuid(event)


def _guessed_uuid(event: bytes) -> str | None:
    """Return the last `uuid` of an event that is not JSON, but none that stands deeper, as among its properties."""
    uuid = None
    depth = 0
    for token in _UUID_OR_STRUCTURE.finditer(event):
        match token.group():
            case b"{" | b"[":
                depth += 1
            case b"}" | b"]":
                depth -= 1
            case _ if depth == 1 and token["uuid"]:
                uuid = token["uuid"].decode(errors="replace")
            case _:
                pass
    return uuid


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
    "/i/v1/analytics/events": Endpoint(NAME, parse_v1, find_key_v1, refuse_v1, wrap=_wrap),
}
"""By path, those that are PostHog's alone, without the protocol's own prefix."""
