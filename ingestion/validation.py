"""From what a client says to what lands, or to the reason why not."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from msgspec import UNSET, DecodeError, Raw, Struct, UnsetType, ValidationError
from msgspec.json import Decoder

from core.enrichment.bots import is_bot
from core.events import Event, EventType, LandedEvent, RejectReason
from core.events.deviations import describe
from core.events.event import EVENT_NAMES
from ingestion.event_schemas import ProjectSchemas, judges_traits
from ingestion.instants import correct
from ingestion.limits import DEFAULT_LIMITS, Limits
from ingestion.members import (
    EMPTY,
    GROUP,
    TRACK,
    read_event_name,
    read_group_id,
    read_group_type,
    read_ids,
    read_message_id,
    read_object,
    read_original_ms,
    read_sent_ms,
    read_session_id,
    with_name,
)
from ingestion.privacy import KEEP_EVERYTHING, Privacy
from ingestion.rejection import RejectedEventError

_SHOWN_CHARACTERS, _SHOWN_AGENT = 40, 200
_NOT_JUDGED: tuple[int, list[str]] = (0, [])
# Plain strings: comparing with a member of an enumeration costs three times as much.
_TYPES = frozenset(str(kind) for kind in EventType)
_NAMES = {str(kind): name for kind, name in EVENT_NAMES.items()}
_NAMED_TYPES = frozenset({str(EventType.PAGE), str(EventType.SCREEN)})


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
# Half of what copy.copy costs.
_copy: Callable[[LandedEvent], LandedEvent] = LandedEvent.__copy__  # pyright: ignore[reportAttributeAccessIssue] - not in msgspec's stubs


class Validator:
    """Judges the events of one request.

    `sent_at` and `context` are the request's own: they hold for events that carry none.
    """

    def __init__(
        self, received: Received, sent_at: str | float | None = None, context: Raw | UnsetType = UNSET
    ) -> None:
        self.received = received
        self._sent_ms = read_sent_ms(sent_at)
        self._context = context
        privacy = received.privacy
        self._privacy = privacy
        self._schemas = received.schemas
        self._clean = privacy.clean
        self._exceeded = received.limits.exceeded
        # A copy with some of its fields set costs a third of a row that is made of all of them. Events of one request
        # mostly carry the same context: the row of the last one is ready.
        self._row = LandedEvent(
            project_id=received.project_id,
            message_id="",
            type="",
            event="",
            timestamp=0.0,
            received_at=received.received_ms / 1000,
            ip=privacy.address(received.ip),
            user_agent=privacy.text(received.user_agent, "context", "userAgent"),
            country=received.country,
            protocol=received.protocol,
            write_key_id=received.write_key_id,
            batch_id="",
        )
        self._last_context: Raw = EMPTY
        self._last_row = self._row

    def land(self, event: Event, sequence: int, batch_id: str) -> LandedEvent:
        """Return the row that `event` becomes, the `sequence`-th of its request; raise `RejectedEventError`."""
        kind = event.type
        if kind is None or kind not in _TYPES:
            raise RejectedEventError(
                RejectReason.INVALID_TYPE, f"type is {_shortened(kind)}; it must be one of {', '.join(sorted(_TYPES))}"
            )
        context = read_object(event.context, "context")
        if context is EMPTY:
            context = read_object(self._context, "context")
        if self.received.rejects_bots:
            self._demand_no_bot(context)
        anonymous_id, user_id, previous_id = read_ids(event, kind)
        group_id = read_group_id(event) if kind == GROUP else ""
        ids: Collection[str] = ()
        if self._privacy.hashed_ids:
            (anonymous_id, user_id, previous_id, group_id), ids = self._hashed(
                anonymousId=anonymous_id, userId=user_id, previousId=previous_id, groupId=group_id
            )
        row = _copy(self._row if context is EMPTY else self._row_of(context, ids))
        row.message_id = read_message_id(event.message_id)
        row.type, row.sequence, row.batch_id = kind, sequence, batch_id
        row.anonymous_id, row.user_id, row.previous_id = anonymous_id, user_id, previous_id
        if kind == GROUP:
            row.group_type, row.group_id = read_group_type(event), group_id
        row.session_id = read_session_id(event.session_id) or row.session_id
        self._set_time(row, event)
        self._set_members(row, event, kind, ids)
        return row

    def _row_of(self, context: Raw, ids: Collection[str]) -> LandedEvent:
        """Return a row with what a context says; raise `RejectedEventError`."""
        if not ids and context == self._last_context:
            return self._last_row
        row = _copy(self._row)
        row.context = kept = self._kept(context, "context", ids)
        columns = _columns_of(kept)
        row.session_id = read_session_id(columns.session_id)
        row.library = _library(columns)
        row.user_agent = columns.user_agent or row.user_agent
        if columns.ip:
            row.ip = self._privacy.address(columns.ip)
        # Of an address that is not kept, the country is.
        ip = columns.ip if kept is context else _columns_of(context).ip
        if ip:
            row.country = self.received.country_of(ip)
        if not ids:  # else it is hashed for this event alone
            self._last_context, self._last_row = context, row
        return row

    def _set_time(self, row: LandedEvent, event: Event) -> None:
        original_ms = read_original_ms(event)
        sent_ms = self._sent_ms if event.sent_at is None else read_sent_ms(event.sent_at)
        row.timestamp = correct(original_ms, sent_ms, self.received.received_ms) / 1000
        if original_ms is not None:
            row.original_timestamp = original_ms / 1000
        if sent_ms is not None:
            row.sent_at = sent_ms / 1000

    def _set_members(self, row: LandedEvent, event: Event, kind: str, ids: Collection[str]) -> None:
        """Set the event's name and its objects, but for its context."""
        properties = read_object(event.properties, "properties")
        if kind in _NAMED_TYPES:
            properties = with_name(event, properties)
        row.event = read_event_name(event.event) if kind == TRACK else _NAMES[kind]
        if self._schemas is not None:
            # Before the rules on personal data change anything: a hashed address is no e-mail address any more.
            row.schema_version, row.schema_deviations = self._judge(event, kind, row.event, properties)
        if properties is not EMPTY:
            row.properties = self._kept(properties, "properties", ids)
        if event.traits is not UNSET:
            row.traits = self._traits(event.traits, "traits", ids)
        if event.traits_once is not UNSET:
            row.traits_once = self._traits(event.traits_once, "traitsOnce", ids)
        if event.traits_increment is not UNSET:
            row.traits_increment = self._traits(event.traits_increment, "traitsIncrement", ids)

    def _demand_no_bot(self, context: Raw) -> None:
        """Raise `RejectedEventError` for a bot's event, by its context as it came: rules may mask the user agent."""
        said = None if context is EMPTY else _columns_of(context).user_agent
        user_agent = said or self.received.user_agent
        if user_agent and is_bot(user_agent):
            shown = self._privacy.text(user_agent[:_SHOWN_AGENT], "context", "userAgent")
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
            said = read_object(event.traits, "traits")
            if said is EMPTY and not (event.traits_once is UNSET and event.traits_increment is UNSET):
                # It changes single traits: nothing says that it ought to name the others.
                return _NOT_JUDGED
        said = b"{}" if said is EMPTY else said
        deviations = schema.deviations(said, is_cleaned=self.received.is_cleaned)
        if deviations and schemas.is_enforced:
            detail = describe(schema.version, name, deviations)
            raise RejectedEventError(RejectReason.SCHEMA_VIOLATION, detail)
        return schema.version, deviations

    def _hashed(self, **said: str) -> tuple[list[str], Collection[str]]:
        """Return the ids as they are kept, and those that are to be hashed wherever the event repeats them."""
        hashed = {value for name, value in said.items() if value and name in self._privacy.hashed_ids}
        return [self._privacy.identifier(name, value) for name, value in said.items()], hashed

    def _traits(self, value: Raw | UnsetType, member: str, ids: Collection[str]) -> Raw:
        traits = read_object(value, member)
        return traits if traits is EMPTY else self._kept(traits, "traits", ids)

    def _kept(self, value: Raw, root: str, ids: Collection[str]) -> Raw:
        """Return what the project's rules keep of a JSON object; raise `RejectedEventError` where it holds too much."""
        try:
            json = str(value, "utf-8")
            exceeded = self._exceeded(json)
            if exceeded is not None:
                reason, detail = exceeded
                raise RejectedEventError(reason, f"{root}: {detail}")
            return self._clean(value, json, root, ids)
        except (DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise RejectedEventError(RejectReason.INVALID_JSON, f"{root} cannot be read: {error}") from error


def _shortened(kind: str | None) -> str:
    return repr(kind if kind is None else kind[:_SHOWN_CHARACTERS])


def _columns_of(context: Raw) -> _Context:
    try:
        return _decode_context(context)
    except (ValidationError, DecodeError, UnicodeDecodeError, RecursionError):
        # A library that is a number, say: the context is kept as it came, only its columns stay empty.
        return _NO_CONTEXT


def _library(context: _Context) -> str:
    library = context.library
    return "" if library is None else f"{library.name}/{library.version}".strip("/")
