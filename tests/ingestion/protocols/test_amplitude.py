"""Over bodies that Amplitude's libraries were seen to send."""

import base64
import json
import time
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET, Raw

from core.errors import RadixError
from core.events import Event, RejectReason
from ingestion import errors
from ingestion.endpoints import endpoints
from ingestion.errors import MalformedRequestError
from ingestion.protocols import amplitude
from ingestion.rejection import RejectedEventError
from ingestion.validation import Received, Validator
from ingestion.wire import Delivery, Rejection, Wire
from tests.ingestion.protocols.resilience import endure, junk, members

BUY = (
    b'{"time":1700000001234,"insert_id":"25df9226","event_type":"buy","device_id":"device-1","user_id":"ada",'
    b'"session_id":1700000000000,"event_properties":{"price":12.50},"event_id":0,"library":"amplitude-node-ts/1.5.73"}'
)
NODE = (
    b'{"api_key":"wk_test","events":['
    + BUY
    + b'],"options":{},"client_upload_time":"2026-11-25T17:11:09.224Z","request_metadata":{"sdk":{}}}'
)
PYTHON = (
    b'{"api_key": "wk_test", "events": [{"device_id": "device-1", "event_properties": {"n": NaN}, "event_type": "buy", '
    b'"insert_id": "a12a8602", "library": "amplitude-python/1.3.0", "time": 1795626669299, "user_id": "ada"}, '
    b'{"device_id": "device-1", "event_type": "$identify", "insert_id": "df6f4b48", "library": '
    b'"amplitude-python/1.3.0", "time": 1795626669308, "user_id": "ada", "user_properties": {"$add": {"logins": 2}, '
    b'"$set": {"plan": "pro"}}}], "options": {"min_id_length": 3}}'
)
PAGE = {
    "event_type": "[Amplitude] Page Viewed",
    "device_id": "device-1",
    "language": "en-US",
    "ip": "$remote",
    "platform": "Web",
    "library": "amplitude-ts/2.11.0",
    "user_agent": "Mozilla/5.0",
    "event_properties": {
        "utm_source": "mail",
        "referrer": "https://search.example/",
        "[Amplitude] Page Domain": "shop.example",
        "[Amplitude] Page Location": "https://shop.example/pricing?a=1",
        "[Amplitude] Page Path": "/pricing",
        "[Amplitude] Page Title": "Pricing",
        "[Amplitude] Page URL": "https://shop.example/pricing",
    },
}
ALL_ENDPOINTS = endpoints()
TRANSLATED = ["[Amplitude] Page Viewed", "[Amplitude] Screen Viewed"]


def post(body: bytes, path: str = "/2/httpapi", query: str = "") -> Delivery:
    """Return what is made of a request."""
    return ALL_ENDPOINTS[path].parse(Wire("POST", path, query.encode(), {}, body=body))


def events(delivery: Delivery) -> list[Event]:
    """Return the events of a request."""
    return [delivery.decode(raw) for raw in delivery.events]


def one(event: dict[str, Any], **more: Any) -> Event:
    """Return what becomes of one event by device-1, unless it says otherwise."""
    body = {"api_key": "wk_test", "events": [{"event_type": "buy", "device_id": "device-1"} | event]} | more
    (only,) = events(post(json.dumps(body).encode()))
    return only


def read(value: Raw | Any) -> Any:
    """Return a JSON object decoded; None where there is none."""
    return None if value is UNSET else json.loads(bytes(value))


def reason(delivery: Delivery, index: int = 0) -> RejectReason:
    """Return why an event is refused."""
    with pytest.raises(RejectedEventError) as caught:
        delivery.decode(delivery.events[index])
    return caught.value.reason


def test_an_event_is_translated_and_its_properties_are_untouched() -> None:
    delivery = post(NODE)
    (event,) = events(delivery)
    assert (delivery.write_key, delivery.sent_at) == ("wk_test", "2026-11-25T17:11:09.224Z")
    assert [bytes(raw) for raw in delivery.events] == [BUY]
    assert (event.type, event.event, event.message_id) == ("track", "buy", "25df9226")
    assert (event.anonymous_id, event.user_id, event.session_id) == ("device-1", "ada", 1700000000000)
    assert event.timestamp == 1700000001234
    assert bytes(event.properties) == b'{"price":12.50}'  # type: ignore[arg-type]
    assert read(event.context) == {
        "library": {"name": "amplitude-node-ts", "version": "1.5.73"},
        "amplitude": {"event_id": 0},
    }


