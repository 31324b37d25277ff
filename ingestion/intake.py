"""From a parsed request to records in the spool: the collector's hot path."""

from dataclasses import dataclass, field

from msgspec import Raw
from msgspec.json import Encoder

from core.events import LandedEvent, Reject, RejectReason
from ingestion.json_text import json_string
from ingestion.protocols.segment import Request, decode_event
from ingestion.spool.records import Kind
from ingestion.spool.writer import SpoolWriter
from ingestion.validation import Received, RejectedEventError, Validator

_encode_lines = Encoder().encode_lines


@dataclass(slots=True)
class Outcome:
    """What became of a request's events."""

    accepted: int = 0
    rejected: list[tuple[int, RejectReason, str]] = field(default_factory=list[tuple[int, RejectReason, str]])
    """Position in the request, reason and detail of each event that was refused."""
    size: int = 0
    """Bytes appended to the spool."""


def take(
    request: Request, received: Received, writer: SpoolWriter, *, kind: str | None, max_event_bytes: int
) -> Outcome:
    """Judge every event of a request and append what lands, and what is rejected, to the spool.

    `kind` overrides the type of the events: that of the path, for a request with a single one. Durable only after
    `writer.commit()`. Runs without a pause, so that every row carries the id of the segment that it goes to.
    """
    outcome = Outcome()
    landed: list[LandedEvent] = []
    rejects: list[Reject] = []
    validator = Validator(received, request.sent_at, request.context)
    batch_id = writer.batch_id
    for index, raw in enumerate(request.events):
        message_id = ""
        try:
            event = decode_event(raw, is_plain=request.is_plain, max_bytes=max_event_bytes)
            message_id = event.message_id or ""
            if kind is not None:
                event.type = kind
            landed.append(validator.land(event, index, batch_id))
        except RejectedEventError as error:
            outcome.rejected.append((index, error.reason, error.detail))
            rejects.append(_reject(raw, error, received, message_id, batch_id))
    outcome.accepted = len(landed)
    for table, rows in ((Kind.EVENTS, landed), (Kind.REJECTS, rejects)):
        if rows:
            lines = _encode_lines(rows)
            writer.append(table, len(rows), lines)
            outcome.size += len(lines)
    return outcome


def _reject(raw: Raw, error: RejectedEventError, received: Received, message_id: str, batch_id: str) -> Reject:
    return Reject(
        project_id=received.project_id,
        write_key_id=received.write_key_id,
        received_at=received.received_ms / 1000,
        reason=error.reason,
        detail=error.detail,
        payload=json_string(bytes(raw)),
        message_id=message_id,
        protocol=received.protocol,
        ip=received.ip,
        batch_id=batch_id,
    )
