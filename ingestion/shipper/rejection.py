"""A row that somebody behind the collector refused, as a reject."""

import msgspec
from msgspec import Raw

from core.clock import utc_now
from core.events import Reject, RejectReason


class _RowFacts(msgspec.Struct):
    """What a reject repeats of the row."""

    project_id: int
    write_key_id: int
    protocol: str
    received_at: float
    message_id: str = ""
    ip: str = ""


def reject_of(line: bytes, *, reason: RejectReason, detail: str, payload: Raw, batch_id: str) -> Reject:
    """Return the reject for a line of either table; what cannot be read of it is empty."""
    try:
        facts = msgspec.json.decode(line, type=_RowFacts)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        facts = _RowFacts(project_id=0, write_key_id=0, protocol="", received_at=utc_now().timestamp())
    return Reject(
        project_id=facts.project_id,
        write_key_id=facts.write_key_id,
        received_at=facts.received_at,
        reason=reason,
        detail=detail,
        payload=payload,
        message_id=facts.message_id,
        protocol=facts.protocol,
        ip=facts.ip,
        batch_id=batch_id,
    )
