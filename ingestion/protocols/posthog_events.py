"""One event of PostHog's into one of ours."""

from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType, field
from msgspec.json import Decoder, Encoder

from core.events import Event, EventType, RejectReason
from core.events.event import Id, Instant
from ingestion import instants
from ingestion.rejection import RejectedEventError

COOKIELESS = "$posthog_cookieless"
"""What posthog-js says for everybody who must not be recognised; PostHog makes a hash of address and day of it."""
_DIRECT = Raw(b'"$direct"')
"""What posthog-js says where there is no referrer."""
_PYTHON = Raw(b'"posthog-python"')
_NULL = Raw(b"null")
_NO_OBJECT = frozenset({b"null", b"[]"})
_Member = Raw | UnsetType

_TYPES = {
    "$identify": EventType.IDENTIFY,
    # They say something of a person and are nothing that the person did. They name one id only, so they link nothing.
    "$set": EventType.IDENTIFY,
    "$set_once": EventType.IDENTIFY,
    "$create_alias": EventType.ALIAS,
    "$merge_dangerously": EventType.ALIAS,
    "$groupidentify": EventType.GROUP,
    "$pageview": EventType.PAGE,
    "$screen": EventType.SCREEN,
}


@dataclass(frozen=True, slots=True)
class Common:
    """What a request says for all of its events."""

    write_key: str | None = None
    """The request's; an event that names another is rejected."""
    keys_in_properties: bool = False
    """Whether a `token` in properties is a key: in a body that says its key elsewhere it is a property like others."""
    sent_ms: int | None = None
    library: str = ""
    """Name and version of the client library, for events that don't say it."""
    default_name: str | None = None


class _Options(Struct):
    """What protocol v1 takes out of the properties."""

    process_person_profile: Any = None
    disable_skew_correction: Any = None
    cookieless_mode: Any = None


class _WireEvent(Struct):
    event: str | None = None
    uuid: Any = None
    distinct_id: Id = None
    dollar_distinct_id: Id = field(name="$distinct_id", default=None)
    timestamp: Instant = None
    sent_at: Instant = None
    offset: Any = None
    """Milliseconds between the event and its sending."""
    session_id: Any = None
    api_key: Any = None
    token: Any = None
    properties: Raw | UnsetType = UNSET
    set: Raw | UnsetType = field(name="$set", default=UNSET)
    set_once: Raw | UnsetType = field(name="$set_once", default=UNSET)
    options: _Options | None = None


class _Properties(Struct):
    """The properties that are more than properties.

    Any may be of any type, since each is just a property to an event that means something else by its name.
    """

    token: Any = None
    api_key: Any = None
    distinct_id: Any = None
    anon_distinct_id: Any = field(name="$anon_distinct_id", default=None)
    alias: Any = None
    device_id: Any = field(name="$device_id", default=None)
    is_identified: Any = field(name="$is_identified", default=None)
    process_person_profile: Any = field(name="$process_person_profile", default=None)
    cookieless_mode: Any = field(name="$cookieless_mode", default=None)
    ignore_sent_at: Any = field(name="$ignore_sent_at", default=None)
    is_server: Any = field(name="$is_server", default=None)
    session_id: Any = field(name="$session_id", default=None)
    insert_id: Any = field(name="$insert_id", default=None)
    screen_name: Any = field(name="$screen_name", default=None)
    group_type: Any = field(name="$group_type", default=None)
    group_key: Any = field(name="$group_key", default=None)
    group_set: _Member = field(name="$group_set", default=UNSET)
    groups: _Member = field(name="$groups", default=UNSET)
    set: _Member = field(name="$set", default=UNSET)
    set_once: _Member = field(name="$set_once", default=UNSET)
    lib: _Member = field(name="$lib", default=UNSET)
    lib_version: _Member = field(name="$lib_version", default=UNSET)
    ip: _Member = field(name="$ip", default=UNSET)
    user_agent: _Member = field(name="$raw_user_agent", default=UNSET)
    url: _Member = field(name="$current_url", default=UNSET)
    path: _Member = field(name="$pathname", default=UNSET)
    referrer: _Member = field(name="$referrer", default=UNSET)
    title: _Member = UNSET
    screen_width: _Member = field(name="$screen_width", default=UNSET)
    screen_height: _Member = field(name="$screen_height", default=UNSET)
    browser_language: _Member = field(name="$browser_language", default=UNSET)
    locale: _Member = field(name="$locale", default=UNSET)
    timezone: _Member = field(name="$timezone", default=UNSET)
    os: _Member = field(name="$os", default=UNSET)
    os_version: _Member = field(name="$os_version", default=UNSET)
    device_type: _Member = field(name="$device_type", default=UNSET)
    device_manufacturer: _Member = field(name="$device_manufacturer", default=UNSET)
    device_model: _Member = field(name="$device_model", default=UNSET)
    app_name: _Member = field(name="$app_name", default=UNSET)
    app_version: _Member = field(name="$app_version", default=UNSET)
    country: _Member = field(name="$geoip_country_code", default=UNSET)
    region: _Member = field(name="$geoip_subdivision_1_name", default=UNSET)
    city: _Member = field(name="$geoip_city_name", default=UNSET)
    utm_source: _Member = UNSET
    utm_medium: _Member = UNSET
    utm_campaign: _Member = UNSET
    utm_term: _Member = UNSET
    utm_content: _Member = UNSET


