"""What every mapping is: a way from a row to an event of a protocol, and from there to one of ours."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from msgspec import Raw
from msgspec.json import Encoder

from core.events import Event, RejectReason
from ingestion.importing.readers import Form, Row
from ingestion.rejection import RejectedEventError
from ingestion.wire import Delivery, Endpoint, Reply, Wire

PROTOCOL = "import"
"""What stands in the `protocol` column of imported rows."""
Bring = Callable[[Row, Callable[[bytes], str]], bytes]


@dataclass(frozen=True, slots=True)
class Mapping:
    """One way to read a file.

    `bring` makes of a row the JSON of an event of a known protocol, or raises `RejectedEventError`; it may ask for an
    id for a row that has none. `translate` makes our event of that, as the protocol does. In between lies what is kept
    of a row that is refused, so that it can be judged anew without its file.
    """

    name: str
    shape: str
    """Of whose events `bring` makes the JSON: the name of the export that `translate` belongs to."""
    bring: Bring
    translate: Callable[[Raw], Event]
    form: Form = field(default_factory=Form)
    document: dict[str, Any] = field(default_factory=dict[str, Any])
    """What makes this mapping another than others of its name: part of the identity of an import."""

    @property
    def path(self) -> str:
        """Where such events are sent to: what stands in `raw.rejects.path`."""
        return path_of(self.shape)

    def decode(self, raw: Raw) -> Event:
        """Return our event; raise `RejectedEventError`."""
        return settle(self.translate(raw))


_encode = Encoder(decimal_format="number").encode


def path_of(shape: str) -> str:
    """Return the path that stands in `raw.rejects` for rows that became events of this shape."""
    return f"/v1/import?mapping={shape}"


def settle(event: Event) -> Event:
    """Take history for what it says: its clock was corrected when it was new, and it has to know when it happened."""
    event.sent_at = None
    if event.timestamp is None or event.timestamp == "":
        event.timestamp = event.original_timestamp
    event.original_timestamp = None
    if event.timestamp is None or event.timestamp == "":
        raise RejectedEventError(
            RejectReason.INVALID_TIMESTAMP, "there is none, and history is not dated to the day of its import"
        )
    return event


def endpoint(translate: Callable[[Raw], Event]) -> Endpoint:
    """Return what judges rejects of an import anew. It is never served."""

    def parse(wire: Wire) -> Delivery:
        return Delivery([Raw(wire.body)], lambda raw: settle(translate(raw)), lambda _: Reply(b""))

    return Endpoint(PROTOCOL, parse)


def encoded(value: Any) -> bytes:
    """Return JSON; raise `RejectedEventError` for what cannot be said in it."""
    try:
        return _encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise RejectedEventError(
            RejectReason.INVALID_SHAPE, f"a value has no form in JSON: {type(error).__name__}"
        ) from error
