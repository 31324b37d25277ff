"""From Mixpanel's events and updates of profiles to our events."""

import re
from typing import Any

import msgspec
from msgspec import UNSET, DecodeError, Raw, Struct, UnsetType, ValidationError
from msgspec.json import Decoder, Encoder

from core.events import Event, EventType, RejectReason
from core.events.event import Id, Instant
from ingestion import lenient_json
from ingestion.identity import as_text
from ingestion.rejection import RejectedEventError

_DEVICE = "$device:"
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_MERGED_IDS = 2
_SERVERS = frozenset({b'"python"', b'"node"'})
"""What `mp_lib` says in the libraries of servers."""

_CONTEXT = {
    "library": {"name": "mp_lib", "version": "$lib_version"},
    "page": {
        "url": "$current_url",
        "path": "current_url_path",
        "search": "current_url_search",
        "title": "current_page_title",
        "referrer": "$referrer",
    },
    "screen": {"width": "$screen_width", "height": "$screen_height"},
    "os": {"name": "$os", "version": "$os_version"},
    "device": {"name": "$device", "manufacturer": "$manufacturer", "model": "$model"},
    "app": {"version": "$app_version_string", "build": "$app_build_number"},
    "location": {"country": "mp_country_code", "region": "$region", "city": "$city"},
    "campaign": {
        "source": "utm_source",
        "medium": "utm_medium",
        "name": "utm_campaign",
        "term": "utm_term",
        "content": "utm_content",
    },
}
"""Which member of our context each of Mixpanel's properties is."""
_PLACES = {name: (part, member) for part, members in _CONTEXT.items() for member, name in members.items()}
# These fill columns of text. A number there would make the whole context unreadable for them.
_TEXTS = frozenset({"mp_lib", "$lib_version"})
_ABSENT = frozenset({b"null", b'""'})


class _Metadata(Struct):
    """What the mobile clients put beside an event."""

    session_id: Id = msgspec.field(name="$mp_session_id", default=None)


class _Tracked(Struct):
    event: str | None = None
    properties: Raw | UnsetType = UNSET
    metadata: _Metadata | None = msgspec.field(name="$mp_metadata", default=None)


class _Properties(Struct):
    """The properties that say whose event it is, and when it happened."""

    token: str | None = None
    time: Instant = None
    insert_id: Id = msgspec.field(name="$insert_id", default=None)
    distinct_id: Id = None
    device_id: Id = msgspec.field(name="$device_id", default=None)
    user_id: Id = msgspec.field(name="$user_id", default=None)
    identified_id: Id = msgspec.field(name="$identified_id", default=None)
    anon_id: Id = msgspec.field(name="$anon_id", default=None)
    anon_distinct_id: Id = msgspec.field(name="$anon_distinct_id", default=None)
    library: Raw | UnsetType = msgspec.field(name="mp_lib", default=UNSET)
    # Mixpanel's own in one event each; in any other event they may be anything.
    alias: Raw | UnsetType = UNSET
    distinct_ids: Raw | UnsetType = msgspec.field(name="$distinct_ids", default=UNSET)


class _Update(Struct):
    """An update of the profile of a person or of a group."""

    token: str | None = msgspec.field(name="$token", default=None)
    time: Instant = msgspec.field(name="$time", default=None)
    insert_id: Id = msgspec.field(name="$insert_id", default=None)
    distinct_id: Id = msgspec.field(name="$distinct_id", default=None)
    device_id: Id = msgspec.field(name="$device_id", default=None)
    user_id: Id = msgspec.field(name="$user_id", default=None)
    group_key: str | None = msgspec.field(name="$group_key", default=None)
    group_id: Id = msgspec.field(name="$group_id", default=None)
    ip: Raw = msgspec.field(name="$ip", default=Raw(b"null"))
    set: Raw | UnsetType = msgspec.field(name="$set", default=UNSET)
    set_once: Raw | UnsetType = msgspec.field(name="$set_once", default=UNSET)
    add: Raw | UnsetType = msgspec.field(name="$add", default=UNSET)


_decode_tracked = Decoder(_Tracked).decode
_decode_properties = Decoder(_Properties).decode
_decode_members = Decoder(dict[str, Raw]).decode
_decode_raw = Decoder(Raw).decode
_decode_update = Decoder(_Update).decode
_decode_id = Decoder(Id).decode
_decode_ids = Decoder(list[Id]).decode
_encode = Encoder().encode


def decode_event(raw: Raw, *, key: str | None, plain: bool) -> Event:
    """Make our event of one of `/track` or `/import`; raise `RejectedEventError`.

    `key` is the request's write key, None where there is no request; `plain` what `lenient_json.is_plain` said of its
    payload.
    """
    tracked = lenient_json.decode_event(raw, _decode_tracked, plain=plain)
    said, members = _Properties(), dict[str, Raw]()
    if isinstance(tracked.properties, Raw):
        said = lenient_json.decode_event(tracked.properties, _decode_properties, plain=True)
        members = lenient_json.decode_event(tracked.properties, _decode_members, plain=True)
    _demand_key(said.token, key)
    event = Event(
        message_id=as_text(said.insert_id),
        timestamp=said.time,
        properties=tracked.properties,
        context=_context(members),
        session_id=None if tracked.metadata is None else tracked.metadata.session_id,
    )
    match tracked.event:
        case "$identify":
            _identify(event, said)
        case "$create_alias":
            event.type = EventType.ALIAS
            event.previous_id = _bare(said.distinct_id)
            event.user_id = _bare(_read(said.alias, _decode_id, "alias"))
        case "$merge":
            _merge(event, said)
        case name:
            event.type = EventType.PAGE if name == "$mp_web_page_view" else EventType.TRACK
            event.event = name
            event.anonymous_id, event.user_id = _person(said)
    return event


