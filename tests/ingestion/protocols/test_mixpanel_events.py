from typing import Any

import msgspec
import pytest

from core.events import RejectReason
from tests.ingestion.protocols.mixpanel_requests import (
    KEY,
    event,
    land,
    landed,
    members,
    reason,
    sent,
    wire,
)


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ({"distinct_id": "ada"}, ("", "ada")),
        ({"distinct_id": 42}, ("", "42")),
        ({"distinct_id": "$device:d1"}, ("d1", "")),
        ({"distinct_id": "$device:d1", "_device_id": "d1"}, ("d1", "")),
        ({"distinct_id": "ada", "_device_id": "d1"}, ("d1", "ada")),
        ({"distinct_id": "ada", "_device_id": "d1", "_user_id": "ada"}, ("d1", "ada")),
        ({"distinct_id": "$device:d1", "_user_id": "ada"}, ("d1", "ada")),
        ({"distinct_id": "d1", "_device_id": "d1"}, ("d1", "")),
        ({"distinct_id": None, "_device_id": "d1", "_user_id": "ada"}, ("d1", "ada")),
        ({"distinct_id": "", "_device_id": "d1"}, ("d1", "")),
        ({"distinct_id": "null", "_device_id": "d1"}, ("d1", "")),
    ],
)
def test_a_distinct_id_is_a_devices_or_a_users(ids: dict[str, Any], expected: tuple[str, str]) -> None:
    row = landed(**ids)
    assert (row.type, row.anonymous_id, row.user_id) == ("track", *expected)


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ({"distinct_id": "undefined"}, RejectReason.ILLEGAL_ID),
        ({"distinct_id": "00000000-0000-0000-0000-000000000000"}, RejectReason.ILLEGAL_ID),
        ({"distinct_id": "$device:null"}, RejectReason.ILLEGAL_ID),
        ({"distinct_id": ""}, RejectReason.MISSING_ID),
        ({"distinct_id": None}, RejectReason.MISSING_ID),
    ],
)
def test_an_event_of_nobody_is_rejected(ids: dict[str, Any], expected: RejectReason) -> None:
    assert reason("/track", event(**ids)) == expected


UUID = "3f0d8c1e-9d3b-4f7e-8d1b-0a2b3c4d5e6f"


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"_identified_id": "ada", "_anon_id": "$device:d1", "distinct_id": None}, ("identify", "d1", "ada", "")),
        ({"_identified_id": "ada", "_anon_id": "visitor-1"}, ("identify", "visitor-1", "ada", "")),
        ({"_anon_distinct_id": "$device:d1", "_device_id": "d1", "_user_id": "ada"}, ("identify", "d1", "ada", "")),
        ({"_anon_distinct_id": "bob", "_device_id": "d1", "_user_id": "ada"}, ("identify", "d1", "ada", "")),
        ({"_identified_id": "ada", "_anon_id": UUID}, ("identify", UUID, "ada", "")),
        ({"_identified_id": "ada", "_anon_id": UUID, "mp_lib": "python"}, ("alias", "", "ada", UUID)),
        ({"_identified_id": "ada", "_anon_id": UUID, "mp_lib": "node"}, ("alias", "", "ada", UUID)),
        ({"_anon_distinct_id": UUID, "mp_lib": "web"}, ("identify", UUID, "ada", "")),
        ({"_anon_distinct_id": UUID, "mp_lib": ["node"]}, ("identify", UUID, "ada", "")),
        ({"_anon_distinct_id": UUID, "_device_id": UUID}, ("identify", UUID, "ada", "")),
    ],
)
def test_an_identify_links_a_device_and_an_anonymous_id_of_a_servers_own_is_merged(
    properties: dict[str, Any], expected: tuple[str, str, str, str]
) -> None:
    row = landed("$identify", **properties)
    assert (row.type, row.anonymous_id, row.user_id, row.previous_id) == expected


def test_an_identify_that_names_nobody_is_rejected_whole() -> None:
    assert reason("/track", event("$identify", _identified_id="null", _anon_id="d1")) == RejectReason.ILLEGAL_ID


@pytest.mark.parametrize(
    ("name", "properties", "expected"),
    [
        ("$create_alias", {"distinct_id": "old", "alias": "ada"}, ("old", "ada")),
        ("$create_alias", {"distinct_id": "$device:d1", "alias": "ada"}, ("d1", "ada")),
        ("$merge", {"_distinct_ids": ["ada", "ada2"]}, ("ada2", "ada")),
        ("$merge", {"_distinct_ids": ["$device:d1", "ada"]}, ("d1", "ada")),
    ],
)
def test_aliases_and_merges_are_aliases(name: str, properties: dict[str, Any], expected: tuple[str, str]) -> None:
    row = landed(name, **properties)
    assert (row.type, row.previous_id, row.user_id) == ("alias", *expected)


@pytest.mark.parametrize(
    ("name", "properties", "expected"),
    [
        ("$create_alias", {"distinct_id": "old"}, RejectReason.MISSING_ID),
        ("$create_alias", {"alias": {}}, RejectReason.INVALID_SHAPE),
        ("$create_alias", {"alias": "guest"}, RejectReason.ILLEGAL_ID),
        ("$merge", {"_distinct_ids": ["ada"]}, RejectReason.INVALID_SHAPE),
        ("$merge", {"_distinct_ids": "ada"}, RejectReason.INVALID_SHAPE),
        ("$merge", {}, RejectReason.INVALID_SHAPE),
        ("$merge", {"_distinct_ids": ["ada", "null"]}, RejectReason.ILLEGAL_ID),
    ],
)
def test_an_alias_or_merge_that_names_no_two_persons_is_rejected(
    name: str, properties: dict[str, Any], expected: RejectReason
) -> None:
    assert reason("/track", event(name, **properties)) == expected


