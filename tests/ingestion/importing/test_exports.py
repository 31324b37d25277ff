"""The exports of other products, as they come, against the events that they become.

The rows have the shape that the products' documentation shows; `ingestion/importing/exports.py` names the pages.
"""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.events import RejectReason
from ingestion.importing.errors import InvalidMappingError
from ingestion.importing.exports import export
from ingestion.rejection import RejectedEventError
from tests.ingestion.importing.files import event_of, landed_of, lines, read, said

AMPLITUDE = {
    "$insert_id": "1e6da68c-718b", "$insert_key": "0079c7b9#422", "$schema": 13, "adid": None,
    "amplitude_attribution_ids": None, "amplitude_event_type": None, "amplitude_id": 384783353938, "app": 281811,
    "city": "Dasmarinas", "client_event_time": "2022-11-14 00:57:31.008000",
    "client_upload_time": "2022-11-14 00:57:33.010000", "country": "Philippines",
    "data": {"group_ids": {}, "group_first_event": {}}, "data_type": "event", "device_brand": None,
    "device_carrier": "Globe", "device_family": "Android", "device_id": "1963dcf7-085bR", "device_type": "Android",
    "event_id": 129, "event_properties": {"value": 3, "page": "/x"}, "event_time": "2022-11-14 00:57:33.008000",
    "event_type": "song_played", "global_user_properties": {}, "group_properties": {}, "groups": {"org": ["acme"]},
    "ip_address": "203.0.113.7", "is_attribution_event": False, "language": "English", "library": "amplitude-js/5.2.2",
    "location_lat": None, "os_name": "Chrome", "os_version": "107", "paying": None, "platform": "Web",
    "processed_time": "2022-11-14 00:57:36.008000", "region": "Cavite", "sample_rate": None,
    "server_received_time": "2022-11-14 00:57:35.008000", "server_upload_time": "2022-11-14 00:57:35.508000",
    "session_id": 1668387453008, "start_version": None, "user_id": "ada", "user_properties": {"plan": "pro"},
    "uuid": "721e5863-0b2f-56fe-b27d-a2071c432ab4", "version_name": "2.1",
}  # fmt: skip
MIXPANEL = {
    "event": "Signed up",
    "properties": {
        "time": 1602611311,
        "distinct_id": "ada",
        "$insert_id": "hpuDqcvpltpCjBsebtxw",
        "$device_id": "d-1",
        "$browser": "Chrome",
        "$os": "Mac OS X",
        "mp_country_code": "US",
        "mp_lib": "web",
        "mp_processing_time_ms": 1602625711874,
        "token": "0123456789abcdef",
        "plan": "pro",
    },
}
POSTHOG_PROPERTIES = {
    "$current_url": "https://shop.example/pricing",
    "$lib": "web",
    "$lib_version": "1.96.1",
    "$device_id": "0190-d",
    "$is_identified": True,
    "$set": {"plan": "pro"},
    "price": 12.5,
    "token": "phc_abc",
}
POSTHOG = {
    "uuid": "0190f1b0-7c5f-7b6e-9f5c-0c8d4f1b2a33",
    "event": "purchase",
    "distinct_id": "ada",
    "person_id": "8c1f",
    "properties": POSTHOG_PROPERTIES,
    "person_properties": {"email": "ada@example.org"},
    "timestamp": "2024-05-06T07:08:09.123000+00:00",
    "created_at": "2024-05-06T07:08:11.000000+00:00",
    "elements_chain": "",
}
SEGMENT = {
    "anonymousId": "a-1",
    "channel": "client",
    "context": {"library": {"name": "analytics.js", "version": "2.1"}, "ip": "203.0.113.7"},
    "event": "Order Completed",
    "integrations": {},
    "messageId": "ajs-f8ca",
    "originalTimestamp": "2015-12-12T19:11:01.152Z",
    "projectId": "p",
    "properties": {"total": 30},
    "receivedAt": "2015-12-12T19:13:01.266Z",
    "sentAt": "2015-12-12T19:11:01.169Z",
    "timestamp": "2015-12-12T19:13:01.249Z",
    "type": "track",
    "userId": "ada",
    "version": 2,
}


def at(text: str) -> float:
    """Return an instant in seconds."""
    return datetime.fromisoformat(text).timestamp()


def test_an_event_of_amplitudes_export_is_what_its_client_sent() -> None:
    landed = landed_of(export("amplitude"), lines(AMPLITUDE).strip())
    assert (landed.message_id, landed.event, landed.type) == ("1e6da68c-718b", "song_played", "track")
    assert (landed.user_id, landed.anonymous_id, landed.session_id) == ("ada", "1963dcf7-085bR", "1668387453008")
    assert landed.timestamp == at("2022-11-14T00:57:33.008Z")
    assert (landed.ip, landed.library) == ("203.0.113.7", "amplitude-js/5.2.2")
    assert (said(landed.properties), said(landed.traits)) == ({"value": 3, "page": "/x"}, {"plan": "pro"})
    context = said(landed.context)
    assert context["location"] == {"country": "Philippines", "region": "Cavite", "city": "Dasmarinas"}
    assert (context["network"], context["groups"]) == ({"carrier": "Globe"}, {"org": ["acme"]})