def test_nan_of_the_python_library_rejects_its_event_only() -> None:
    delivery = post(PYTHON)
    assert delivery.write_key == "wk_test"
    assert reason(delivery) == RejectReason.INVALID_JSON
    identify = delivery.decode(delivery.events[1])
    assert (identify.type, identify.anonymous_id, identify.user_id) == ("identify", "device-1", "ada")
    assert (read(identify.traits), read(identify.traits_increment)) == ({"plan": "pro"}, {"logins": 2})


def test_what_a_page_says_of_itself_goes_where_segment_has_it() -> None:
    event = one(PAGE)
    assert event.type == "page"
    assert read(event.properties) == PAGE["event_properties"]
    assert read(event.context) == {
        "library": {"name": "amplitude-ts", "version": "2.11.0"},
        "userAgent": "Mozilla/5.0",
        "locale": "en-US",
        "device": {"type": "Web"},
        "page": {
            "url": "https://shop.example/pricing?a=1",
            "path": "/pricing",
            "title": "Pricing",
            "referrer": "https://search.example/",
        },
        "campaign": {"source": "mail"},
    }


def test_what_a_device_says_of_itself_goes_where_segment_has_it() -> None:
    event = one(
        {
            "ip": "192.0.2.7",
            "os_name": "ios",
            "os_version": 17,
            "device_model": "iPhone",
            "carrier": None,
            "country": "DE",
            "location_lat": 52.5,
            "app_version": "1.2",
            "idfa": "A",
            "partner_id": "p",
            "plan": {"branch": "main"},
            "library": {"name": "old", "version": "1"},
        }
    )
    assert read(event.context) == {
        "library": {"name": "old", "version": "1"},
        "ip": "192.0.2.7",
        "app": {"version": "1.2"},
        "device": {"model": "iPhone", "advertisingId": "A"},
        "os": {"name": "ios", "version": 17},
        "location": {"country": "DE", "latitude": 52.5},
        "amplitude": {"partner_id": "p", "plan": {"branch": "main"}},
    }


def test_a_screen_has_its_name() -> None:
    event = one({"event_type": "[Amplitude] Screen Viewed", "event_properties": {"[Amplitude] Screen Name": "Cart"}})
    assert (event.type, event.name) == ("screen", "Cart")


@pytest.mark.parametrize(
    ("user_properties", "traits", "once", "increment", "kept"),
    [
        ({"plan": "pro"}, {"plan": "pro"}, None, None, None),
        ({"price": "$5", "$odd": 1}, {"price": "$5", "$odd": 1}, None, None, None),
        ({"$set": {"a": 1}, "b": 2}, {"b": 2, "a": 1}, None, None, None),
        ({"$setOnce": {"a": 1}, "$add": {"n": -1}}, None, {"a": 1}, {"n": -1}, None),
        ({"$clearAll": "-"}, None, None, None, {"$clearAll": "-"}),
        ({"$remove": {"a": 1}, "$unset": {"b": "-"}}, None, None, None, {"$unset": {"b": "-"}, "$remove": {"a": 1}}),
    ],
)
def test_user_properties_are_traits_and_operations_on_them(
    *, user_properties: dict[str, Any], traits: Any, once: Any, increment: Any, kept: Any
) -> None:
    for event_type in ("$identify", "buy"):
        event = one({"event_type": event_type, "user_properties": user_properties, "event_properties": {"x": 1}})
        assert [read(event.traits), read(event.traits_once), read(event.traits_increment)] == [traits, once, increment]
        assert read(event.properties) == ({"$user_properties": kept} if kept else {}) | {"x": 1}


def test_revenue_joins_the_properties_and_groups_the_context() -> None:
    event = one(
        {
            "event_properties": {"$price": 1},
            "price": 2,
            "revenue": 6.5,
            "productId": "A",
            "groups": {"company": ["acme", "umbrella"]},
        }
    )
    assert read(event.properties) == {"$revenue": 6.5, "$price": 1, "$productId": "A"}
    assert read(event.context) == {"groups": {"company": ["acme", "umbrella"]}}
    nothing = one({"groups": {}, "user_properties": None, "revenue": None})
    assert (read(nothing.properties), read(nothing.context)) == (None, None)


def test_group_identify_of_several_groups_becomes_one_event_for_each() -> None:
    sent = {
        "event_type": "$groupidentify",
        "insert_id": "g",
        "groups": {"company": ["acme", "umbrella"], "team": 7},
        "group_properties": {"$set": {"seats": 12}, "$append": {"tags": "x"}},
        "user_properties": {"plan": "pro"},
    }
    found = events(post(json.dumps({"events": [sent]}).encode()))
    assert [(event.message_id, event.group_type, event.group_id) for event in found] == [
        ("g", "company", "acme"),
        ("g:1", "company", "umbrella"),
        ("g:2", "team", 7),
    ]
    for event in found:
        assert (event.type, read(event.traits)) == ("group", {"seats": 12})
        kept = {"$group_properties": {"$append": {"tags": "x"}}, "$user_properties": {"plan": "pro"}}
        assert read(event.properties) == kept


