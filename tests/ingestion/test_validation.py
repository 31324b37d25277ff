from dataclasses import replace
from typing import Any

import msgspec
import pytest
from msgspec import UNSET, Raw

from core.events import Event, LandedEvent, RejectReason
from core.metadata.collection_rules import parse_rules
from ingestion.privacy import Privacy
from ingestion.rejection import RejectedEventError
from ingestion.validation import Received, Validator

NOW_MS = 1_700_000_000_000
RECEIVED = Received(
    project_id=7, write_key_id=3, protocol="segment", received_ms=NOW_MS, ip="192.0.2.1", user_agent="curl/8"
)


def land(sent_at: str | None = None, context: dict[str, Any] | None = None, /, **members: Any) -> LandedEvent:
    """Land one event that is made of `members` as they stand in JSON."""
    event = msgspec.json.decode(msgspec.json.encode({"type": "track", "event": "buy"} | members), type=Event)
    shared = UNSET if context is None else Raw(msgspec.json.encode(context))
    return Validator(RECEIVED, sent_at, shared).land(event, 0, "batch")


def reason(**members: Any) -> RejectReason:
    """Return why an event with these members is rejected."""
    with pytest.raises(RejectedEventError) as caught:
        land(**members)
    return caught.value.reason


def test_a_track_lands_with_what_the_request_says() -> None:
    landed = land(userId="ada", messageId="m1", properties={"price": 1.50})
    assert (landed.project_id, landed.write_key_id, landed.event, landed.user_id) == (7, 3, "buy", "ada")
    assert (landed.message_id, landed.batch_id, landed.ip, landed.user_agent) == ("m1", "batch", "192.0.2.1", "curl/8")
    assert bytes(landed.properties) == b'{"price":1.5}'
    assert landed.timestamp == landed.received_at == NOW_MS / 1000
    assert landed.original_timestamp is None


def test_nothing_of_an_event_is_in_the_next_one() -> None:
    """Not even where they have the same context, in which the first one's id is hashed."""
    received = replace(
        RECEIVED, privacy=Privacy(parse_rules(b'{"properties":[{"path":"userId","action":"hash"}]}'), b"s")
    )
    validator = Validator(received)
    context = Raw(b'{"sessionId":"ada"}')
    first = Event(type="track", event="buy", user_id="ada", timestamp=1.0, properties=Raw(b'{"a":1}'), context=context)
    group = Event(type="group", group_id="acme", anonymous_id="one", traits=Raw(b'{"b":1}'))
    second = Event(type="track", event="see", anonymous_id="two", context=context)
    validator.land(first, 0, "batch")
    validator.land(group, 1, "batch")
    alone = Validator(received).land(second, 2, "batch")
    landed = validator.land(second, 2, "batch")
    alone.message_id = landed.message_id
    assert landed == alone
    assert landed.session_id == "ada"


def test_a_context_that_is_no_utf8_is_no_fault_where_bots_are_refused() -> None:
    validator = Validator(replace(RECEIVED, rejects_bots=True), context=Raw(b'{"userAgent":"\xff"}'))
    with pytest.raises(RejectedEventError) as caught:
        validator.land(Event(type="track", event="buy", user_id="ada"), 0, "batch")
    assert caught.value.reason is RejectReason.INVALID_JSON
    own = Event(type="track", event="buy", user_id="ada", context=Raw(b"{}"))
    assert validator.land(own, 1, "batch").user_id == "ada"


def test_the_country_is_that_of_the_address_that_counts() -> None:
    """The request's, unless the event names another one."""
    received = replace(RECEIVED, country="DE", country_of={"198.51.100.7": "FR"}.__getitem__)

    def country(context: bytes) -> str:
        event = Event(type="track", event="buy", user_id="ada", context=Raw(context))
        return Validator(received).land(event, 0, "batch").country

    assert country(b"{}") == "DE"
    assert country(b'{"ip":"198.51.100.7"}') == "FR"


def test_an_event_without_a_message_id_gets_one_of_its_own() -> None:
    first, second = land(userId="ada"), land(userId="ada", messageId="")
    assert first.message_id
    assert second.message_id
    assert first.message_id != second.message_id


def test_the_raw_timestamp_is_kept_beside_the_corrected_one() -> None:
    landed = land("2023-11-14T22:00:00Z", userId="ada", timestamp="2023-11-14T21:00:00.000Z")
    assert landed.original_timestamp == NOW_MS / 1000 - 4400
    assert landed.timestamp == NOW_MS / 1000 - 3600
    assert landed.sent_at == NOW_MS / 1000 - 800


def test_an_original_timestamp_wins_over_the_timestamp() -> None:
    landed = land(userId="ada", timestamp="2023-01-01T00:00:00Z", originalTimestamp="2023-01-02T00:00:00Z")
    assert landed.original_timestamp == 1_672_617_600


def test_a_sent_at_that_cannot_be_read_corrects_nothing() -> None:
    landed = land("soon", userId="ada", timestamp="2023-11-14T21:00:00Z")
    assert landed.timestamp == landed.original_timestamp
    assert landed.sent_at is None


def test_a_track_is_kept_without_its_illegal_id() -> None:
    landed = land(userId="null", anonymousId="device-1")
    assert (landed.user_id, landed.anonymous_id) == ("", "device-1")