def test_alias_and_distinct_ids_may_be_anything_in_other_events() -> None:
    assert landed(alias={"a": 1}, _distinct_ids=7).event == "buy"


def test_properties_land_as_they_came() -> None:
    body = b'[{"event":"buy","properties":{"z": 1.50, "a":12345678901234567890,"distinct_id":"ada","z":2}}]'
    row = land(wire("/track", body))[0]
    assert bytes(row.properties) == b'{"z": 1.50, "a":12345678901234567890,"distinct_id":"ada","z":2}'


def test_the_session_of_a_mobile_client_is_kept() -> None:
    item = event() | {"$mp_metadata": {"$mp_session_id": "s-1", "$mp_event_id": "e-1"}}
    assert land(sent("/track", item))[0].session_id == "s-1"


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"ip": "203.0.113.9"}, ("203.0.113.9", "")),
        ({"_ip": "203.0.113.9", "mp_lib": 7}, ("203.0.113.9", "")),
        ({"ip": 0, "mp_lib": "swift", "_lib_version": "4"}, ("192.0.2.1", "swift/4")),
        ({"ip": "0", "mp_lib": None}, ("192.0.2.1", "")),
    ],
)
def test_address_and_library_are_found_and_what_is_no_text_spoils_neither(
    properties: dict[str, Any], expected: tuple[str, str]
) -> None:
    row = landed(**properties)
    assert (row.ip, row.library) == expected


@pytest.mark.parametrize("moment", ["soon", -5, "99999999999999999"])
def test_a_time_that_is_none_is_rejected(moment: Any) -> None:
    assert reason("/import", event(time=moment)) == RejectReason.INVALID_TIMESTAMP


def update(**operations: Any) -> dict[str, Any]:
    """Return an update of `ada`'s profile."""
    return {"$token": KEY, "$distinct_id": "ada"} | {f"${name}": value for name, value in operations.items()}


def test_set_set_once_and_add_are_traits_of_an_identify() -> None:
    item = update(set={"a": 1}, set_once={"b": 2}, add={"c": 3}, time="2024-05-06T07:08:09", ip="203.0.113.9")
    (row,) = land(sent("/engage", item))
    assert (row.type, row.event, row.user_id, row.anonymous_id) == ("identify", "$identify", "ada", "")
    assert [members(row.traits), members(row.traits_once), members(row.traits_increment)] == [
        {"a": 1},
        {"b": 2},
        {"c": 3},
    ]
    assert (row.ip, row.original_timestamp) == ("203.0.113.9", 1_714_979_289)


@pytest.mark.parametrize(
    "operation",
    [
        {"append": {"pages": "home"}},
        {"union": {"pages": ["home"]}},
        {"remove": {"pages": "home"}},
        {"unset": ["pages"]},
        {"delete": ""},
    ],
)
def test_what_is_no_trait_is_kept_as_it_came(operation: dict[str, Any]) -> None:
    person, group = update(**operation), {"$group_key": "company", "$group_id": "acme"} | update(**operation)
    for path, item in (("/engage", person), ("/groups", group)):
        (row,) = land(sent(path, item))
        assert bytes(row.properties) == msgspec.json.encode(item)
        assert {bytes(row.traits), bytes(row.traits_once), bytes(row.traits_increment)} == {b'""'}


def test_a_profile_of_a_device_is_an_identify_without_a_user() -> None:
    (row,) = land(sent("/engage", {"$token": KEY, "$distinct_id": "$device:d1", "$set": {"a": 1}}))
    assert (row.type, row.anonymous_id, row.user_id) == ("identify", "d1", "")


def test_a_groups_profile_is_a_group_event_of_nobody() -> None:
    item = {"$token": KEY, "$group_key": "company", "$group_id": 7, "$set": {"seats": 5}, "$set_once": {"since": 1}}
    (row,) = land(sent("/groups", item))
    assert (row.type, row.group_type, row.group_id, row.user_id, row.anonymous_id) == ("group", "company", "7", "", "")
    assert (members(row.traits), members(row.traits_once)) == ({"seats": 5}, {"since": 1})


@pytest.mark.parametrize(
    ("path", "item", "expected"),
    [
        ("/engage", {"$token": KEY, "$set": {"a": 1}}, RejectReason.MISSING_ID),
        ("/engage", {"$token": KEY, "$distinct_id": "null", "$set": {}}, RejectReason.ILLEGAL_ID),
        ("/engage", {"$token": KEY, "$distinct_id": "ada", "$set": [1]}, RejectReason.INVALID_SHAPE),
        ("/groups", {"$token": KEY, "$group_key": "company", "$set": {}}, RejectReason.MISSING_ID),
        ("/groups", {"$token": KEY, "$group_key": "company", "$group_id": "null"}, RejectReason.ILLEGAL_ID),
    ],
)
def test_a_profile_of_nobody_is_rejected(path: str, item: dict[str, Any], expected: RejectReason) -> None:
    assert reason(path, item) == expected