_SINGLES = (
    ("ip", "ip"),
    ("userAgent", "user_agent"),
    ("locale", "browser_language"),
    ("locale", "locale"),
    ("timezone", "timezone"),
    ("groups", "groups"),
)
"""Members of `context`, and where they come from."""
_SERVER_SECTIONS = (
    ("library", (("name", "lib"), ("version", "lib_version"))),
    ("page", (("url", "url"), ("path", "path"), ("referrer", "referrer"), ("title", "title"))),
    (
        "campaign",
        (
            ("source", "utm_source"),
            ("medium", "utm_medium"),
            ("name", "utm_campaign"),
            ("term", "utm_term"),
            ("content", "utm_content"),
        ),
    ),
    ("app", (("name", "app_name"), ("version", "app_version"))),
    ("location", (("country", "country"), ("region", "region"), ("city", "city"))),
)
# A server's own system is nothing of its users'.
_SECTIONS = (
    *_SERVER_SECTIONS,
    ("screen", (("width", "screen_width"), ("height", "screen_height"))),
    ("os", (("name", "os"), ("version", "os_version"))),
    (
        "device",
        (
            ("id", "device_id"),
            ("type", "device_type"),
            ("manufacturer", "device_manufacturer"),
            ("model", "device_model"),
        ),
    ),
)
_NO_PROPERTIES = _Properties()
_decode_event = Decoder(_WireEvent).decode
_decode_properties = Decoder(_Properties).decode
_decode_object = Decoder(dict[str, Raw]).decode
_encode = Encoder().encode


def translate(raw: Raw, common: Common) -> Event:
    """Return our event; raise `RejectedEventError`, or msgspec's errors for bytes that are no event."""
    wire = _decode_event(raw)
    said = _read(wire.properties)
    _demand_key(wire, said, common)
    name = wire.event or common.default_name
    kind = _TYPES.get(name or "", EventType.TRACK)
    options = wire.options or _Options()
    # PostHog's own order: on an event that says its id twice, the outer one holds.
    distinct_id = next(
        (value for value in (wire.distinct_id, wire.dollar_distinct_id, said.distinct_id) if value is not None), None
    )
    if distinct_id == COOKIELESS or said.cookieless_mode is True or options.cookieless_mode is True:
        raise RejectedEventError(RejectReason.ILLEGAL_ID, "a cookieless event names nobody")
    distinct_id = _id(distinct_id, "distinct_id")
    is_anonymous = _is_anonymous(distinct_id, said, options)
    event = Event(
        type=kind,
        event=name,
        message_id=_text(wire.uuid) or _text(said.insert_id),
        session_id=_text(said.session_id) or _text(wire.session_id),
        timestamp=_timestamp(wire, common),
        sent_at="" if said.ignore_sent_at is True or options.disable_skew_correction is True else wire.sent_at,
        properties=wire.properties,
        traits=_merged(said.set, wire.set),
        traits_once=_merged(said.set_once, wire.set_once),
        context=_context(said, common),
    )
    match kind:
        case EventType.IDENTIFY if name == "$identify":
            anonymous_id = _id(said.anon_distinct_id, "$anon_distinct_id")
            if is_anonymous and anonymous_id is None:
                event.anonymous_id = distinct_id
            else:
                event.user_id, event.anonymous_id = distinct_id, anonymous_id if anonymous_id != distinct_id else None
        case EventType.ALIAS:
            # PostHog merges `alias` into `distinct_id`. But where that is a device which nobody is known to use yet,
            # the alias is the user; and posthog-python sends its previous_id as distinct_id.
            ends = (_id(said.alias, "alias"), distinct_id)
            is_turned = is_anonymous or said.lib == _PYTHON or common.library.startswith("posthog-python/")
            event.previous_id, event.user_id = ends[::-1] if is_turned else ends
        case _:
            _name_person(event, distinct_id, said, is_anonymous=is_anonymous)
            if kind == EventType.GROUP:
                _describe_group(event, said)
            elif kind == EventType.SCREEN:
                event.name = _text(said.screen_name)
    return event


