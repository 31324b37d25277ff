"""From the parameters of one of Snowplow's events to ours.

Parameters: https://docs.snowplow.io/docs/events/going-deeper/event-parameters
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TypeVar
from urllib.parse import SplitResult, parse_qsl, urlsplit

import msgspec
from msgspec import DecodeError, Raw, Struct, ValidationError
from msgspec.json import Decoder

from core.events import Event, EventType, RejectReason
from core.events.event import Id
from ingestion import lenient_json
from ingestion.identity import as_text, is_legal
from ingestion.rejection import RejectedEventError

_T = TypeVar("_T")


class _Described(Struct):
    """A self-describing JSON."""

    schema: str
    data: Raw


class _SelfDescribingEvent(Struct):
    data: _Described


class _Contexts(Struct):
    data: list[Raw]


class _ClientSession(Struct, rename="camel"):
    user_id: str | None = None
    session_id: str | None = None


class _Identity(Struct):
    id: Id = None


_decode_parameters = Decoder(dict[str, str | int | float | bool | None]).decode
_decode_described = Decoder(_Described).decode
_decode_self_describing_event = Decoder(_SelfDescribingEvent).decode
_decode_contexts = Decoder(_Contexts).decode
_decode_client_session = Decoder(_ClientSession).decode
_decode_identity = Decoder(_Identity).decode
_encode = msgspec.json.encode

_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_SIZE = re.compile(r"(\d{1,9})x(\d{1,9})", re.ASCII)
_SCHEMA = re.compile(r"iglu:(?P<vendor>[^/]+)/(?P<name>[^/]+)/[^/]+/[^/]+")
_BASE64_ALPHABET = str.maketrans("-_ ", "+/+")

_OWN_VENDOR = "com.snowplowanalytics.snowplow"
_TYPES = {
    (_OWN_VENDOR, "identify"): EventType.IDENTIFY,
    (_OWN_VENDOR, "page_view"): EventType.PAGE,
    (_OWN_VENDOR, "screen_view"): EventType.SCREEN,
    ("com.snowplowanalytics.mobile", "screen_view"): EventType.SCREEN,
}
"""Self-describing events that are no tracks, by vendor and name of their schema."""
_FLAT = {
    "pp": {"pp_mix": "min_x", "pp_max": "max_x", "pp_miy": "min_y", "pp_may": "max_y"},
    "se": {"se_ca": "category", "se_la": "label", "se_pr": "property", "se_va": "value"},
    "tr": {
        "tr_id": "order_id",
        "tr_af": "affiliation",
        "tr_tt": "total",
        "tr_tx": "tax",
        "tr_sh": "shipping",
        "tr_ci": "city",
        "tr_st": "state",
        "tr_co": "country",
        "tr_cu": "currency",
    },
    "ti": {
        "ti_id": "order_id",
        "ti_sk": "sku",
        "ti_nm": "name",
        "ti_ca": "category",
        "ti_pr": "price",
        "ti_qu": "quantity",
        "ti_cu": "currency",
    },
}
"""Properties by the parameters that carry them, for each flat type of event."""
_FLAT_NAMES = {"pp": "page_ping", "tr": "transaction", "ti": "transaction_item"}
_NUMBERS = frozenset({*_FLAT["pp"], "se_va", "tr_tt", "tr_tx", "tr_sh", "ti_pr", "ti_qu"})
_CAMPAIGN = {"utm_campaign": "name"} | {f"utm_{part}": part for part in ("source", "medium", "term", "content")}

_NO_ADDRESS = "0.0.0.0"  # noqa: S104 - not to listen on: Segment's way to say that the address is not to be kept


class Origin(Struct, frozen=True):
    """What the request says of all its events."""

    write_key: str | None
    is_key_apart: bool
    """Whether the write key stands outside of the events, so that their app id is a name and nothing more."""
    hides_address: bool


def decode_json(raw: Raw, *, origin: Origin, plain: bool) -> Event:
    """Decode one event of a body, of which `lenient_json.is_plain` said `plain`; raise `RejectedEventError`."""
    decoded = lenient_json.decode_event(raw, _decode_parameters, plain=plain)
    return _event({name: text for name, value in decoded.items() if (text := as_text(value))}, origin)


def decode_query(raw: Raw, *, origin: Origin) -> Event:
    """Decode the event that is a query; raise `RejectedEventError`."""
    try:
        return _event(dict(parse_qsl(bytes(raw).decode(), errors="strict")), origin)
    except UnicodeDecodeError as error:
        raise RejectedEventError(RejectReason.INVALID_UTF8, "the query is not UTF-8") from error


def _event(parameters: dict[str, str], origin: Origin) -> Event:
    """Make an event of its parameters, which are used up: those that have no place of their own go to the context."""
    app_id = parameters.pop("aid", None)
    if app_id == origin.write_key:
        app_id = None
    elif app_id is not None and not origin.is_key_apart:
        raise RejectedEventError(
            RejectReason.OTHER_WRITE_KEY, f"aid {app_id[:8]}… is not the write key of the request's other events"
        )
    contexts = _contexts(parameters)
    session = _client_session(contexts)
    page = _page(parameters)
    kind = parameters.pop("e", "")
    if kind == "ue":
        event = _self_describing(parameters, contexts)
    elif kind == "pv":
        event = Event(type=EventType.PAGE, properties=_properties(page, contexts))
    elif kind in _FLAT:
        name = parameters.pop("se_ac", None) if kind == "se" else _FLAT_NAMES[kind]
        properties = {
            name: _as_number(value) if parameter in _NUMBERS else value
            for parameter, name in _FLAT[kind].items()
            if (value := parameters.pop(parameter, None)) is not None
        }
        event = Event(type=EventType.TRACK, event=name, properties=_properties(properties, contexts))
    else:
        raise RejectedEventError(RejectReason.INVALID_TYPE, f"e is {kind[:20]!r}; it must be ue, pv, pp, se, tr or ti")
    event.message_id = parameters.pop("eid", None)
    user_id = parameters.pop("uid", None)
    if event.user_id is None:
        event.user_id = user_id
    event.anonymous_id = _anonymous_id(parameters, session)
    event.session_id = parameters.pop("sid", session.session_id)
    # The "true" time is right whatever the device's clock says: without a time of sending nothing corrects it.
    event.timestamp = parameters.pop("ttm", None)
    if event.timestamp is None:
        event.timestamp, event.sent_at = parameters.pop("dtm", None), parameters.pop("stm", None)
    event.context = Raw(_encode(_context(parameters, page, app_id, hides_address=origin.hides_address)))
    return event


def _self_describing(parameters: dict[str, str], contexts: list[Raw]) -> Event:
    json = _json_parameter(parameters, "ue_px", "ue_pr")
    if json is None:
        raise RejectedEventError(RejectReason.INVALID_SHAPE, "e is ue, but there is neither ue_px nor ue_pr")
    described = _decode(json, _decode_self_describing_event).data
    schema = _SCHEMA.fullmatch(described.schema)
    if schema is None:
        raise RejectedEventError(
            RejectReason.INVALID_EVENT_NAME,
            f"the schema {described.schema[:100]!r} is not as iglu:com.acme/buy/jsonschema/1-0-0",
        )
    key = (schema["vendor"], schema["name"])
    kind = _TYPES.get(key, EventType.TRACK)
    data = _object(described.data)
    own = _properties({"$schema": described.schema}, contexts)
    if kind == EventType.IDENTIFY:
        return Event(type=kind, user_id=_user_id(data), traits=Raw(data), properties=own)
    # Spliced, so that the data stay as they came.
    properties = Raw(data[:-1] + b"," + bytes(own)[1:]) if data[1:-1].strip() else own
    return Event(type=kind, event=schema["name"], properties=properties)


def _user_id(identity: bytes) -> Id:
    try:
        given = _decode_identity(identity).id
    except ValidationError as error:
        raise RejectedEventError(RejectReason.INVALID_SHAPE, f"identify: {error}") from error
    return None if given == "" else given


def _object(raw: Raw) -> bytes:
    """Return the bytes of a JSON object; null and an empty list stand for an empty one."""
    data = bytes(raw)
    if data.startswith(b"{"):
        return data
    if data == b"null" or data.translate(None, b" \t") == b"[]":
        return b"{}"
    raise RejectedEventError(RejectReason.INVALID_SHAPE, "the data of the self-describing event must be a JSON object")


def _properties(own: Mapping[str, Any], contexts: list[Raw]) -> Raw:
    return Raw(_encode({**own, "$contexts": contexts} if contexts else own))


def _contexts(parameters: dict[str, str]) -> list[Raw]:
    """Return the entities that are attached to an event, each as it came."""
    json = _json_parameter(parameters, "cx", "co")
    if json is None:
        return []
    return _decode(json, _decode_contexts).data


def _client_session(contexts: list[Raw]) -> _ClientSession:
    """Return the mobile trackers' session, which also names the device; an empty one where there is none."""
    for entity in contexts:
        if b"/client_session/" in bytes(entity):
            with suppress(DecodeError):
                return _decode_client_session(_decode_described(entity).data)
    return _ClientSession()