def test_an_event_of_amplitudes_without_an_insert_id_has_its_uuid() -> None:
    row = lines(AMPLITUDE | {"$insert_id": None, "session_id": -1}).strip()
    landed = landed_of(export("amplitude"), row)
    assert (landed.message_id, landed.session_id) == (AMPLITUDE["uuid"], "")


def test_an_event_of_mixpanels_export_is_what_its_client_sent() -> None:
    landed = landed_of(export("mixpanel"), lines(MIXPANEL).strip())
    assert (landed.message_id, landed.event) == ("hpuDqcvpltpCjBsebtxw", "Signed up")
    assert (landed.user_id, landed.anonymous_id) == ("ada", "d-1")
    assert landed.timestamp == 1602611311
    assert said(landed.properties)["plan"] == "pro"


@pytest.mark.parametrize("scale", [1, 1000])
def test_the_local_seconds_of_an_old_mixpanel_project_become_instants(scale: int) -> None:
    """Both sides of the change to winter time in 2020: 17:48 of the wall clock, 7 and 8 hours behind UTC."""
    for day, offset in (("2020-10-13", "-07:00"), ("2020-12-13", "-08:00")):
        local = int(at(f"{day}T17:48:31+00:00"))
        row = lines({"event": "x", "properties": {"time": local * scale, "distinct_id": "ada"}}).strip()
        landed = landed_of(export("mixpanel", "America/Los_Angeles"), row)
        assert landed.timestamp == at(f"{day}T17:48:31{offset}")


@pytest.mark.parametrize("form", ["jsonl", "jsonl with text", "csv or parquet"])
def test_an_event_of_posthogs_export_is_what_its_client_sent(form: str) -> None:
    text = json.dumps(POSTHOG_PROPERTIES)
    row = {
        "jsonl": lines(POSTHOG).strip(),
        "jsonl with text": lines(POSTHOG | {"properties": text}).strip(),
        "csv or parquet": POSTHOG | {"properties": text, "timestamp": datetime(2024, 5, 6, 7, 8, 9, 123000, UTC)},
    }[form]
    landed = landed_of(export("posthog"), row)
    assert (landed.message_id, landed.event) == (POSTHOG["uuid"], "purchase")
    assert (landed.user_id, landed.anonymous_id) == ("ada", "0190-d")
    assert landed.timestamp == at("2024-05-06T07:08:09.123Z")
    assert (said(landed.traits), landed.library) == ({"plan": "pro"}, "web/1.96.1")
    assert said(landed.properties) == POSTHOG_PROPERTIES


def test_a_row_of_posthogs_whose_properties_are_no_json_is_rejected() -> None:
    with pytest.raises(RejectedEventError) as refused:
        landed_of(export("posthog"), POSTHOG | {"properties": "{'a': 1}"})
    assert refused.value.reason == RejectReason.INVALID_JSON


def test_a_message_of_segments_archive_keeps_the_instant_that_segment_corrected(tmp_path: Path) -> None:
    """Its `sentAt` is years ago: correcting the clock by it again would move the event by a day."""
    path = tmp_path / "1.gz"
    path.write_bytes(gzip.compress(lines(SEGMENT)))
    (row,) = read(path)
    assert isinstance(row, bytes)
    landed = landed_of(export("segment"), row)
    assert landed.timestamp == at("2015-12-12T19:13:01.249Z")
    assert (landed.message_id, landed.user_id, landed.anonymous_id) == ("ajs-f8ca", "ada", "a-1")
    assert (landed.sent_at, landed.ip, landed.library) == (None, "203.0.113.7", "analytics.js/2.1")


def test_a_message_of_segments_without_a_timestamp_has_its_original_one() -> None:
    event = event_of(export("segment"), lines({**SEGMENT, "timestamp": None}).strip())
    assert event.timestamp == SEGMENT["originalTimestamp"]


@pytest.mark.parametrize("name", ["segment", "posthog", "mixpanel", "amplitude"])
def test_history_that_does_not_say_when_is_rejected(name: str) -> None:
    row = {
        "segment": {"type": "track", "event": "x", "userId": "ada"},
        "posthog": POSTHOG | {"timestamp": None},
        "mixpanel": {"event": "x", "properties": {"distinct_id": "ada"}},
        "amplitude": AMPLITUDE | {"event_time": None},
    }[name]
    with pytest.raises(RejectedEventError) as refused:
        event_of(export(name), lines(row).strip())
    assert refused.value.reason == RejectReason.INVALID_TIMESTAMP


@pytest.mark.parametrize("name", ["segment", "posthog", "mixpanel", "amplitude"])
@pytest.mark.parametrize("row", [b"{", b"3", b'{"x":"\xff"}', b"[" * 5000])
def test_a_line_that_is_no_event_is_rejected(name: str, row: bytes) -> None:
    with pytest.raises(RejectedEventError):
        landed_of(export(name), row)


@pytest.mark.parametrize(("name", "zone"), [("heap", None), ("segment", "Europe/Berlin"), ("mixpanel", "Mars/Base")])
def test_a_mapping_that_there_is_not_is_refused(name: str, zone: str | None) -> None:
    with pytest.raises(InvalidMappingError):
        export(name, zone)
