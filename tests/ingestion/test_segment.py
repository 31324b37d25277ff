import gzip
import time

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Raw

from core.errors import RadixError
from core.events import EventType, RejectReason
from ingestion.errors import MalformedRequestError, SlowRequestError, UnknownWriteKeyError
from ingestion.protocols.segment import ENDPOINTS, decode_event, find_write_key, parse_batch, parse_single, refuse
from ingestion.rejection import RejectedEventError
from ingestion.wire import Wire

GOOD = b'{"type":"track","event":"buy","userId":"ada"}'


def batch(*events: bytes) -> bytes:
    """Return the body of a batch with these events."""
    return b'{"writeKey":"wk","batch":[' + b",".join(events) + b'],"sentAt":"2024-01-01T00:00:00Z"}'


def events_of(body: bytes) -> list[bytes]:
    """Return the bytes of each event of a batch."""
    return [bytes(event) for event in parse_batch(body).events]


def reason(event: bytes) -> RejectReason:
    """Return why the bytes are no event."""
    with pytest.raises(RejectedEventError) as caught:
        decode_event(Raw(event), plain=True)
    return caught.value.reason


def test_a_batch_is_split_into_its_events_as_they_came() -> None:
    parsed = parse_batch(batch(GOOD, b'{ "type" : "page" }'))
    assert [bytes(event) for event in parsed.events] == [GOOD, b'{ "type" : "page" }']
    assert (parsed.write_key, parsed.sent_at) == ("wk", "2024-01-01T00:00:00Z")


BROKEN = [b'{"n":NaN}', b'{"a":01}', b'{"a":"\x01"}', b"{'a':1}", b'{"a":"\\x"}', b'{"a":1,}', b"nonsense"]


@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize("position", [0, 1, 2])
def test_an_event_that_is_not_json_leaves_its_neighbours_whole(broken: bytes, position: int) -> None:
    events = [GOOD, GOOD]
    events.insert(position, broken)
    parsed = parse_batch(batch(*events))
    assert [bytes(event) for event in parsed.events] == events
    assert parsed.write_key == "wk"
    assert reason(broken) == RejectReason.INVALID_JSON


@pytest.mark.parametrize("body", [b"", b"nope", b"[]", b'{"batch":1}', b'{"batch":[' + GOOD, b'{"a":1,}', b"\xff{"])
def test_a_body_that_is_no_batch_at_all_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedRequestError):
        parse_batch(body)


@given(st.binary(max_size=200))
def test_any_bytes_between_good_events_end_in_a_split_or_a_clear_error(junk: bytes) -> None:
    try:
        events = events_of(batch(GOOD, junk, GOOD))
    except MalformedRequestError:
        return
    assert events[0] == GOOD


@given(st.lists(st.dictionaries(st.text(), st.text() | st.integers() | st.none(), max_size=3), max_size=5))
def test_splitting_by_brackets_finds_the_same_events_as_parsing(events: list[dict[str, object]]) -> None:
    encoded = [msgspec.json.encode(event) for event in events]
    assert events_of(batch(*encoded)) == encoded
    assert events_of(batch(*encoded, b"NaN")) == [*encoded, b"NaN"]


@pytest.mark.parametrize("filling", [b'\\"' * 20_000, b'\\"' * 20_000 + b"\\", b'"a\\' * 15_000])
def test_a_string_that_never_ends_costs_time_that_grows_with_its_length_only(filling: bytes) -> None:
    """On the event loop: 16 KB took 5 s when each quote of an open string was a start for another try."""
    started = time.process_time()
    with pytest.raises(MalformedRequestError):
        parse_batch(b'{"batch":["' + filling)
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    "body",
    [
        b'{"writeKey":"wk","batch":[{"writeKey":"other"}]}',
        b'{"writeKey":"wk","batch":[{"writeKey":"other"},NaN]}',
        b'{"batch":[{"writeKey":"other"},NaN],"writeKey" : "wk"}',
        b'{"event":"cut \\ud83d","writeKey":"wk"}',
    ],
)
def test_the_write_key_is_found_without_looking_at_the_events(body: bytes) -> None:
    assert find_write_key(body) == "wk"


@pytest.mark.parametrize("body", [b"", b"nope", b"{}", b'{"batch":["' + b'\\"' * 1000, b'{"n":NaN,"writeKey":1}'])
def test_a_body_may_have_no_write_key(body: bytes) -> None:
    assert find_write_key(body) is None