def _decode(json: Raw, decode: Callable[[Raw], _T]) -> _T:
    """Decode JSON that stood within a string, hence with anything in it that the event around it has not."""
    return lenient_json.decode_event(json, decode, plain=lenient_json.is_plain(bytes(json)))


def _json_parameter(parameters: dict[str, str], packed: str, plain: str) -> Raw | None:
    """Return the JSON of a parameter that comes in base64url or as it is."""
    text, unpacked = parameters.pop(packed, None), parameters.pop(plain, None)
    if text is None:
        return None if unpacked is None else Raw(unpacked.encode())
    # Trackers differ in alphabet and padding; a plus sign in a query may have become a space.
    text = text.translate(_BASE64_ALPHABET).rstrip("=")
    try:
        return Raw(base64.b64decode(text + "=" * (-len(text) % 4), validate=True))
    except (binascii.Error, ValueError) as error:
        raise RejectedEventError(RejectReason.INVALID_JSON, f"{packed} is not base64url: {error}") from error


def _anonymous_id(parameters: dict[str, str], session: _ClientSession) -> str | None:
    """Take the most particular id that can name a device; of illegal ones the first, to be judged like any other."""
    given = {name: parameters[name] for name in ("duid", "tnuid", "nuid") if name in parameters}
    if session.user_id:
        given[""] = session.user_id
    chosen = next((name for name, value in given.items() if is_legal(value)), next(iter(given), None))
    if chosen is None:
        return None
    parameters.pop(chosen, None)
    return given[chosen]


