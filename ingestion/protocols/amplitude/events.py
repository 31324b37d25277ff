"""Amplitude's events, translated to the event contract."""

from typing import Any, TypeGuard

from msgspec import UNSET, Raw, Struct, UnsetType
from msgspec.json import Decoder, Encoder

from core.events import Event, EventType, RejectReason
from core.events.event import Id, Instant
from ingestion import lenient_json
from ingestion.identity import as_text
from ingestion.rejection import RejectedEventError

IDENTIFY, GROUP_IDENTIFY = "$identify", "$groupidentify"
_TYPES = {
    IDENTIFY: EventType.IDENTIFY,
    GROUP_IDENTIFY: EventType.GROUP,
    "[Amplitude] Page Viewed": EventType.PAGE,
    "[Amplitude] Screen Viewed": EventType.SCREEN,
}
_MOST_GROUPS, _MOST_BYTES = 100, 32 * 1024
_SCREEN_NAME = "[Amplitude] Screen Name"

_SET = "$set"
_APPLIED = (_SET, "$setOnce", "$add")
_NOT_APPLIED = ("$unset", "$clearAll", "$append", "$prepend", "$preInsert", "$postInsert", "$remove")

# Segment's own mapping to Amplitude, the other way round. What Segment has no place for is kept under `amplitude`.
_CONTEXT = {
    "user_agent": ("", "userAgent"),
    "language": ("", "locale"),
    "app_version": ("app", "version"),
    "version_name": ("app", "versionName"),
    "platform": ("device", "type"),
    "device_brand": ("device", "brand"),
    "device_manufacturer": ("device", "manufacturer"),
    "device_model": ("device", "model"),
    "idfa": ("device", "advertisingId"),
    "adid": ("device", "advertisingId"),
    "idfv": ("device", "idfv"),
    "android_id": ("device", "androidId"),
    "android_app_set_id": ("device", "androidAppSetId"),
    "os_name": ("os", "name"),
    "os_version": ("os", "version"),
    "carrier": ("network", "carrier"),
    "country": ("location", "country"),
    "region": ("location", "region"),
    "city": ("location", "city"),
    "dma": ("location", "dma"),
    "location_lat": ("location", "latitude"),
    "location_lng": ("location", "longitude"),
    **{
        name: ("amplitude", name)
        for name in ("event_id", "partner_id", "plan", "ingestion_metadata", "paying", "start_version")
    },
}
# What its browser library says of the page, among an event's properties.
_PAGE = {
    "[Amplitude] Page Location": ("page", "url"),
    "[Amplitude] Page URL": ("page", "url"),
    "[Amplitude] Page Path": ("page", "path"),
    "[Amplitude] Page Title": ("page", "title"),
    "referrer": ("page", "referrer"),
    "utm_source": ("campaign", "source"),
    "utm_medium": ("campaign", "medium"),
    "utm_campaign": ("campaign", "name"),
    "utm_term": ("campaign", "term"),
    "utm_content": ("campaign", "content"),
}
_PAGE_MARK = b'"[Amplitude] Page '
_REVENUE = ("revenue", "price", "quantity", "currency", "productId", "revenueType", "receipt", "receiptSig")
_NULL, _REMOTE_IP = Raw(b"null"), Raw(b'"$remote"')
_NOTHING = frozenset({b"{}", b"null", b"[]"})

_Object = Raw | UnsetType


class _Event(Struct):
    """What decides over an event. Its other members are read as they come."""

    event_type: str | None = None
    user_id: Id = None
    device_id: Id = None
    time: Instant = None
    insert_id: Id = None
    session_id: Id = None
    event_properties: _Object = UNSET
    user_properties: _Object = UNSET
    groups: _Object = UNSET
    group_properties: _Object = UNSET
    group_type: str | None = None
    group_value: Id = None


_decode_event = Decoder(_Event).decode
_decode_members = Decoder(dict[str, Raw]).decode
_decode_groups = Decoder(dict[str, Id | list[Id]]).decode
_decode_text = Decoder(str).decode
_encode = Encoder().encode


def decode_event(raw: Raw, *, plain: bool, min_id_length: int = 0, event_type: str | None = None) -> Event:
    """Translate one event, whose type is `event_type` where the path says it; raise `RejectedEventError`."""

    def translate(raw: Raw) -> Event:
        sent = _decode_event(raw)
        sent.event_type = event_type or sent.event_type
        return _translate(sent, _decode_members(raw))

    event = lenient_json.decode_event(raw, translate, plain=plain)
    if min_id_length:
        _leave_out_short_ids(event, min_id_length)
    return event


class GroupSplitter:
    """Makes a `$groupidentify` of several groups one for each, within a request of `size` bytes.

    Each part is a copy, made before anything else is judged. So that small requests do not grow large, an event of more
    than 32 KiB or 100 groups stays whole, to be rejected, and so does one by which all copies together would take more
    than 100 times 32 KiB beyond the request's own size.
    """

    def __init__(self, size: int) -> None:
        self._left = size + _MOST_GROUPS * _MOST_BYTES

    def split(self, raw: Raw) -> list[Raw]:
        """Return the parts of an event; one that is no such `$groupidentify` stays as it is."""
        size = memoryview(raw).nbytes
        if size > _MOST_BYTES:
            return [raw]
        try:
            sent = _decode_event(raw)
            if sent.event_type != GROUP_IDENTIFY or sent.groups is UNSET:
                return [raw]
            groups = _named_groups(sent.groups)
            members = _decode_members(raw)
        except lenient_json.NOT_JSON:
            return [raw]
        added = size * (len(groups) - 1)
        if not 1 < len(groups) <= _MOST_GROUPS or added > self._left:
            return [raw]
        self._left -= added
        parts: list[Raw] = []
        for number, (kind, group) in enumerate(groups):
            own = members | {"groups": _raw({kind: group})}
            if number and sent.insert_id is not None:
                own["insert_id"] = _raw(f"{as_text(sent.insert_id)}:{number}")
            parts.append(_raw(own))
        return parts