def _read(properties: Raw | UnsetType) -> _Properties:
    if isinstance(properties, UnsetType):
        return _NO_PROPERTIES
    try:
        return _decode_properties(properties)
    except msgspec.ValidationError:
        if bytes(properties).translate(None, b" \t\r\n") in _NO_OBJECT:
            return _NO_PROPERTIES
        raise


def _demand_key(wire: _WireEvent, said: _Properties, common: Common) -> None:
    if common.write_key is None:
        return
    named = [wire.api_key, wire.token]
    if common.keys_in_properties:
        named += [said.api_key, said.token]
    for key in named:
        if isinstance(key, str) and key and key != common.write_key:
            raise RejectedEventError(
                RejectReason.OTHER_WRITE_KEY, f"the event names {key[:8]}…, its request {common.write_key[:8]}…"
            )


def _is_anonymous(distinct_id: Id, said: _Properties, options: _Options) -> bool:
    """Say whether a distinct id is a device's rather than a user's.

    Browsers and telephones say so. Servers say it of events without a person; otherwise their ids are users'.
    """
    if isinstance(said.is_identified, bool):
        return not said.is_identified
    if said.process_person_profile is False or options.process_person_profile is False:
        return True
    return distinct_id is not None and distinct_id == said.device_id


def _name_person(event: Event, distinct_id: Id, said: _Properties, *, is_anonymous: bool) -> None:
    if is_anonymous:
        event.anonymous_id = distinct_id
        return
    event.user_id = distinct_id
    # An identify with both would link them.
    if event.type != EventType.IDENTIFY and said.device_id != distinct_id:
        event.anonymous_id = _text(said.device_id)


def _describe_group(event: Event, said: _Properties) -> None:
    group_type, group_key = _id(said.group_type, "$group_type"), _id(said.group_key, "$group_key")
    event.group_type = None if group_type is None else str(group_type)
    event.group_id = group_key
    event.traits, event.traits_once = said.group_set, UNSET
    # posthog-node invents such an id when nobody is named; it is no user.
    if event.user_id == f"${group_type}_{group_key}":
        event.user_id, event.anonymous_id = None, event.user_id


def _id(value: Any, member: str) -> Id:
    if value is None or isinstance(value, str | int | float):
        return value
    raise RejectedEventError(RejectReason.INVALID_SHAPE, f"{member} must be text or a number")


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _timestamp(wire: _WireEvent, common: Common) -> Instant:
    """Return when it happened on the client's clock.

    Older browsers say only how long before its sending that was; without the time of sending, that says nothing.
    """
    if wire.timestamp is not None and wire.timestamp != "":
        return wire.timestamp
    if isinstance(wire.offset, bool) or not isinstance(wire.offset, int | float):
        return None
    sent_ms = milliseconds(wire.sent_at)
    if sent_ms is None:
        sent_ms = common.sent_ms
    return None if sent_ms is None else max(0, sent_ms - int(wire.offset))


def milliseconds(instant: Instant) -> int | None:
    """Return an instant in milliseconds since 1970; None for what is none."""
    try:
        return None if instant is None else instants.parse(instant)
    except instants.InvalidInstantError:
        return None


def _merged(inner: Raw | UnsetType, outer: Raw | UnsetType) -> Raw | UnsetType:
    """Return traits from the properties and from beside them, of which the latter win."""
    if isinstance(outer, UnsetType):
        return inner
    if isinstance(inner, UnsetType):
        return outer
    try:
        return Raw(_encode(_decode_object(inner) | _decode_object(outer)))
    except msgspec.ValidationError:
        return outer


def _context(said: _Properties, common: Common) -> Raw | UnsetType:
    """Put what has a place in `context` there, as it was said."""
    context: dict[str, Any] = {}
    for section, members in _SERVER_SECTIONS if said.is_server is True else _SECTIONS:
        found = {name: value for name, source in members if _is_said(value := getattr(said, source))}
        if found:
            context[section] = found
    for name, source in _SINGLES:
        if _is_said(value := getattr(said, source)):
            context[name] = value
    page = context.pop("page", {})
    if "url" not in page:  # elsewhere it may be the title of anything
        page.pop("title", None)
    if page.get("referrer") == _DIRECT:
        del page["referrer"]
    if page:
        context["page"] = page
    if common.library and "library" not in context:
        name, _, version = common.library.partition("/")
        context["library"] = {"name": name, "version": version}
    return Raw(_encode(context)) if context else UNSET


def _is_said(value: Any) -> bool:
    return value is not UNSET and value is not None and value != _NULL
