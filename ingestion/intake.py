"""From a parsed request to records in the spool: the collector's hot path."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from msgspec import Raw
from msgspec.json import Encoder

from core.events import Event, LandedEvent, Reject, RejectReason
from ingestion.json_text import json_string
from ingestion.privacy import MASK
from ingestion.rejection import RejectedEventError
from ingestion.spool.records import Kind
from ingestion.spool.writer import SpoolWriter
from ingestion.validation import Received, Validator
from ingestion.wire import Delivery, Rejection

_encode_lines = Encoder().encode_lines
_WITHHELD = " (its bytes are withheld: the project's rules on personal data cannot be applied to them)"

_SAY_NO_VALUES = frozenset({RejectReason.SCHEMA_VIOLATION, RejectReason.BOT})
"""Reasons whose details name what is in an event, or have been cleaned."""
# To the last quote: what is quoted may hold some itself.
_QUOTED = re.compile(r"""['"].*['"]""", re.DOTALL)


@dataclass(slots=True)
class Outcome:
    """What became of a request's events."""

    message_ids: list[str] = field(default_factory=list[str])
    """Of the accepted events."""
    landed: list[LandedEvent] = field(default_factory=list[LandedEvent])
    """The accepted events."""
    rejected: list[Rejection] = field(default_factory=list[Rejection])
    deviating: int = 0
    """How many of the accepted ones do not fit the schema of their event."""
    size: int = 0
    """Bytes appended to the spool."""

    @property
    def accepted(self) -> int:
        """How many events were accepted."""
        return len(self.message_ids)


@dataclass(slots=True)
class Judged:
    """What events become: rows for both tables, and what to say of those that were refused."""

    landed: list[LandedEvent] = field(default_factory=list[LandedEvent])
    rejects: list[Reject] = field(default_factory=list[Reject])
    rejected: list[Rejection] = field(default_factory=list[Rejection])


def judge(
    events: Iterable[Raw], decode: Callable[[Raw], Event], validator: Validator, batch_id: str, *, first: int = 0
) -> Judged:
    """Judge every event; `first` is the position of the first one. A bad event never sinks the others."""
    judged = Judged()
    most = validator.received.limits.event_bytes
    for index, raw in enumerate(events, first):
        message_id = ""
        try:
            demand_size(raw, most)
            event = decode(raw)
            message_id = event.message_id or ""
            judged.landed.append(validator.land(event, index, batch_id))
        except RejectedEventError as error:
            judged.rejected.append(Rejection(index, error.reason, error.detail))
            judged.rejects.append(reject_of(raw, error, validator.received, batch_id, message_id))
    return judged


def take(delivery: Delivery, received: Received, writer: SpoolWriter) -> Outcome:
    """Judge every event of a request and append what lands, and what is rejected, to the spool.

    Durable only after `writer.commit()`. Runs without a pause, so that every row carries the id of the segment that it
    goes to.
    """
    validator = Validator(received, delivery.sent_at, delivery.context)
    judged = judge(delivery.events, delivery.decode, validator, writer.batch_id)
    outcome = Outcome([row.message_id for row in judged.landed], judged.landed, judged.rejected)
    if received.schemas is not None:
        outcome.deviating = sum(1 for row in judged.landed if row.schema_deviations)
    for table, rows in ((Kind.EVENTS, judged.landed), (Kind.REJECTS, judged.rejects)):
        if rows:
            lines = _encode_lines(rows)
            writer.append(table, len(rows), lines, project_id=received.project_id)
            outcome.size += len(lines)
    return outcome


def demand_size(raw: Raw | bytes, most: int) -> None:
    """Raise `RejectedEventError` for an event with more bytes than `most`."""
    size = memoryview(raw).nbytes
    if size > most:
        raise RejectedEventError(RejectReason.EVENT_TOO_LARGE, f"the event has {size} bytes; {most} are allowed")


def reject_of(
    raw: Raw | bytes,
    error: RejectedEventError,
    received: Received,
    batch_id: str,
    message_id: str = "",
    *,
    is_event: bool = True,
) -> Reject:
    """Return the row that a refused event becomes.

    What is none yet, as a row of a file, has members of any name: a rule finds nothing there, so that nothing is kept.
    """
    privacy = received.privacy
    payload: bytes | None = None
    if is_event or not privacy.has_rules:
        payload = privacy.clean_reject(bytes(raw), received.protocol, received.limits.event_bytes)
    withheld = "" if payload is not None else _WITHHELD
    return Reject(
        project_id=received.project_id,
        write_key_id=received.write_key_id,
        received_at=received.received_ms / 1000,
        reason=error.reason,
        detail=(_without_values(error) if privacy.has_rules else error.detail) + withheld,
        payload=json_string(payload or b""),
        message_id=message_id,
        protocol=received.protocol,
        path=received.path,
        ip=received.privacy.address(received.ip),
        batch_id=batch_id,
    )


def _without_values(error: RejectedEventError) -> str:
    """Return why an event was refused, without what it says: no rule knows where in it a value stands."""
    return error.detail if error.reason in _SAY_NO_VALUES else _QUOTED.sub(MASK, error.detail)