def _context(
    parameters: dict[str, str], page: dict[str, str], app_id: str | None, *, hides_address: bool
) -> dict[str, Any]:
    """Return the context in Segment's shape; what is left of the parameters stands under `snowplow`, as it came."""
    name, _, version = parameters.pop("tv", "").partition("-")
    members: dict[str, Any] = {
        "library": {"name": f"snowplow-{name}", "version": version} if name else None,
        "app": {"name": app_id} if app_id else None,
        "platform": parameters.pop("p", None),
        "ip": parameters.pop("ip", _NO_ADDRESS if hides_address else None),
        "userAgent": parameters.pop("ua", None),
        "locale": parameters.pop("lang", None),
        "timezone": parameters.pop("tz", None),
        "screen": _sizes(parameters, "res", "width", "height") | _sizes(parameters, "vp", "innerWidth", "innerHeight"),
        "page": page,
        "campaign": _campaign(page),
        "snowplow": parameters,
    }
    return {name: value for name, value in members.items() if value}


def _page(parameters: dict[str, str]) -> dict[str, str]:
    url = parameters.pop("url", "")
    parts = SplitResult("", "", "", "", "")
    with suppress(ValueError):  # brackets in the host that hold no IPv6 address
        parts = urlsplit(url)
    members = {
        "url": url,
        "path": parts.path or ("/" if parts.netloc else ""),
        "search": f"?{parts.query}" if parts.query else "",
        "title": parameters.pop("page", ""),
        "referrer": parameters.pop("refr", ""),
    }
    return {name: value for name, value in members.items() if value}


def _campaign(page: dict[str, str]) -> dict[str, str]:
    search = page.get("search", "")
    if "utm_" not in search:
        return {}
    return {_CAMPAIGN[name]: value for name, value in parse_qsl(search[1:]) if name in _CAMPAIGN}


def _sizes(parameters: dict[str, str], parameter: str, width: str, height: str) -> dict[str, int]:
    match = _SIZE.fullmatch(parameters.get(parameter, ""))
    if match is None:
        return {}
    del parameters[parameter]
    return {width: int(match[1]), height: int(match[2])}


def _as_number(text: str) -> Raw | str:
    """Return a number with the digits that it came with; other text stays text."""
    return Raw(text) if _NUMBER.fullmatch(text) else text