@pytest.mark.parametrize("session_id", [False, 0, "undefined", " null ", "x" * 201])
def test_a_session_id_that_names_nothing_is_left_out(session_id: Any) -> None:
    """Everybody's events would melt into one session; without an id the sessions are derived."""
    assert land(userId="ada", sessionId=session_id).session_id == ""
    assert land(userId="ada", sessionId=session_id, context={"sessionId": "s1"}).session_id == "s1"


def test_a_kind_of_group_that_is_too_long_is_rejected() -> None:
    members = {"type": "group", "userId": "ada", "groupId": "acme"}
    assert reason(**members, groupType="x" * 201) == RejectReason.INVALID_SHAPE


def test_a_track_without_a_legal_id_is_rejected() -> None:
    assert reason(userId="null", anonymousId=" Guest ") == RejectReason.ILLEGAL_ID
    assert reason() == RejectReason.MISSING_ID


@pytest.mark.parametrize("kind", ["identify", "alias"])
def test_an_identify_or_alias_that_names_an_illegal_id_is_rejected_whole(kind: str) -> None:
    ids = {"userId": "ada", "previousId": "old", "anonymousId": "device-1"}
    for name in ids if kind == "alias" else ("userId", "anonymousId"):
        assert reason(type=kind, **(ids | {name: "undefined"})) == RejectReason.ILLEGAL_ID


def test_an_alias_takes_the_anonymous_id_where_it_names_no_previous_one() -> None:
    assert land(type="alias", userId="ada", anonymousId="device-1").previous_id == "device-1"
    assert reason(type="alias", userId="ada") == RejectReason.MISSING_ID
    assert reason(type="alias", previousId="old") == RejectReason.MISSING_ID


def test_a_group_needs_a_legal_group_id() -> None:
    landed = land(type="group", userId="ada", groupId="acme", groupType="company")
    assert (landed.event, landed.group_type, landed.group_id) == ("$group", "company", "acme")
    assert land(type="group", userId="ada", groupId="acme").group_type == "group"
    assert reason(type="group", userId="ada") == RejectReason.MISSING_ID
    assert reason(type="group", userId="ada", groupId="null") == RejectReason.ILLEGAL_ID


def test_what_is_said_of_a_group_alone_is_nobodys_event() -> None:
    landed = land(type="group", groupId="acme", traits={"seats": 5})
    assert (landed.group_id, landed.user_id, landed.anonymous_id) == ("acme", "", "")
    assert reason(type="group", groupId="acme", userId="null") == RejectReason.ILLEGAL_ID


@pytest.mark.parametrize(
    ("kind", "name"), [("page", "$pageview"), ("screen", "$screen"), ("identify", "$identify"), ("alias", "$alias")]
)
def test_what_is_no_track_is_named_after_its_type(kind: str, name: str) -> None:
    assert land(type=kind, event="ignored", userId="ada", previousId="old").event == name


def test_name_and_category_of_a_page_are_kept_as_properties_unless_these_say_them() -> None:
    landed = land(type="page", userId="ada", name="Home", category="Docs", properties={"name": "Start", "n": 1})
    assert msgspec.json.decode(landed.properties) == {"name": "Start", "n": 1, "category": "Docs"}
    assert bytes(land(type="screen", userId="ada", name="Home").properties) == b'{"name":"Home"}'


def test_a_context_fills_the_columns_that_it_speaks_of() -> None:
    context = {"ip": "203.0.113.9", "userAgent": "Firefox", "sessionId": 42, "library": {"name": "js", "version": "2"}}
    landed = land(userId="ada", context=context)
    assert (landed.ip, landed.user_agent, landed.session_id) == ("203.0.113.9", "Firefox", "42")
    assert landed.library == "js/2"


def test_a_context_that_cannot_be_read_is_kept_all_the_same() -> None:
    landed = land(userId="ada", context={"library": 7})
    assert (landed.library, bytes(landed.context)) == ("", b'{"library":7}')


def test_the_requests_context_holds_for_events_that_carry_none() -> None:
    shared = {"library": {"name": "js"}}
    assert land(None, shared, userId="ada").library == "js"
    assert land(None, shared, userId="ada", context={"library": {"name": "own"}}).library == "own"


def test_an_empty_php_array_stands_for_an_empty_object() -> None:
    assert bytes(land(userId="ada", properties=[]).properties) == b'""'


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"type": None}, RejectReason.INVALID_TYPE),
        ({"type": "import"}, RejectReason.INVALID_TYPE),
        ({"event": None}, RejectReason.INVALID_EVENT_NAME),
        ({"event": " "}, RejectReason.INVALID_EVENT_NAME),
        ({"event": "e" * 201}, RejectReason.INVALID_EVENT_NAME),
        ({"messageId": "m" * 201}, RejectReason.INVALID_MESSAGE_ID),
        ({"timestamp": "soon"}, RejectReason.INVALID_TIMESTAMP),
        ({"properties": "text"}, RejectReason.INVALID_SHAPE),
        ({"properties": [1]}, RejectReason.INVALID_SHAPE),
    ],
)
def test_what_cannot_be_taken_is_rejected_with_its_reason(members: dict[str, Any], expected: RejectReason) -> None:
    assert reason(**({"userId": "ada"} | members)) == expected