def _translate(sent: _Event, members: dict[str, Raw]) -> Event:
    kind = _TYPES.get(sent.event_type or "", EventType.TRACK)
    context = _context(members)
    if sent.event_properties is not UNSET and _PAGE_MARK in bytes(sent.event_properties):
        _place(_decode_members(sent.event_properties), _PAGE, context)
    more = {f"${name}": members[name] for name in _REVENUE if members.get(name, _NULL) != _NULL}
    if kind == EventType.GROUP:
        group_type, group_id = _group(sent)
        applied, kept = _split_operations(sent.group_properties)
        if kept:
            more["$group_properties"] = _raw(kept)
        if _says_something(sent.user_properties):
            more["$user_properties"] = sent.user_properties
    else:
        group_type = group_id = None
        applied, kept = _split_operations(sent.user_properties)
        if kept:
            more["$user_properties"] = _raw(kept)
        if _says_something(sent.groups):
            context["groups"] = sent.groups
    return Event(
        type=kind,
        event=sent.event_type,
        name=_screen_name(sent) if kind == EventType.SCREEN else None,
        message_id=as_text(sent.insert_id),
        anonymous_id=sent.device_id,
        user_id=sent.user_id,
        session_id=sent.session_id,
        timestamp=sent.time,
        group_type=group_type,
        group_id=group_id,
        properties=_with(sent.event_properties, more),
        context=_raw(context) if context else UNSET,
        traits=applied.get("$set", UNSET),
        traits_once=applied.get("$setOnce", UNSET),
        traits_increment=applied.get("$add", UNSET),
    )


def _context(members: dict[str, Raw]) -> dict[str, Any]:
    context: dict[str, Any] = {}
    library = members.get("library", _NULL)
    if _is_text(library):
        name, slash, version = _decode_text(library).rpartition("/")
        context["library"] = {"name": name, "version": version} if slash else {"name": version}
    elif library != _NULL:
        context["library"] = library
    # "$remote" asks for the address that the request came from, which is what holds without any.
    ip = members.get("ip", _NULL)
    if ip not in (_NULL, _REMOTE_IP):
        context["ip"] = ip
    _place(members, _CONTEXT, context)
    return context


def _place(members: dict[str, Raw], places: dict[str, tuple[str, str]], context: dict[str, Any]) -> None:
    for member, (part, name) in places.items():
        value = members.get(member)
        if value is not None and value != _NULL:
            (context.setdefault(part, {}) if part else context).setdefault(name, value)


def _split_operations(properties: _Object) -> tuple[dict[str, Raw], dict[str, Raw]]:
    """Return the operations that our contract has too, and those that it has not. Plain properties are to be set."""
    if properties is UNSET:
        return {}, {}
    if b'"$' not in bytes(properties):
        return {_SET: properties}, {}
    plain = _decode_members(properties)
    applied = {name: plain.pop(name) for name in _APPLIED if name in plain}
    kept = {name: plain.pop(name) for name in _NOT_APPLIED if name in plain}
    if plain:
        applied[_SET] = _raw(plain | _decode_members(applied.get(_SET, b"{}")))
    return applied, kept


def _group(sent: _Event) -> tuple[str | None, Id]:
    if sent.groups is UNSET:
        return sent.group_type, sent.group_value
    named = _named_groups(sent.groups)
    if len(named) != 1:
        raise RejectedEventError(
            RejectReason.INVALID_SHAPE,
            f"groups names {len(named)}; it must name the group that this is about, or up to {_MOST_GROUPS} of them "
            f"in an event of {_MOST_BYTES} bytes",
        )
    return named[0]


def _named_groups(groups: Raw) -> list[tuple[str, Id]]:
    return [
        (kind, group)
        for kind, value in _decode_groups(groups).items()
        for group in (value if isinstance(value, list) else [value])
    ]


def _screen_name(sent: _Event) -> str | None:
    if not _says_something(sent.event_properties):
        return None
    name = _decode_members(sent.event_properties).get(_SCREEN_NAME, _NULL)
    return _decode_text(name) if _is_text(name) else None


def _with(properties: _Object, more: dict[str, Raw]) -> _Object:
    """Add members to properties that do not have them."""
    if not more:
        return properties
    return _raw(more | (_decode_members(properties) if _says_something(properties) else {}))


def _says_something(value: _Object) -> TypeGuard[Raw]:
    return value is not UNSET and bytes(value) not in _NOTHING


def _is_text(value: Raw) -> bool:
    return bytes(value).startswith(b'"')


def _leave_out_short_ids(event: Event, least: int) -> None:
    ids = {"device_id": as_text(event.anonymous_id), "user_id": as_text(event.user_id)}
    short = {name for name, value in ids.items() if value is not None and len(value) < least}
    given = {name for name, value in ids.items() if value is not None}
    if short and (event.type == EventType.IDENTIFY or short == given):
        named = " and ".join(f"{name} {ids[name]!r}" for name in sorted(short))
        raise RejectedEventError(RejectReason.ILLEGAL_ID, f"{named}: shorter than options.min_id_length, {least}")
    if "device_id" in short:
        event.anonymous_id = None
    if "user_id" in short:
        event.user_id = None


def _raw(value: object) -> Raw:
    return Raw(_encode(value))