def test_a_group_may_be_told_of_by_nobody() -> None:
    body = b'{"events":[{"event_type":"$groupidentify","groups":{"company":"acme"}}]}'
    received = Received(project_id=1, write_key_id=1, protocol="amplitude", received_ms=0, ip="", user_agent="")
    landed = Validator(received).land(events(post(body))[0], 0, "")
    assert (landed.group_id, landed.user_id, landed.anonymous_id) == ("acme", "", "")


@pytest.mark.parametrize("groups", [b"{}", b"null", b"[]", b"1", b'{"a":{}}', b'{"company":[]}'])
def test_group_identify_without_a_group_is_rejected(groups: bytes) -> None:
    delivery = post(b'{"events":[{"event_type":"$groupidentify","device_id":"d","groups":%b}]}' % groups)
    received = Received(project_id=1, write_key_id=1, protocol="amplitude", received_ms=0, ip="", user_agent="")
    with pytest.raises(RejectedEventError):
        Validator(received).land(delivery.decode(delivery.events[0]), 0, "")


@pytest.mark.parametrize(
    ("ids", "kept"),
    [
        ({"user_id": "ada", "device_id": "device-1"}, ("device-1", None)),
        ({"user_id": "ada-lovelace", "device_id": "d"}, (None, "ada-lovelace")),
        ({"user_id": "ada", "device_id": "d"}, None),
        ({"user_id": 123, "device_id": None}, None),
        ({"event_type": "$identify", "user_id": "ada"}, None),
    ],
)
def test_an_id_that_is_shorter_than_the_client_wants_names_nobody(
    ids: dict[str, Any], kept: tuple[str | None, str | None] | None
) -> None:
    options = {"min_id_length": 5}
    if kept is None:
        with pytest.raises(RejectedEventError) as caught:
            one(ids, options=options)
        assert caught.value.reason == RejectReason.ILLEGAL_ID
    else:
        event = one(ids, options=options)
        assert (event.anonymous_id, event.user_id) == kept


@pytest.mark.parametrize("options", [None, {}, {"min_id_length": None}, [], "x"])
def test_amplitudes_own_shortest_id_is_not_applied(options: Any) -> None:
    assert one({"user_id": "a"}, options=options, client_upload_time=[]).user_id == "a"


@pytest.mark.parametrize("broken", [b'{"n":NaN}', b'{"a":1,}', b"nonsense", b"[1]", b'{"event_type":1}', b'"\xff"'])
@pytest.mark.parametrize("group", [b"", b',{"event_type":"$groupidentify"}'])
def test_a_broken_event_leaves_its_neighbours_whole(broken: bytes, group: bytes) -> None:
    delivery = post(b'{"events":[' + BUY + b",\n" + broken + b"," + BUY + group + b'],"api_key":"wk"}')
    assert delivery.write_key == "wk"
    assert [delivery.decode(delivery.events[index]).event for index in (0, 2)] == ["buy", "buy"]
    assert reason(delivery, 1) in {RejectReason.INVALID_JSON, RejectReason.INVALID_SHAPE, RejectReason.INVALID_UTF8}


@settings(deadline=None)
@given(junk(b'"events":', b'"api_key":', b'"groups":', b'"event_type":"$groupidentify"', b"identification="))
def test_any_bytes_end_in_events_or_a_clear_error(between: bytes) -> None:
    for member, path in (("events", "/amplitude/batch"), ("identification", "/groupidentify"), ("event", "/httpapi")):
        listed = b"[" + BUY + b"," + between + b',{"event_type":"$groupidentify"},' + BUY + b"]"
        for body in (
            between,
            b'{"%b":%b,"api_key":"wk"}' % (member.encode(), listed),
            b"api_key=wk&%b=%b" % (member.encode(), listed),
            urlencode({"api_key": between, member: listed}).encode(),
        ):
            for wire in (Wire("POST", path, b"", {}, body=body), Wire("GET", path, body, {})):
                endure(ALL_ENDPOINTS[path], wire, amplitude.claims)


ODD = members(
    *("event_type", "user_id", "device_id", "time", "insert_id", "session_id", "groups", "group_type", "group_value"),
    *("event_properties", "user_properties", "group_properties", "library", "ip", "revenue", "country", "price"),
)


