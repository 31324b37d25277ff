"""Files as they are exported, made for tests."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw

from core.events import Event, LandedEvent
from ingestion.importing.mapping import Mapping
from ingestion.importing.packing import Source
from ingestion.importing.readers import Form, Row, Unreadable, rows
from ingestion.validation import Received, Validator

RECEIVED = Received(
    project_id=1, write_key_id=1, protocol="import", received_ms=1_790_000_000_000, ip="", user_agent=""
)


def lines(*events: dict[str, Any]) -> bytes:
    """Return JSON lines."""
    return b"".join(msgspec.json.encode(event) + b"\n" for event in events)


def read(path: Path, form: Form | None = None) -> list[Row | Unreadable]:
    """Return every row of a file."""
    with Source(path) as source:
        return list(rows(source, path.name, form or Form()))


def no_id(_: bytes) -> str:
    """Give an id to a row that has none."""
    return "made"


def event_of(mapping: Mapping, row: Row, make_id: Callable[[bytes], str] = no_id) -> Event:
    """Return the event that a row becomes."""
    return mapping.decode(Raw(mapping.bring(row, make_id)))


def landed_of(mapping: Mapping, row: Row) -> LandedEvent:
    """Return the table's row that a file's row becomes."""
    return Validator(RECEIVED).land(event_of(mapping, row), 0, "batch")


def said(raw: object) -> Any:
    """Return properties, traits or a context decoded."""
    assert isinstance(raw, Raw)
    return json.loads(bytes(raw))
