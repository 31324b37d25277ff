"""What single members of an event say, or why they cannot stand."""

from uuid import uuid4

from msgspec import UNSET, Raw, UnsetType
from msgspec.json import Decoder, Encoder

from core.events import Event, EventType, RejectReason
from ingestion.identity import MAX_ID_BYTES, as_text, exceeds_bytes, is_legal, shown
from ingestion.instants import InvalidInstantError, parse
from ingestion.rejection import RejectedEventError

EMPTY = Raw(b'""')
"""What stands for no JSON object."""
# Plain strings: comparing with a member of an enumeration costs three times as much.
TRACK, IDENTIFY, GROUP, ALIAS = (
    str(kind) for kind in (EventType.TRACK, EventType.IDENTIFY, EventType.GROUP, EventType.ALIAS)
)
_OPENING_BRACE, _N = b"{n"
_decode_object = Decoder(dict[str, Raw]).decode
_encode = Encoder().encode


def read_message_id(value: str | None) -> str:
    """Return the event's id, made here where it has none; raise `RejectedEventError`."""
    if not value:
        return str(uuid4())
    if exceeds_bytes(value, MAX_ID_BYTES):
        raise RejectedEventError(RejectReason.INVALID_MESSAGE_ID, f"messageId is longer than {MAX_ID_BYTES} bytes")
    if "\0" in value:
        raise RejectedEventError(RejectReason.INVALID_MESSAGE_ID, "messageId has a NUL in it")
    return value


def read_event_name(name: str | None) -> str:
    """Return a track's name; raise `RejectedEventError`."""
    if name is None or not name or name.isspace():
        raise RejectedEventError(RejectReason.INVALID_EVENT_NAME, "a track needs the name of its event")
    if exceeds_bytes(name, MAX_ID_BYTES):
        raise RejectedEventError(RejectReason.INVALID_EVENT_NAME, f"the name is longer than {MAX_ID_BYTES} bytes")
    if "\0" in name:
        raise RejectedEventError(RejectReason.INVALID_EVENT_NAME, "the name has a NUL in it")
    return name


def read_ids(event: Event, kind: str) -> tuple[str, str, str]:
    """Return anonymous id, user id and previous id, empty where absent; raise `RejectedEventError`."""
    anonymous_id, user_id = as_text(event.anonymous_id), as_text(event.user_id)
    if kind == ALIAS:
        previous_id = as_text(event.previous_id)
        if previous_id is None:
            previous_id = anonymous_id
        if previous_id is None or user_id is None:
            raise RejectedEventError(RejectReason.MISSING_ID, "alias needs previousId (or anonymousId) and userId")
        _demand_legal(previousId=previous_id, userId=user_id, anonymousId=anonymous_id)
        return anonymous_id or "", user_id, previous_id
    if anonymous_id is None and user_id is None:
        if kind == GROUP:  # what is said of a group alone is nobody's event
            return "", "", ""
        raise RejectedEventError(RejectReason.MISSING_ID, f"{kind} needs anonymousId or userId")
    if kind == IDENTIFY:
        _demand_legal(userId=user_id, anonymousId=anonymous_id)
        return anonymous_id or "", user_id or "", ""
    kept_anonymous_id = anonymous_id if anonymous_id is not None and is_legal(anonymous_id) else ""
    kept_user_id = user_id if user_id is not None and is_legal(user_id) else ""
    if not kept_anonymous_id and not kept_user_id:
        raise RejectedEventError(
            RejectReason.ILLEGAL_ID, f"anonymousId {shown(anonymous_id)} and userId {shown(user_id)} can name nobody"
        )
    return kept_anonymous_id, kept_user_id, ""


def read_group_id(event: Event) -> str:
    """Return the group of a group event; raise `RejectedEventError`."""
    group_id = as_text(event.group_id)
    if group_id is None:
        raise RejectedEventError(RejectReason.MISSING_ID, "group needs groupId")
    _demand_legal(groupId=group_id)
    return group_id


def read_group_type(event: Event) -> str:
    """Return the kind of a group; raise `RejectedEventError`."""
    group_type = event.group_type or "group"
    if exceeds_bytes(group_type, MAX_ID_BYTES):
        raise RejectedEventError(RejectReason.INVALID_SHAPE, f"groupType is longer than {MAX_ID_BYTES} bytes")
    if "\0" in group_type:
        raise RejectedEventError(RejectReason.INVALID_SHAPE, "groupType has a NUL in it")
    return group_type


def read_session_id(value: str | float | None) -> str:
    """Return a client's session, empty for what is no id: that would melt everybody's events into one session."""
    session_id = as_text(value)
    return session_id if session_id is not None and is_legal(session_id) else ""


def _demand_legal(**ids: str | None) -> None:
    for name, value in ids.items():
        if value is not None and not is_legal(value):
            raise RejectedEventError(RejectReason.ILLEGAL_ID, f"{name} {shown(value)} can name nobody")


def read_original_ms(event: Event) -> int | None:
    """Return when it happened on the client's clock, in ms since 1970; raise `RejectedEventError`."""
    value = event.timestamp if event.original_timestamp is None else event.original_timestamp
    if value is None or value == "":
        return None
    try:
        return parse(value)
    except InvalidInstantError as error:
        raise RejectedEventError(RejectReason.INVALID_TIMESTAMP, f"timestamp {error}") from error


def read_sent_ms(value: str | float | None) -> int | None:
    """Read sentAt. A clock that cannot be read corrects nothing; that is no reason to refuse events."""
    if value is None:
        return None
    try:
        return parse(value)
    except InvalidInstantError:
        return None


def read_object(value: Raw | UnsetType, member: str) -> Raw:
    """Return a member that is a JSON object, `EMPTY` without one; raise `RejectedEventError` for anything else."""
    if value is UNSET:
        return EMPTY
    first = memoryview(value)[0]
    if first == _OPENING_BRACE:
        return value
    # null, and PHP's empty array, which stands for an empty object.
    if first == _N or bytes(value).translate(None, b" \t\r\n") == b"[]":
        return EMPTY
    raise RejectedEventError(RejectReason.INVALID_SHAPE, f"{member} must be a JSON object")


def with_name(event: Event, properties: Raw) -> Raw:
    """Keep name and category of a page or screen as properties, where its properties do not say them already."""
    if event.name is None and event.category is None:
        return properties
    members = {} if properties is EMPTY else _decode_object(properties)
    for key, value in (("name", event.name), ("category", event.category)):
        if value is not None:
            members.setdefault(key, Raw(_encode(value)))
    return Raw(_encode(members))