@settings(deadline=None)
@given(ODD, st.sampled_from(["buy", "$identify", "$groupidentify", *TRANSLATED]), members("min_id_length"))
def test_any_values_leave_the_good_neighbours_of_their_event_whole(odd: bytes, kind: str, options: bytes) -> None:
    typed = b'{"event_type":"%b","device_id":"d-12345",%b' % (kind.encode(), odd[1:]) if odd != b"{}" else odd
    for given_options in (b"{}", options):
        body = b'{"events":[%b,%b,%b],"options":%b,"api_key":"wk"}' % (BUY, typed, BUY, given_options)
        landed = endure(ALL_ENDPOINTS["/2/httpapi"], Wire("POST", "/2/httpapi", b"", {}, body=body), amplitude.claims)
        assert landed >= 2 or given_options == options


def groups_of(count: int, size: int, **more: Any) -> bytes:
    """Return a `$groupidentify` of so many groups and about so many bytes."""
    sent = {"event_type": "$groupidentify", "groups": {"company": [f"c{number}" for number in range(count)]}} | more
    return json.dumps(sent | {"group_properties": {"note": "x" * max(0, size - 10 * count - 200)}}).encode()


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (groups_of(100, 30_000), 100),
        (groups_of(101, 1000), 1),
        (groups_of(5000, 50_000), 1),
        (groups_of(2, 40_000), 1),
    ],
)
def test_an_event_that_would_grow_without_bounds_is_not_split(event: bytes, expected: int) -> None:
    delivery = post(b'{"events":[%b]}' % event)
    assert len(delivery.events) == expected
    if expected == 1:
        assert bytes(delivery.events[0]) == event
        assert reason(delivery) == RejectReason.INVALID_SHAPE


def test_many_events_of_many_groups_cannot_make_a_large_request_of_a_small_one() -> None:
    body = b'{"events":[%b]}' % b",".join([groups_of(100, 30_000)] * 20)
    delivery = post(body)
    assert sum(len(bytes(raw)) for raw in delivery.events) < 3 * len(body) + 100 * 32 * 1024
    assert len(delivery.events) > 100
    assert reason(delivery, len(delivery.events) - 1) == RejectReason.INVALID_SHAPE
    few = post(b'{"events":[%b]}' % b",".join([groups_of(2, 3000)] * 2000))
    assert len(few.events) == 4000


def test_a_form_of_very_many_fields_is_malformed_at_once() -> None:
    for body, query in ((b"a&" * 1_000_000, b""), (b"", b"a&" * 50)):
        wire = Wire("POST", "/identify", query, {}, body=body)
        started = time.process_time()
        for look in (ALL_ENDPOINTS["/identify"].find_key, ALL_ENDPOINTS["/identify"].parse):
            assert look is not None
            with pytest.raises(MalformedRequestError):
                look(wire)
        assert time.process_time() - started < 0.2


STAGING = ["Basic " + base64.b64encode(b"staging:secret").decode(), "Bearer a-proxys-own"]


@pytest.mark.parametrize("path", ["/2/httpapi", "/identify", "/batch", "/track", "/engage", "/import", "/e", "/i"])
@pytest.mark.parametrize("credentials", STAGING)
def test_a_key_in_the_body_is_judged_and_not_what_a_proxy_or_a_staging_site_put_in_the_head(
    path: str, credentials: str
) -> None:
    head_key = ALL_ENDPOINTS[path].head_key
    assert head_key is not None
    assert head_key(Wire("POST", path, b"", {"authorization": credentials})) is None
    assert head_key(Wire("POST", path, b"", {"authorization": "Bearer wk_head"})) == "wk_head"


IDENTIFICATION = (
    b'[{"user_id":"ada & co","device_id":"d+1","user_properties":{"$set":{"name":"\xc3\xa9"}},"country":"DE"}]'
)


@pytest.mark.parametrize("where", ["form", "query", "json", "single"])
def test_identify_takes_forms_queries_and_json(where: str) -> None:
    query = ""
    match where:
        case "form":
            body = urlencode({"api_key": "wk_test", "identification": IDENTIFICATION}).encode()
        case "query":
            body, query = b"", urlencode({"api_key": "wk_test", "identification": IDENTIFICATION})
        case "json":
            body = b'{"api_key":"wk_test","identification":' + IDENTIFICATION + b"}"
        case _:
            body = urlencode({"api_key": "wk_test", "identification": IDENTIFICATION[1:-1]}).encode()
    for path in ("/identify", "/amplitude/identify/"):
        delivery = post(body, path, query)
        (event,) = events(delivery)
        assert delivery.write_key == "wk_test"
        assert (event.type, event.user_id, event.anonymous_id) == ("identify", "ada & co", "d+1")
        assert (read(event.traits), read(event.context)) == ({"name": "é"}, {"location": {"country": "DE"}})
        assert delivery.reply([]).body == b"success"
        find_key = ALL_ENDPOINTS[path].find_key
        assert find_key is not None
        assert find_key(Wire("POST", path, query.encode(), {}, body=body)) == "wk_test"