def decode_profile(raw: Raw, *, key: str | None, plain: bool) -> Event:
    """Make an identify of an update of a person (`/engage`); raise `RejectedEventError`.

    It carries one id only, so that it links nothing. The update as it came is its properties: nothing is lost of what
    are no traits (`$append`, `$union`, `$remove`, `$unset`, `$delete`).
    """
    update, event = _updated(raw, key=key, plain=plain)
    event.type = EventType.IDENTIFY
    anonymous_id, event.user_id = _person(update)
    if event.user_id is None:
        event.anonymous_id = anonymous_id
    return event


def decode_group(raw: Raw, *, key: str | None, plain: bool) -> Event:
    """Make a group event without a person of an update of a group (`/groups`); raise `RejectedEventError`.

    The update as it came is its properties.
    """
    update, event = _updated(raw, key=key, plain=plain)
    event.type = EventType.GROUP
    event.group_type, event.group_id = update.group_key, update.group_id
    return event


def _updated(raw: Raw, *, key: str | None, plain: bool) -> tuple[_Update, Event]:
    mended = lenient_json.decode_event(raw, _decode_raw, plain=plain)
    update = lenient_json.decode_event(mended, _decode_update, plain=True)
    _demand_key(update.token, key)
    return update, Event(
        message_id=as_text(update.insert_id),
        timestamp=update.time,
        properties=mended,
        traits=update.set,
        traits_once=update.set_once,
        traits_increment=update.add,
        context=_context({"$ip": update.ip}),
    )


def _demand_key(token: str | None, key: str | None) -> None:
    if token and key is not None and token != key:
        raise RejectedEventError(
            RejectReason.OTHER_WRITE_KEY, f"the token {token[:8]}… is not the write key of its request"
        )


def _person(said: _Properties | _Update) -> tuple[Id, Id]:
    """Return anonymous id and user id.

    A distinct id is a device's where it says so, or where it is the device id itself, as clients write it that know
    nothing of `$device:` yet; otherwise it is a user's. An empty one is nobody's.
    """
    distinct_id, device_id = said.distinct_id, said.device_id
    if isinstance(distinct_id, str) and distinct_id.startswith(_DEVICE):
        return _bare(distinct_id) if device_id is None else device_id, said.user_id
    if said.user_id is not None:
        return device_id, said.user_id
    return device_id, None if distinct_id in (device_id, "") else distinct_id


def _identify(event: Event, said: _Properties) -> None:
    event.type = EventType.IDENTIFY
    device_id, user_id = _person(said)
    event.user_id = user_id if said.identified_id is None else said.identified_id
    anonymous_id = said.anon_distinct_id if said.anon_id is None else said.anon_id
    if isinstance(anonymous_id, str) and anonymous_id.startswith(_DEVICE):
        event.anonymous_id = _bare(anonymous_id)
    elif device_id is not None:
        # In the browser the id before may be another user's; two users are not merged by logging in after another.
        event.anonymous_id = device_id
    elif isinstance(anonymous_id, str) and _UUID.fullmatch(anonymous_id) and _is_servers(said.library):
        # A server's own anonymous id (Mixpanel demands a UUID): its events look like a user's, so that linking it as
        # a device would leave them behind. An older client's may be the user who was there before: never merge those.
        event.type = EventType.ALIAS
        event.previous_id = anonymous_id
    else:
        event.anonymous_id = anonymous_id


def _is_servers(library: Raw | UnsetType) -> bool:
    return isinstance(library, Raw) and bytes(library) in _SERVERS


def _merge(event: Event, said: _Properties) -> None:
    ids: list[Id] = _read(said.distinct_ids, _decode_ids, "$distinct_ids") or []
    if len(ids) != _MERGED_IDS:
        raise RejectedEventError(RejectReason.INVALID_SHAPE, f"$distinct_ids must be two ids, not {len(ids)}")
    kept, merged = ids
    if isinstance(kept, str) and kept.startswith(_DEVICE):
        kept, merged = merged, kept
    event.type = EventType.ALIAS
    event.user_id, event.previous_id = _bare(kept), _bare(merged)


def _bare(identifier: Id) -> Id:
    return identifier.removeprefix(_DEVICE) if isinstance(identifier, str) else identifier


def _read(value: Raw | UnsetType, decode: Any, member: str) -> Any:
    if not isinstance(value, Raw):
        return None
    try:
        return decode(value)
    except (ValidationError, DecodeError) as error:
        raise RejectedEventError(RejectReason.INVALID_SHAPE, f"{member}: {error}") from error


def _context(members: dict[str, Raw]) -> Raw | UnsetType:
    context: dict[str, Any] = {}
    for name, value in members.items():
        place = _PLACES.get(name)
        if place is None or bytes(value) in _ABSENT or (name in _TEXTS and not _is_text(value)):
            continue
        part, member = place
        context.setdefault(part, {})[member] = value
    for name, member in (("ip", "ip"), ("$ip", "ip"), ("$user_agent", "userAgent")):
        value = members.get(name)
        # An address of 0 says that there is none to use.
        if value is not None and _is_text(value) and bytes(value) not in (b'""', b'"0"'):
            context[member] = value
    return Raw(_encode(context)) if context else UNSET


def _is_text(value: Raw) -> bool:
    return bytes(value).startswith(b'"')