@pytest.mark.parametrize("traits", [b"", b',"traits":{}', b',"traits":null'])
def test_traits_of_an_identify_may_stand_in_its_context(traits: bytes) -> None:
    """RudderStack's Python library has them there only."""
    context = b',"context":{"traits":{"plan": "pro"},"ip":1}'
    found = decode_event(Raw(b'{"type":"identify","userId":"ada"' + context + traits + b"}"), plain=True)
    assert found.traits == Raw(b'{"plan": "pro"}')
    track = decode_event(Raw(b'{"type":"track","userId":"ada"' + context + traits + b"}"), plain=True)
    assert track.traits != found.traits


@pytest.mark.parametrize("context", [b'{"traits":{"plan":"free"}}', b"{}", b"[]", b"null", b"1"])
def test_traits_of_its_own_win_over_those_in_the_context(context: bytes) -> None:
    found = decode_event(Raw(b'{"type":"identify","traits":{"plan":"pro"},"context":' + context + b"}"), plain=True)
    assert found.traits == Raw(b'{"plan":"pro"}')
    without = decode_event(Raw(b'{"type":"identify","context":' + context + b"}"), plain=True)
    assert without.traits is UNSET or without.traits == Raw(b'{"plan":"free"}')


@pytest.mark.parametrize(
    ("error", "status"), [(SlowRequestError("slow"), 503), (UnknownWriteKeyError("no"), 401), (RadixError("oh"), 500)]
)
def test_an_error_is_said_as_the_libraries_understand_it(error: RadixError, status: int) -> None:
    reply = refuse(Wire("POST", "/v1/batch", b"", {}), error)
    answer = msgspec.json.decode(reply.body)
    assert (reply.status, answer["status"], answer["code"]) == (status, status, error.code)
    assert answer["message"] == answer["detail"] == error.detail
    assert reply.headers == error.headers


def test_half_an_emoji_is_mended() -> None:
    parsed = parse_batch(batch(b'{"type":"track","event":"cut \\ud83d","properties":{"a":"\\ud83d\\ude00 \\\\ud83d"}}'))
    event = parsed.decode(parsed.events[0])
    assert event.event == "cut \ufffd"
    assert isinstance(event.properties, Raw)
    assert bytes(event.properties) == b'{"a":"\\ud83d\\ude00 \\\\ud83d"}'


def test_bytes_that_are_not_utf8_reject_their_event_only() -> None:
    parsed = parse_batch(batch(GOOD, b'{"properties":{"a":"\xff"}}'))
    assert parsed.decode(parsed.events[0]).event == "buy"
    with pytest.raises(RejectedEventError) as caught:
        parsed.decode(parsed.events[1])
    assert caught.value.reason == RejectReason.INVALID_UTF8


def test_an_event_over_many_lines_is_put_on_one() -> None:
    parsed = parse_single(b'{"event":"a",\r\n"properties":{\n"b": 1}}', EventType.TRACK)
    event = parsed.decode(parsed.events[0])
    assert isinstance(event.properties, Raw)
    assert bytes(event.properties) == b'{ "b": 1}'


def test_an_event_that_is_nested_too_deep_is_rejected_and_its_neighbours_are_not() -> None:
    deep = b'{"properties":' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"}"
    assert events_of(batch(GOOD, deep)) == [GOOD, deep]
    with pytest.raises(RejectedEventError) as caught:
        decode_event(Raw(deep), plain=True)
    assert caught.value.reason == RejectReason.NESTED_TOO_DEEP


@pytest.mark.parametrize("event", [b"[]", b"1", b"null", b'{"event":1}', b'{"userId":{}}', b'{"userId":1e999}'])
def test_a_member_of_another_type_rejects_the_event(event: bytes) -> None:
    assert reason(event) == RejectReason.INVALID_SHAPE


@pytest.mark.parametrize("body", [b"", b"nope", b"[]", b'{"event":', gzip.compress(b"{}", mtime=0)])
def test_a_body_that_is_no_object_is_no_single_event(body: bytes) -> None:
    with pytest.raises(MalformedRequestError):
        parse_single(body, EventType.TRACK)


@pytest.mark.parametrize("kind", list(EventType))
def test_the_first_letter_of_a_type_is_its_path_too(kind: EventType) -> None:
    wire = Wire("POST", f"/v1/{kind[0]}", b"", {}, body=b'{"writeKey":"wk","event":"buy"}')
    delivery = ENDPOINTS[wire.path].parse(wire)
    assert (delivery.write_key, delivery.decode(delivery.events[0]).type) == ("wk", kind)


@pytest.mark.parametrize(("query", "key"), [(b"writeKey=wk_1", "wk_1"), (b"", "wk_2")])
def test_a_beacon_has_its_key_in_the_address_or_in_the_header(query: bytes, key: str) -> None:
    wire = Wire("POST", "/beacon/v1/batch", query, {"authorization": "Bearer wk_2"})
    head_key = ENDPOINTS[wire.path].head_key
    assert head_key is not None
    assert head_key(wire) == key
