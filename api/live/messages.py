"""What stands on a stream: one message after the other, the same over WebSocket as in an event stream."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct

from core.events import LandedEvent

Kind = Literal[
    "hello", "event", "dropped", "counters", "alerts", "degraded", "restored", "problem", "heartbeat", "closed"
]

_EMPTY = Raw(b"{}")
_NO_OBJECT = b'""'


@dataclass(frozen=True, slots=True)
class Message:
    """One message; `data` is a JSON object in one line."""

    kind: Kind
    data: bytes
    id: str = ""

    @property
    def size(self) -> int:
        """How much of a reader's memory it takes."""
        return len(self.data) + 200

    def as_event_stream(self) -> bytes:
        """Return it as an event of `text/event-stream`."""
        place = f"id: {self.id}\n" if self.id else ""
        return f"event: {self.kind}\n{place}data: ".encode() + self.data + b"\n\n"

    def as_text(self) -> str:
        """Return it as a JSON object, for a WebSocket."""
        place = f'"id":"{self.id}",' if self.id else ""
        return f'{{"kind":"{self.kind}",{place}"data":{self.data.decode()}}}'


def message(kind: Kind, data: Any) -> Message:
    """Return a message with data that JSON can have."""
    return Message(kind, msgspec.json.encode(data))


class ShownEvent(Struct):
    """An event on a stream: what landed, but for addresses, keys and where it was stored."""

    message_id: str
    type: str
    event: str
    anonymous_id: str
    user_id: str
    previous_id: str
    session_id: str
    group_type: str
    group_id: str
    timestamp: str
    received_at: str
    properties: Raw
    traits: Raw
    context: Raw
    country: str
    protocol: str
    library: str


def event_message(place: str, event: LandedEvent) -> Message:
    """Return the message that shows an event."""
    shown = ShownEvent(
        message_id=event.message_id,
        type=event.type,
        event=event.event,
        anonymous_id=event.anonymous_id,
        user_id=event.user_id,
        previous_id=event.previous_id,
        session_id=event.session_id,
        group_type=event.group_type,
        group_id=event.group_id,
        timestamp=_instant(event.timestamp),
        received_at=_instant(event.received_at),
        properties=_object(event.properties),
        traits=_object(event.traits),
        context=_object(event.context),
        country=event.country,
        protocol=event.protocol,
        library=event.library,
    )
    data = msgspec.json.encode(shown)
    if b"\n" in data or b"\r" in data:
        # Objects stand there as their client wrote them; an event stream's line ends at a line break.
        data = msgspec.json.format(data, indent=-1)
    return Message("event", data, place)


def _object(value: Raw) -> Raw:
    return _EMPTY if bytes(value) == _NO_OBJECT else value


def _instant(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
