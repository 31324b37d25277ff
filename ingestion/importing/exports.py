"""Ready mappings for the exports of other products.

Each brings a row to an event as the product's own clients send it; from there it goes the way of its protocol
(`ingestion/protocols/`), so that an event that was exported and one that was sent become the same.

| Export | Where its format is said |
|---|---|
| PostHog | posthog.com/docs/data-pipelines/batch-exports/s3: JSON lines or Parquet, properties as a JSON string there |
| Mixpanel | docs.mixpanel.com/reference/raw-event-export: JSON lines as they are sent, `time` in s, or ms on request |
| Amplitude | amplitude.com/docs/apis/analytics/export: a zip of packed JSON lines, instants in UTC |
| Segment | segment.com/docs/connections/storage/catalog/aws-s3: packed JSON lines with the full call |
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType, field
from msgspec.json import Decoder

from core.events import Event
from ingestion import lenient_json
from ingestion.importing.errors import InvalidMappingError
from ingestion.importing.instants import zone_of
from ingestion.importing.mapping import Bring, Mapping, encoded, endpoint, path_of
from ingestion.importing.readers import Row
from ingestion.instants import InvalidInstantError, parse
from ingestion.protocols import posthog, segment
from ingestion.protocols.amplitude import events as amplitude
from ingestion.protocols.mixpanel import events as mixpanel
from ingestion.protocols.posthog_events import Common

_Id = Callable[[bytes], str]
_decode_members = Decoder(dict[str, Raw]).decode
_NULL = Raw(b"null")
_MIXPANEL = "mixpanel"
_AMPLITUDE_NAMES = {
    "event_time": "time",
    "$insert_id": "insert_id",
    "ip_address": "ip",
    "device_carrier": "carrier",
}
"""What the export calls what clients send under another name."""


class _PostHogRow(Struct):
    """What of an exported row was sent. The rest follows from it, or describes the person as of today."""

    uuid: Any = None
    event: Any = None
    distinct_id: Any = None
    timestamp: Any = None
    properties: Raw | UnsetType = UNSET


class _MixpanelRow(Struct):
    event: Raw | UnsetType = UNSET
    properties: dict[str, Raw] = field(default_factory=dict[str, Raw])


_decode_posthog = Decoder(_PostHogRow).decode
_decode_mixpanel = Decoder(_MixpanelRow).decode
_decode_text = Decoder(str).decode
_decode_number = Decoder(int | float).decode


def export(name: str, zone: str | None = None) -> Mapping:
    """Return a ready mapping; raise `InvalidMappingError`.

    `zone` is for Mixpanel's projects from before 2023, whose `time` counts the seconds of the project's clock.
    """
    if name not in TRANSLATE:
        raise InvalidMappingError(f"There is no mapping {name[:50]!r}. Ready ones: {', '.join(TRANSLATE)}.")
    if zone is not None and name != _MIXPANEL:
        raise InvalidMappingError(f"Instants in {name}'s exports are in UTC: a zone is only for Mixpanel's.")
    bring: Bring = partial(_bring_mixpanel, zone=zone_of(zone)) if zone is not None else _BRING[name]
    return Mapping(name, name, bring, TRANSLATE[name], document={"zone": zone} if zone else {})


def _line(row: Row, _: _Id | None = None) -> bytes:
    return row if isinstance(row, bytes) else encoded({key: value for key, value in row.items() if value is not None})


def _bring_posthog(row: Row, _: _Id) -> bytes:
    if isinstance(row, dict):
        said = _PostHogRow(row.get("uuid"), row.get("event"), row.get("distinct_id"), row.get("timestamp"))
        properties = row.get("properties")
        if isinstance(properties, str) and properties:
            said.properties = Raw(properties.encode())
        elif properties:
            said.properties = Raw(encoded(properties))
        return encoded(said)
    said = lenient_json.decode_event(Raw(row), _decode_posthog, plain=False)
    if isinstance(said.properties, Raw) and bytes(said.properties).startswith(b'"'):
        said.properties = Raw(_decode_text(said.properties).encode() or b"{}")
    return encoded(said)


def _bring_mixpanel(row: Row, _: _Id, *, zone: ZoneInfo) -> bytes:
    said = lenient_json.decode_event(Raw(_line(row)), _decode_mixpanel, plain=False)
    try:
        local = datetime.fromtimestamp(parse(_decode_number(said.properties.get("time", _NULL))) / 1000, UTC)
    except (msgspec.MsgspecError, InvalidInstantError):
        return _line(row)  # no instant, which is for validation to say
    moment = local.replace(tzinfo=zone).astimezone(UTC)
    said.properties["time"] = Raw(b"%d" % round(moment.timestamp() * 1000))
    return encoded(said)


def _bring_amplitude(row: Row, _: _Id) -> bytes:
    said = lenient_json.decode_event(Raw(_line(row)), _decode_members, plain=False)
    members = {_AMPLITUDE_NAMES.get(name, name): value for name, value in said.items() if value != _NULL}
    if "insert_id" not in members and "uuid" in members:
        members["insert_id"] = members["uuid"]
    return encoded(members)


def _translate_segment(raw: Raw) -> Event:
    """Segment corrected the clock already: of both its instants `timestamp` is the right one."""
    event = segment.decode_event(raw, plain=False)
    if event.timestamp is not None and event.timestamp != "":
        event.original_timestamp = None
    return event


_BRING: dict[str, Bring] = {
    "segment": _line,
    "posthog": _bring_posthog,
    _MIXPANEL: _line,
    "amplitude": _bring_amplitude,
}
TRANSLATE: dict[str, Callable[[Raw], Event]] = {
    "segment": _translate_segment,
    "posthog": partial(posthog.decode, common=Common(), plain=False),
    _MIXPANEL: partial(mixpanel.decode_event, key=None, plain=False),
    "amplitude": partial(amplitude.decode_event, plain=False),
}
"""By name of the export, from an event of its protocol to ours."""
ENDPOINTS = {path_of(name): endpoint(translate) for name, translate in TRANSLATE.items()}
"""By what stands in `raw.rejects.path`, for rejects that are judged anew."""