def test_group_identify_takes_forms() -> None:
    group = {"group_type": "company", "group_value": "acme", "group_properties": {"$set": {"seats": 12}}}
    body = urlencode({"api_key": "wk_test", "identification": json.dumps([group])}).encode()
    (event,) = events(post(body, "/groupidentify"))
    assert (event.type, event.group_type, event.group_id) == ("group", "company", "acme")
    assert read(event.traits) == {"seats": 12}


def test_the_old_api_takes_its_events_from_a_form() -> None:
    body = urlencode({"api_key": "wk_test", "event": b"[" + BUY + b',{"n":NaN}]'}).encode()
    delivery = post(body, "/httpapi")
    assert delivery.decode(delivery.events[0]).event == "buy"
    assert reason(delivery, 1) == RejectReason.INVALID_JSON


@pytest.mark.parametrize("body", [b"", b"nope", b"[]", b"{}", b'{"events":1}', b'{"events":[', b"api_key=1&events=x"])
def test_a_body_that_is_no_request_at_all_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedRequestError):
        post(body)


@pytest.mark.parametrize(
    ("body", "key"),
    [
        (NODE, "wk_test"),
        (PYTHON, "wk_test"),
        (b'{"events":[{"api_key":"other"},NaN],"api_key":"wk"}', "wk"),
        (b"{}", None),
        (b"", None),
    ],
)
def test_the_key_is_found_without_looking_at_the_events(body: bytes, key: str | None) -> None:
    assert amplitude.find_api_key(Wire("POST", "/batch", b"", {}, body=body), member="events") == key


@pytest.mark.parametrize(
    ("body", "is_ours"),
    [
        (NODE, True),
        (PYTHON, True),
        (b'{"batch":[{"event":"a","properties":{"events":[1]}}],"api_key":"wk"}', False),
        (b'{"api_key":"wk","events":[{"event_properties":{"batch":[1]}}]}', True),
        (b"", False),
    ],
)
def test_a_request_on_a_shared_path_is_known_by_its_body(body: bytes, *, is_ours: bool) -> None:
    assert amplitude.claims(Wire("POST", "/batch", b"", {}, body=body)) is is_ours


def test_the_answer_counts_what_landed_and_names_the_rest() -> None:
    answer = json.loads(post(PYTHON).reply([Rejection(0, RejectReason.INVALID_JSON, "it is NaN")]).body)
    assert answer.pop("server_upload_time") > 1_700_000_000_000
    assert answer == {
        "code": 200,
        "events_ingested": 1,
        "payload_size_bytes": len(PYTHON),
        "rejected": 1,
        "rejects": [{"index": 0, "reason": "invalid_json", "detail": "it is NaN"}],
    }


LATER = {"Retry-After": "5"}


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.UnknownWriteKeyError("no such key"), 400, 400),
        (errors.MalformedRequestError("no JSON"), 400, 400),
        (errors.UnsupportedEncodingError("brotli"), 400, 400),
        (errors.MethodNotAllowedError("GET", ["POST"]), 400, 400),
        (errors.SlowRequestError("slow"), 408, 408),
        (errors.RequestTooLargeError("large"), 413, 413),
        (errors.CollectorBusyError("busy", headers=LATER), 429, 429),
        (errors.SpoolUnavailableError("full", headers=LATER), 503, 429),
        (RadixError("unexpected"), 500, 429),
    ],
)
def test_an_error_is_said_as_the_libraries_understand_it(error: RadixError, status: int, code: int) -> None:
    reply = amplitude.refuse(Wire("POST", "/2/httpapi", b"", {}), error)
    answer = json.loads(reply.body)
    assert (reply.status, answer["code"], answer["reason"]) == (status, code, error.code)
    is_known_as_a_bad_key = answer["error"].startswith("Invalid API key:")
    assert (is_known_as_a_bad_key or bool(answer.get("missing_field"))) is (code == 400)
    if code == 429:
        assert answer["throttled_events"][:3] == [0, 1, 2]
        assert reply.headers == error.headers
