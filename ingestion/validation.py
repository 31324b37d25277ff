"""From what a client says to what lands, or to the reason why not."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

from msgspec import UNSET, DecodeError, Raw, Struct, UnsetType, ValidationError
from msgspec.json import Decoder, Encoder

from core.enrichment.bots import is_bot
from core.events import Event, EventType, LandedEvent, RejectReason
from core.events.deviations import describe
from core.events.event import EVENT_NAMES
from ingestion.event_schemas import ProjectSchemas, judges_traits
from ingestion.identity import MAX_ID_BYTES, as_text, exceeds_bytes, is_legal
from ingestion.instants import InvalidInstantError, correct, parse
from ingestion.limits import DEFAULT_LIMITS, Limits
from ingestion.privacy import KEEP_EVERYTHING, Privacy

_EMPTY = Raw(b'""')
_SHOWN_CHARACTERS = 200
_NOT_JUDGED: tuple[int, list[str]] = (0, [])
_OPENING_BRACE, _N = b"{n"
# Plain strings: comparing with a member of an enumeration costs three times as much.
_TYPES = frozenset(str(kind) for kind in EventType)
_NAMES = {str(kind): name for kind, name in EVENT_NAMES.items()}
_TRACK, _IDENTIFY, _GROUP, _ALIAS = (
    str(kind) for kind in (EventType.TRACK, EventType.IDENTIFY, EventType.GROUP, EventType.ALIAS)
)
_NAMED_TYPES = frozenset({str(EventType.PAGE), str(EventType.SCREEN)})


class RejectedEventError(Exception):
    """One event cannot be taken; the others of its request can."""

    def __init__(self, reason: RejectReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def _nowhere(_address: str) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Received:
    """What is the same for every event of a request."""

    project_id: int
    write_key_id: int
    protocol: str
    received_ms: int
    """Milliseconds since 1970, UTC, on our clock."""
    ip: str
    user_agent: str
    path: str = ""
    schemas: ProjectSchemas | None = None
    """What events must look like; None where nobody looks at it."""
    privacy: Privacy = KEEP_EVERYTHING
    """What is done to whatever of an event is kept; `ip` and `user_agent` are still as they came."""
    is_cleaned: bool = False
    """Whether that was done before: the events were rejects."""
    limits: Limits = DEFAULT_LIMITS
    rejects_bots: bool = False
    country: str = ""
    """Of `ip`: an ISO 3166-1 code, or empty."""
    country_of: Callable[[str], str] = _nowhere
    """Looks up another address, that an event names."""


class _Library(Struct):
    name: str = ""
    version: str = ""


class _Context(Struct, rename="camel"):
    """The few members of `context` that have a column of their own."""

    ip: str | None = None
    user_agent: str | None = None
    session_id: str | int | None = None
    library: _Library | None = None


_NO_CONTEXT = _Context()
_decode_context = Decoder(_Context).decode
_decode_object = Decoder(dict[str, Raw]).decode
_encode = Encoder().encode


class Validator:
    """Judges the events of one request.

    `sent_at` and `context` are the request's own: they hold for events that carry none.
    """

    def __init__(
        self, received: Received, sent_at: str | float | None = None, context: Raw | UnsetType = UNSET
    ) -> None:
        self.received = received
        self._sent_ms = _parse_leniently(sent_at)
        self._context = context
        privacy = received.privacy
        self._privacy = privacy
        self._schemas = received.schemas
        self._clean = privacy.clean
        self._exceeded = received.limits.exceeded
        self._ip = privacy.address(received.ip)
        self._user_agent = privacy.text(received.user_agent, "context.userAgent")
        # Events of one request mostly carry the same context: read it once.
        self._last_context: Raw = _EMPTY
        self._last_context_kept: Raw = _EMPTY
        self._last_context_read: _Context = _NO_CONTEXT
        self._last_country = ""

    def land(self, event: Event, sequence: int, batch_id: str) -> LandedEvent:
        """Return the row that `event` becomes, the `sequence`-th of its request; raise `RejectedEventError`."""
        kind = event.type
        if kind is None or kind not in _TYPES:
            raise RejectedEventError(
                RejectReason.INVALID_TYPE, f"type is {kind!r}; it must be one of {', '.join(sorted(_TYPES))}"
            )
        received = self.received
        context_json = _object(event.context, "context")
        if context_json is _EMPTY:
            context_json = _object(self._context, "context")
        if received.rejects_bots:
            self._demand_no_bot(context_json)
        context_json, context, country = self._read_context(context_json)
        anonymous_id, user_id, previous_id = _persons(event, kind)
        group_id = _group(event) if kind == _GROUP else ""
        if self._privacy.hashed_ids:
            identifier = self._privacy.identifier
            anonymous_id, user_id = identifier("anonymousId", anonymous_id), identifier("userId", user_id)
            previous_id, group_id = identifier("previousId", previous_id), identifier("groupId", group_id)
        original_ms = _original(event)
        sent_ms = self._sent_ms if event.sent_at is None else _parse_leniently(event.sent_at)
        properties = _object(event.properties, "properties")
        if kind in _NAMED_TYPES:
            properties = _named(event, properties)
        name = _name(event.event) if kind == _TRACK else _NAMES[kind]
        # Before the rules on personal data change anything: a hashed address is no e-mail address any more.
        version, deviations = _NOT_JUDGED if self._schemas is None else self._judge(event, kind, name, properties)
        return LandedEvent(
            project_id=received.project_id,
            message_id=_message_id(event.message_id),
            type=kind,
            event=name,
            anonymous_id=anonymous_id,
            user_id=user_id,
            previous_id=previous_id,
            session_id=_session(event, context),
            group_type=_group_type(event) if kind == _GROUP else "",
            group_id=group_id,
            timestamp=correct(original_ms, sent_ms, received.received_ms) / 1000,
            original_timestamp=None if original_ms is None else original_ms / 1000,
            sent_at=None if sent_ms is None else sent_ms / 1000,
            received_at=received.received_ms / 1000,
            sequence=sequence,
            properties=properties if properties is _EMPTY else self._kept(properties, "properties"),
            traits=self._traits(event.traits, "traits"),
            traits_once=self._traits(event.traits_once, "traitsOnce"),
            traits_increment=self._traits(event.traits_increment, "traitsIncrement"),
            context=context_json,
            ip=self._privacy.address(context.ip) if context.ip else self._ip,
            user_agent=context.user_agent or self._user_agent,
            country=country,
            protocol=received.protocol,
            library=_library(context),
            write_key_id=received.write_key_id,
            batch_id=batch_id,
            schema_version=version,
            schema_deviations=deviations,
        )

    def _demand_no_bot(self, context: Raw) -> None:
        """Raise `RejectedEventError` for a bot's event, by its context as it came: rules may mask the user agent."""
        said = None if context is _EMPTY else _columns_of(context).user_agent
        user_agent = said or self.received.user_agent
        if user_agent and is_bot(user_agent):
            shown = self._privacy.text(user_agent[:_SHOWN_CHARACTERS], "context.userAgent")
            raise RejectedEventError(RejectReason.BOT, f"the user agent {shown!r} is a bot's")

    def _judge(self, event: Event, kind: str, name: str, properties: Raw) -> tuple[int, list[str]]:
        """Return the version of the schema that the event was judged by, 0 for none, and how it deviates from it.

        Raises `RejectedEventError` for one that deviates where the schemas are enforced.
        """
        schemas = self._schemas
        schema = None if schemas is None else schemas.find(kind, name)
        if schemas is None or schema is None:
            return _NOT_JUDGED
        said = properties
        if judges_traits(kind):
            said = _object(event.traits, "traits")
            if said is _EMPTY and not (event.traits_once is UNSET and event.traits_increment is UNSET):
                # It changes single traits: nothing says that it ought to name the others.
                return _NOT_JUDGED
        said = b"{}" if said is _EMPTY else said
        deviations = schema.deviations(said, is_cleaned=self.received.is_cleaned)
        if deviations and schemas.is_enforced:
            detail = describe(schema.version, name, deviations)
            raise RejectedEventError(RejectReason.SCHEMA_VIOLATION, detail)
        return schema.version, deviations

    def _read_context(self, context: Raw) -> tuple[Raw, _Context, str]:
        """Return what is kept of a context, its members that have a column of their own, and the event's country."""
        if context is _EMPTY:
            return _EMPTY, _NO_CONTEXT, self.received.country
        if context != self._last_context:
            self._last_context = context
            kept = self._kept(context, "context")
            read = _columns_of(kept)
            # Of an address that is not kept, the country is.
            ip = (read if kept is context else _columns_of(context)).ip
            self._last_context_kept, self._last_context_read = kept, read
            self._last_country = self.received.country_of(ip) if ip else self.received.country
        return self._last_context_kept, self._last_context_read, self._last_country

    def _traits(self, value: Raw | UnsetType, member: str) -> Raw:
        traits = _object(value, member)
        return traits if traits is _EMPTY else self._kept(traits, "traits")

    def _kept(self, value: Raw, root: str) -> Raw:
        """Return what the project's rules keep of a JSON object; raise `RejectedEventError` where it holds too much."""
        exceeded = self._exceeded(value)
        if exceeded is not None:
            reason, detail = exceeded
            raise RejectedEventError(reason, f"{root}: {detail}")
        try:
            return self._clean(value, root)
        except (DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise RejectedEventError(RejectReason.INVALID_JSON, f"{root} cannot be read: {error}") from error


def _columns_of(context: Raw) -> _Context:
    try:
        return _decode_context(context)
    except (ValidationError, DecodeError):
        # A library that is a number, say: the context is kept as it came, only its columns stay empty.
        return _NO_CONTEXT


def _library(context: _Context) -> str:
    library = context.library
    return "" if library is None else f"{library.name}/{library.version}".strip("/")


def _message_id(value: str | None) -> str:
    if not value:
        return str(uuid4())
    if exceeds_bytes(value, MAX_ID_BYTES):
        raise RejectedEventError(RejectReason.INVALID_MESSAGE_ID, f"messageId is longer than {MAX_ID_BYTES} bytes")
    if "\0" in value:
        raise RejectedEventError(RejectReason.INVALID_MESSAGE_ID, "messageId has a NUL in it")
    return value


def _name(name: str | None) -> str:
    if name is None or not name or name.isspace():
        raise RejectedEventError(RejectReason.INVALID_EVENT_NAME, "a track needs the name of its event")
    if exceeds_bytes(name, MAX_ID_BYTES):
        raise RejectedEventError(RejectReason.INVALID_EVENT_NAME, f"the name is longer than {MAX_ID_BYTES} bytes")
    if "\0" in name:
        raise RejectedEventError(RejectReason.INVALID_EVENT_NAME, "the name has a NUL in it")
    return name


def _persons(event: Event, kind: str) -> tuple[str, str, str]:
    """Return anonymous id, user id and previous id, empty where absent."""
    anonymous_id, user_id = as_text(event.anonymous_id), as_text(event.user_id)
    if kind == _ALIAS:
        previous_id = as_text(event.previous_id)
        if previous_id is None:
            previous_id = anonymous_id
        if previous_id is None or user_id is None:
            raise RejectedEventError(RejectReason.MISSING_ID, "alias needs previousId (or anonymousId) and userId")
        _demand_legal(previousId=previous_id, userId=user_id, anonymousId=anonymous_id)
        return anonymous_id or "", user_id, previous_id
    if anonymous_id is None and user_id is None:
        if kind == _GROUP:  # what is said of a group alone is nobody's event
            return "", "", ""
        raise RejectedEventError(RejectReason.MISSING_ID, f"{kind} needs anonymousId or userId")
    if kind == _IDENTIFY:
        _demand_legal(userId=user_id, anonymousId=anonymous_id)
        return anonymous_id or "", user_id or "", ""
    kept_anonymous_id = anonymous_id if anonymous_id is not None and is_legal(anonymous_id) else ""
    kept_user_id = user_id if user_id is not None and is_legal(user_id) else ""
    if not kept_anonymous_id and not kept_user_id:
        raise RejectedEventError(
            RejectReason.ILLEGAL_ID, f"anonymousId {anonymous_id!r} and userId {user_id!r} can name nobody"
        )
    return kept_anonymous_id, kept_user_id, ""


def _group(event: Event) -> str:
    group_id = as_text(event.group_id)
    if group_id is None:
        raise RejectedEventError(RejectReason.MISSING_ID, "group needs groupId")
    _demand_legal(groupId=group_id)
    return group_id


def _group_type(event: Event) -> str:
    group_type = event.group_type or "group"
    if exceeds_bytes(group_type, MAX_ID_BYTES):
        raise RejectedEventError(RejectReason.INVALID_SHAPE, f"groupType is longer than {MAX_ID_BYTES} bytes")
    if "\0" in group_type:
        raise RejectedEventError(RejectReason.INVALID_SHAPE, "groupType has a NUL in it")
    return group_type


def _session(event: Event, context: _Context) -> str:
    """Return the client's session; what is no id would melt everybody's events into one: then there is none."""
    for value in (event.session_id, context.session_id):
        session_id = as_text(value)
        if session_id is not None and is_legal(session_id):
            return session_id
    return ""


def _demand_legal(**ids: str | None) -> None:
    for name, value in ids.items():
        if value is not None and not is_legal(value):
            raise RejectedEventError(RejectReason.ILLEGAL_ID, f"{name} {value[:MAX_ID_BYTES]!r} can name nobody")


def _original(event: Event) -> int | None:
    value = event.timestamp if event.original_timestamp is None else event.original_timestamp
    if value is None or value == "":
        return None
    try:
        return parse(value)
    except InvalidInstantError as error:
        raise RejectedEventError(RejectReason.INVALID_TIMESTAMP, f"timestamp {error}") from error


def _parse_leniently(value: str | float | None) -> int | None:
    """Read sentAt. A clock that cannot be read corrects nothing; that is no reason to refuse events."""
    if value is None:
        return None
    try:
        return parse(value)
    except InvalidInstantError:
        return None


def _object(value: Raw | UnsetType, member: str) -> Raw:
    if value is UNSET:
        return _EMPTY
    first = memoryview(value)[0]
    if first == _OPENING_BRACE:
        return value
    # null, and PHP's empty array, which stands for an empty object.
    if first == _N or bytes(value).translate(None, b" \t\r\n") == b"[]":
        return _EMPTY
    raise RejectedEventError(RejectReason.INVALID_SHAPE, f"{member} must be a JSON object")


def _named(event: Event, properties: Raw) -> Raw:
    """Keep name and category of a page or screen as properties, where its properties do not say them already."""
    if event.name is None and event.category is None:
        return properties
    members = {} if properties is _EMPTY else _decode_object(properties)
    for key, value in (("name", event.name), ("category", event.category)):
        if value is not None:
            members.setdefault(key, Raw(_encode(value)))
    return Raw(_encode(members))
