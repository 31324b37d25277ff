import base64
import gzip
import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Raw

from core.events import Event, LandedEvent, RejectReason
from ingestion.endpoints import endpoints
from ingestion.errors import MalformedRequestError, SpoolBusyError, UnknownWriteKeyError, UnsupportedEncodingError
from ingestion.protocols import posthog
from ingestion.rejection import RejectedEventError
from ingestion.validation import Received, Validator
from ingestion.wire import Delivery, Rejection, Reply, Wire, shared

RECORDED = Path(__file__).parent / "recorded" / "posthog"
GOOD = b'{"event":"buy","distinct_id":"ada","uuid":"u1","properties":{"price":1}}'
DEVICE = "01a213a7-838a-7962-af5f-34d11f0e52c2"
NOW_MS = 1_800_000_000_000


def wire(
    body: bytes | str | dict[str, Any] = b"", query: str = "", *, path: str = "/e", method: str = "POST", **headers: str
) -> Wire:
    """Return a request of a client."""
    if isinstance(body, dict):
        body = json.dumps(body)
    if isinstance(body, str):
        body = body.encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Wire(method, path, query.encode(), named, "192.0.2.1", body)


def recorded(name: str) -> bytes:
    """Return a body that an unmodified client sent."""
    return (RECORDED / f"{name}.json").read_bytes()


def events_of(request: Wire) -> list[Event]:
    """Return all events of a request; each must be one."""
    delivery = posthog.parse(request)
    return [delivery.decode(raw) for raw in delivery.events]


def one(**members: Any) -> Event:
    """Return what becomes of one event of `ada`."""
    event = {"event": "buy", "distinct_id": "ada", "api_key": "wk"} | members
    (decoded,) = events_of(wire(event))
    return decoded


def land(delivery: Delivery, raw: Raw | None = None) -> LandedEvent:
    """Return the row that an event becomes at a fixed time."""
    received = Received(1, 1, "posthog", NOW_MS, "192.0.2.1", "agent")
    validator = Validator(received, delivery.sent_at, delivery.context)
    return validator.land(delivery.decode(raw or delivery.events[0]), 0, "batch")


def reason(delivery: Delivery, index: int = 0) -> RejectReason:
    """Return why an event is rejected, by the protocol or by what all protocols share."""
    with pytest.raises(RejectedEventError) as caught:
        land(delivery, delivery.events[index])
    return caught.value.reason


def ids(event: Event) -> tuple[object, object, object]:
    """Return whom an event names."""
    return event.anonymous_id, event.user_id, event.previous_id


def read(raw: object) -> Any:
    """Return a JSON object that an event carries; None without one."""
    return json.loads(bytes(raw)) if isinstance(raw, Raw) else None


# What real clients send.


def test_what_posthog_python_sends_becomes_events() -> None:
    delivery = posthog.parse(wire(recorded("python"), path="/batch/"))
    buy, set_, set_once, alias, group, personless, in_context = (delivery.decode(raw) for raw in delivery.events)
    assert delivery.write_key == "wk_test"
    assert isinstance(delivery.sent_at, str)
    assert (buy.type, buy.event, ids(buy)) == ("track", "buy", (None, "ada", None))
    assert (read(buy.traits), read(buy.traits_once)) == ({"plan": "pro"}, {"first": 1})
    assert buy.timestamp == "2024-01-02T03:04:05+00:00"
    assert read(buy.context) == {
        "library": {"name": "posthog-python", "version": "7.91.1"},
        "groups": {"company": "acme"},
    }
    assert (set_.type, ids(set_), read(set_.traits)) == ("identify", (None, "ada", None), {"a": 1})
    assert (set_once.type, read(set_once.traits), read(set_once.traits_once)) == ("identify", None, {"b": 1})
    assert (alias.type, ids(alias)) == ("alias", (None, "ada", "anon-1"))
    assert (group.type, group.group_type, group.group_id) == ("group", "company", "acme")
    assert read(group.traits) == {"seats": 3}
    assert personless.user_id is None
    assert personless.anonymous_id
    assert (in_context.user_id, in_context.session_id) == ("bob", "s-1")
    assert all(event.message_id for event in (buy, set_, set_once, alias, group, personless, in_context))


def test_what_posthog_node_sends_becomes_events() -> None:
    buy, identify, again, alias, group, page = events_of(wire(recorded("node"), path="/batch/"))
    assert (buy.type, ids(buy), read(buy.traits)) == ("track", (None, "ada", None), {"plan": "pro"})
    assert (identify.type, ids(identify)) == ("identify", ("anon-1", "ada", None))
    assert (read(identify.traits), read(identify.traits_once)) == ({"plan": "pro"}, {"first": 1})
    assert (again.type, ids(again)) == ("identify", (None, "ada", None))
    assert (alias.type, ids(alias)) == ("alias", (None, "ada", "old"))
    assert (group.type, group.group_id, ids(group)) == ("group", "acme", ("$company_acme", None, None))
    assert page.type == "page"
    assert read(page.context)["page"] == {"url": "https://x/y"}


def test_what_posthog_js_sends_becomes_events() -> None:
    (identify,) = events_of(wire(recorded("web_identify"), path="/e/"))
    assert (identify.type, identify.user_id) == ("identify", "ada")
    assert identify.anonymous_id
    assert read(identify.traits) == {"plan": "pro"}
    assert read(identify.traits_once)["$initial_utm_source"] == "news"
    page, track, group, set_, buy, alias = events_of(wire(recorded("web_batch"), path="/e/"))
    assert (page.type, ids(page)) == ("page", (identify.anonymous_id, None, None))
    assert ids(track) == ids(page)
    assert read(page.context) == {
        "library": {"name": "web", "version": "1.449.2"},
        "userAgent": "Mozilla/5.0 (linux) AppleWebKit/537.36 (KHTML, like Gecko) jsdom/26.1.0",
        "locale": "en-US",
        "timezone": "UTC",
        "page": {
            "url": "https://shop.example/pricing?utm_source=news&utm_campaign=may",
            "path": "/pricing",
            "referrer": "https://search.example/",
            "title": "Shop",
        },
        "campaign": {"source": "news", "name": "may"},
        "screen": {"width": 0, "height": 0},
        "os": {"name": "Linux"},
        "device": {"id": identify.anonymous_id, "type": "Desktop"},
    }
    assert (group.type, group.group_type, group.group_id) == ("group", "company", "acme")
    assert (set_.type, ids(set_), read(set_.traits)) == ("identify", (None, "ada", None), {"color": "red"})
    assert ids(buy) == (identify.anonymous_id, "ada", None)
    assert read(buy.context)["groups"] == {"company": "acme"}
    assert ids(alias) == (None, "ada", "ada@example.com")
    assert len({event.session_id for event in (page, track, group, set_, buy, alias)} - {None}) == 1


@pytest.mark.parametrize("library", ["python", "node"])
def test_protocol_v1_carries_the_same_events(library: str) -> None:
    request = wire(
        recorded(f"{library}_v1"),
        path="/i/v1/analytics/events",
        authorization="Bearer wk_test",
        posthog_sdk_info=f"posthog-{library}/1.2",
        posthog_request_timestamp="2026-11-25T17:01:00Z",
    )
    delivery = posthog.parse_v1(request)
    newer = [delivery.decode(raw) for raw in delivery.events]
    older = events_of(wire(recorded(library), path="/batch/"))
    assert (delivery.write_key, delivery.sent_at) == ("wk_test", "2026-11-25T17:01:00Z")
    assert [(event.type, event.event, event.session_id) for event in newer] == [
        (event.type, event.event, event.session_id) for event in older
    ]
    assert [bool(event.anonymous_id) for event in newer] == [bool(event.anonymous_id) for event in older]
    assert [event.previous_id for event in newer] == [event.previous_id for event in older]
    assert [read(event.traits) for event in newer] == [read(event.traits) for event in older]
    assert read(newer[0].context)["library"] == {"name": f"posthog-{library}", "version": "1.2"}


def test_what_older_browsers_send_becomes_events_at_the_time_that_they_mean() -> None:
    """Older versions of posthog-js send a list of events with the time that has passed since each."""
    sent_ms = NOW_MS - 90_000
    event = {
        "event": "$pageview",
        "properties": {"distinct_id": DEVICE, "$device_id": DEVICE, "token": "wk", "$insert_id": "i1"},
        "offset": 1500,
    }
    delivery = posthog.parse(wire(json.dumps([event]), f"ip=1&_={sent_ms}&ver=1.57.2"))
    landed = land(delivery)
    assert (delivery.write_key, landed.message_id, landed.anonymous_id) == ("wk", "i1", DEVICE)
    assert landed.original_timestamp == (sent_ms - 1500) / 1000
    assert landed.timestamp == (NOW_MS - 1500) / 1000


def test_an_offset_counts_from_the_time_of_sending_of_its_event_or_request_and_says_nothing_without_one() -> None:
    assert one(offset=60_000).timestamp is None
    assert one(offset=60_000, sent_at=NOW_MS).timestamp == NOW_MS - 60_000
    event = {"event": "buy", "distinct_id": "ada", "offset": 60_000}
    (own, requests) = events_of(wire(json.dumps([event | {"sent_at": NOW_MS}, event]), f"_={NOW_MS - 1}"))
    assert (own.timestamp, requests.timestamp) == (NOW_MS - 60_000, NOW_MS - 60_001)


# How a body may come.

BODY = json.dumps([{"event": "buy", "properties": {"distinct_id": "ada", "token": "wk", "smile": "☺>?"}}])
BASE64 = base64.b64encode(BODY.encode()).decode()


@pytest.mark.parametrize(
    "request_",
    [
        wire(BODY),
        wire(f" \n{BODY}\n"),
        wire(BODY, "compression=gzip-js&ver=1.0&_=1"),
        wire(f"data={quote(BASE64)}", "compression=base64"),
        wire(f"data={quote_plus(BODY)}&ip=1"),
        wire(f"ip=1&data={BASE64.replace('+', ' ')}"),
        wire(f"data={base64.urlsafe_b64encode(BODY.encode()).decode().rstrip('=')}"),
        wire(BASE64),
        wire(query=f"data={quote(BASE64)}&ip=1&img=1", method="GET"),
        wire(query=f"data={quote(BODY)}", method="GET"),
    ],
)
def test_a_body_may_come_as_json_form_query_or_base64(request_: Wire) -> None:
    (event,) = events_of(request_)
    assert (event.event, event.user_id, read(event.properties)["smile"]) == ("buy", "ada", "☺>?")
    assert posthog.find_key(request_) == posthog.parse(request_).write_key == "wk"


@pytest.mark.parametrize(
    "body", [b"", b"nope", b"data=", b"data=%%%", b"data=bm9wZQ==", b"{", b"[1", b"\xff\xfe\x00", b"="]
)
def test_what_holds_no_event_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedRequestError):
        posthog.parse(wire(body))


def test_a_packing_that_is_not_known_is_named() -> None:
    with pytest.raises(UnsupportedEncodingError, match="lz64"):
        posthog.parse(wire("data=N4Ig", "compression=lz64"))


TEMPLATES = [
    b"%b",
    b'{"event":"buy","distinct_id":"ada","token":"%b"}',
    b'{"event":"buy","distinct_id":"ada","uuid":"%b"}',
    b'{"event":"buy","properties":{"token":"%b","distinct_id":"ada"}}',
    b'{"event":"buy","properties":{"$set":{"a":%b}},"$set":{"b":1},"distinct_id":"ada"}',
    b'{"event":"buy","distinct_id":"ada","sent_at":"%b","offset":1e300}',
]


@given(st.binary(max_size=100))
def test_any_bytes_end_in_events_or_a_clear_error(junk: bytes) -> None:
    for body in (junk, b"data=" + junk, b'{"api_key":"wk","batch":[' + junk + b"]}"):
        request = wire(body, path="/track")
        assert isinstance(posthog.claims(request), bool)
        try:
            delivery = posthog.parse(request)
            posthog.find_key(request)
        except MalformedRequestError:
            continue
        for raw in delivery.events:
            try:
                land(delivery, raw)
            except RejectedEventError:
                continue


@example(b"\xff", TEMPLATES[3], "/e")
@given(st.binary(max_size=60), st.sampled_from(TEMPLATES), st.sampled_from(["/e", "/batch", "/track", "/engage"]))
def test_any_bytes_between_good_events_reject_no_more_than_their_own(junk: bytes, template: bytes, path: str) -> None:
    good = GOOD.replace(b"{", b'{"token":"wk_1",', 1)
    broken = template % junk
    for form in (b"[%b,%b,%b]", b'{"batch":[%b,%b,%b]}'):
        # The first event's key may be missing: then the others are asked.
        for name, parse, find in (
            (path, posthog.parse, posthog.find_key),
            ("/i/v1/analytics/events", posthog.parse_v1, posthog.find_key_v1),
        ):
            request = wire(form % (GOOD, broken, good), path=name)
            posthog.claims(request)
            find(request)
            try:
                delivery = parse(request)
            except MalformedRequestError:
                continue
            for raw in delivery.events:
                try:
                    delivery.decode(raw)
                except RejectedEventError:
                    continue
            delivery.reply([])


def test_a_key_that_is_not_utf8_leaves_the_other_events_whole() -> None:
    broken = b'{"event":"buy","properties":{"token":"\xff"}}'
    request = wire(b"[%b,%b]" % (broken, GOOD), "token=wk_1")
    assert posthog.find_key(request) == "wk_1"
    delivery = posthog.parse(request)
    assert reason(delivery) == RejectReason.INVALID_UTF8
    assert land(delivery, delivery.events[1]).user_id == "ada"


# Keys.


@pytest.mark.parametrize(
    "body",
    [
        {"api_key": "wk", "batch": [{"properties": {"token": "other"}}]},
        {"batch": [], "token": "wk"},
        {"event": "buy", "api_key": "wk"},
        {"event": "buy", "token": "wk", "properties": {"token": "other"}},
        {"event": "buy", "properties": {"token": "wk"}},
        {"event": "buy", "properties": {"api_key": "wk"}},
        {"$token": "wk", "$distinct_id": "ada", "$set": {}},
    ],
)
def test_the_key_is_found_wherever_clients_put_it(body: dict[str, Any]) -> None:
    assert posthog.find_key(wire(body)) == posthog.parse(wire(body)).write_key == "wk"


@pytest.mark.parametrize(
    "body",
    [
        b"data=x" + b"&a" * 500_000,
        b"data=" + b"%" * 1_000_000,
        b"[{}" + b",{}" * 300_000 + b"]",
        b'{"api_key":[[]' + b",[]" * 300_000 + b"]}",
    ],
    ids=["form", "escapes", "list", "key"],
)
def test_a_large_body_costs_little_before_its_key_is_judged(body: bytes) -> None:
    """Each took 0.2 to 1.2 s. The processor's time counts, so that a busy machine fails nothing."""
    request = wire(body, path="/track")
    started = time.process_time()
    posthog.claims(request)
    for find in (posthog.find_key, posthog.find_key_v1):
        with suppress(MalformedRequestError):
            find(request)
    assert time.process_time() - started < 0.1


def test_a_list_is_not_read_beyond_its_first_event_for_its_key() -> None:
    """The second is broken, so that reading on would end in a guess, which only finds keys that look like ours."""
    assert posthog.find_key(wire('[{"token":"wk"},nonsense]')) == "wk"


def test_of_a_form_only_data_is_read() -> None:
    body = b"ip=1&data=%7B%7D&xdata=2&data=%7B%22event%22:%22a+b%22,%22token%22:%22%e2%98%ba\xe2\x98\xba%%2%22%7D&v=1"
    assert posthog.find_key(wire(body)) == "☺☺%%2"
    with pytest.raises(MalformedRequestError):
        posthog.find_key(wire(b"xdata={}"))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"api_key":"wk_1","batch":[]}', "wk_1"),
        (b'{"batch":[{"n":NaN}],"token":"wk_1"}', "wk_1"),
        (b'{"batch":[{"token":"wk_1"}]}', None),
        (b'[{"token":"wk_1"}]', None),
    ],
)
def test_the_key_of_v1_is_found_before_its_events_are_looked_at(body: bytes, expected: str | None) -> None:
    find_key = endpoints()["/i/v1/analytics/events"].find_key
    assert find_key is not None
    request = wire(body)
    assert find_key(request) == posthog.parse_v1(request).write_key == expected


def test_the_key_may_stand_in_the_query() -> None:
    request = wire({"event": "buy"}, "token=wk")
    assert posthog.find_key(request) == posthog.parse(request).write_key == "wk"


def test_an_event_that_names_another_key_than_its_request_is_rejected() -> None:
    body = {"api_key": "wk_mine", "batch": [{"event": "buy", "distinct_id": "ada", "api_key": "wk_other"}]}
    assert reason(posthog.parse(wire(body))) == RejectReason.OTHER_WRITE_KEY
    events = [{"event": "buy", "properties": {"distinct_id": "ada", "token": key}} for key in ("wk_mine", "wk_other")]
    delivery = posthog.parse(wire(json.dumps(events)))
    assert land(delivery).event == "buy"
    assert reason(delivery, 1) == RejectReason.OTHER_WRITE_KEY


def test_a_property_called_token_is_no_key_where_the_request_has_one() -> None:
    assert read(one(properties={"token": "secret"}).properties) == {"token": "secret"}


# Broken events.


@pytest.mark.parametrize("broken", [b'{"n":NaN}', b"{'a':1}", b"nonsense", b'{"a":"\x01"}'])
@pytest.mark.parametrize("form", [b'{"api_key":"wk_1","batch":[%b],"sent_at":"2024-01-01"}', b"[%b]"])
def test_an_event_that_is_not_json_leaves_its_neighbours_whole(broken: bytes, form: bytes) -> None:
    good = GOOD.replace(b"{", b'{"api_key":"wk_1",', 1)
    request = wire(form % b",".join([good, broken, good]))
    delivery = posthog.parse(request)
    assert [bytes(raw) for raw in delivery.events] == [good, broken, good]
    assert posthog.find_key(request) == delivery.write_key == "wk_1"
    assert land(delivery, delivery.events[2]).user_id == "ada"
    assert reason(delivery, 1) == RejectReason.INVALID_JSON


def test_bytes_that_are_not_utf8_reject_their_event_only() -> None:
    delivery = posthog.parse(wire(b'{"api_key":"wk","batch":[%b,{"event":"\xff"}]}' % GOOD))
    assert land(delivery).event == "buy"
    assert reason(delivery, 1) == RejectReason.INVALID_UTF8


def test_half_an_emoji_is_mended_in_batches_and_in_single_events() -> None:
    event = b'{"event":"cut","distinct_id":"ada","api_key":"wk","properties":{"a":"\\ud83d"}}'
    for body in (event, b"[%b]" % event, b'{"api_key":"wk","batch":[%b]}' % event):
        (decoded,) = events_of(wire(body))
        assert read(decoded.properties) == {"a": "\ufffd"}


def test_json_over_many_lines_is_put_on_one() -> None:
    (event,) = events_of(wire(b'{"event":"buy",\r\n"distinct_id":"ada",\n"properties":{\n"$lib":\n"x"}}'))
    assert isinstance(event.context, Raw)
    assert b"\n" not in bytes(event.context)
    assert isinstance(event.properties, Raw)
    assert b"\n" not in bytes(event.properties)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"distinct_id": "ada"}, RejectReason.INVALID_EVENT_NAME),
        ({"event": "buy"}, RejectReason.MISSING_ID),
        ({"event": "buy", "distinct_id": "null"}, RejectReason.ILLEGAL_ID),
        ({"event": "buy", "distinct_id": "x" * 201}, RejectReason.ILLEGAL_ID),
        ({"event": "buy", "distinct_id": {}}, RejectReason.INVALID_SHAPE),
        ({"event": "buy", "properties": {"distinct_id": ["a"]}}, RejectReason.INVALID_SHAPE),
        ({"event": "buy", "distinct_id": "$posthog_cookieless"}, RejectReason.ILLEGAL_ID),
        ({"event": "buy", "distinct_id": "a", "properties": {"$cookieless_mode": True}}, RejectReason.ILLEGAL_ID),
        ({"event": "buy", "distinct_id": "ada", "properties": "x"}, RejectReason.INVALID_SHAPE),
        ({"event": "buy", "distinct_id": "ada", "timestamp": "soon"}, RejectReason.INVALID_TIMESTAMP),
        ({"event": "buy", "distinct_id": "ada", "properties": {"$set": 1}}, RejectReason.INVALID_SHAPE),
        ({"event": 1, "distinct_id": "ada"}, RejectReason.INVALID_SHAPE),
        (
            {"event": "$identify", "distinct_id": "ada", "properties": {"$anon_distinct_id": "guest"}},
            RejectReason.ILLEGAL_ID,
        ),
        ({"event": "$identify", "distinct_id": "undefined"}, RejectReason.ILLEGAL_ID),
        ({"event": "$create_alias", "distinct_id": "ada"}, RejectReason.MISSING_ID),
        ({"event": "$create_alias", "distinct_id": "ada", "properties": {"alias": "none"}}, RejectReason.ILLEGAL_ID),
        ({"event": "$groupidentify", "distinct_id": "ada"}, RejectReason.MISSING_ID),
    ],
)
def test_what_cannot_be_taken_is_rejected_with_its_reason(event: dict[str, Any], expected: RejectReason) -> None:
    assert reason(posthog.parse(wire({"api_key": "wk", "batch": [event]}))) == expected


# Whom an event names.


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({}, (None, "ada", None)),
        ({"$is_identified": False}, ("ada", None, None)),
        ({"$is_identified": True, "$device_id": "d"}, ("d", "ada", None)),
        ({"$is_identified": True, "$device_id": "ada"}, (None, "ada", None)),
        ({"$is_identified": True, "$process_person_profile": False}, (None, "ada", None)),
        ({"$process_person_profile": False}, ("ada", None, None)),
        ({"$process_person_profile": True}, (None, "ada", None)),
        ({"$device_id": "ada"}, ("ada", None, None)),
        ({"$device_id": "d"}, ("d", "ada", None)),
        ({"$device_id": {"not": "an id"}}, (None, "ada", None)),
    ],
)
def test_a_distinct_id_is_a_device_or_a_user(properties: dict[str, Any], expected: tuple[object, ...]) -> None:
    assert ids(one(properties=properties)) == expected


def test_the_outer_distinct_id_wins_over_the_one_among_the_properties() -> None:
    assert one(properties={"distinct_id": "inner"}).user_id == "ada"
    assert one(distinct_id=None, properties={"distinct_id": "inner"}).user_id == "inner"
    assert one(distinct_id=17).user_id == 17


def test_only_an_identify_links_a_device() -> None:
    known = {"$device_id": "d", "$is_identified": True}
    assert ids(one(event="$set", properties=known)) == (None, "ada", None)
    assert ids(one(event="$identify", properties=known)) == (None, "ada", None)
    assert ids(one(event="$identify", properties=known | {"$anon_distinct_id": "d"})) == ("d", "ada", None)
    assert ids(one(event="$identify", properties={"$anon_distinct_id": "ada"})) == (None, "ada", None)


@pytest.mark.parametrize("name", ["$create_alias", "$merge_dangerously"])
def test_an_alias_becomes_one_with_the_distinct_id(name: str) -> None:
    assert ids(one(event=name, properties={"alias": "old"})) == (None, "ada", "old")
    # A device that nobody is known to use becomes one with the user that it is called.
    assert ids(one(event=name, properties={"alias": "bob", "$is_identified": False})) == (None, "bob", "ada")
    # posthog-python calls what it sends as distinct_id the previous id.
    assert ids(one(event=name, properties={"alias": "bob", "$lib": "posthog-python"})) == (None, "bob", "ada")


# What else it says.


def test_properties_land_as_they_came() -> None:
    properties = b'{"z": 1.50, "$lib":"web", "$set":{"a":1}, "big": 12345678901234567890, "z": null}'
    (event,) = events_of(wire(b'{"event":"buy","distinct_id":"ada","properties":%b}' % properties))
    assert isinstance(event.properties, Raw)
    assert bytes(event.properties) == properties


@pytest.mark.parametrize("properties", [None, [], {}])
def test_there_may_be_no_properties(properties: object) -> None:
    event = one(properties=properties)
    assert (event.user_id, read(event.context)) == ("ada", None)


def test_traits_beside_the_properties_win_over_those_in_them() -> None:
    event = one(properties={"$set": {"a": 1, "b": 1}, "$set_once": {"c": 1}}, **{"$set": {"a": 2}})
    assert (read(event.traits), read(event.traits_once)) == ({"a": 2, "b": 1}, {"c": 1})


def test_an_engage_sets_traits_of_the_person() -> None:
    for path in ("/engage", "/engage/", "/posthog/engage"):
        (event,) = events_of(wire({"$token": "wk", "$distinct_id": "ada", "$set": {"plan": "pro"}}, path=path))
        assert (event.type, event.user_id, read(event.traits)) == ("identify", "ada", {"plan": "pro"})


def test_a_screen_keeps_its_name() -> None:
    delivery = posthog.parse(wire({"event": "$screen", "distinct_id": "ada", "properties": {"$screen_name": "Home"}}))
    assert read(land(delivery).properties) == {"$screen_name": "Home", "name": "Home"}


def test_properties_of_odd_types_are_left_alone() -> None:
    odd: dict[str, Any] = {
        name: [1]
        for name in ("alias", "$session_id", "$insert_id", "$lib", "$group_type", "$current_url", "$ip", "title")
    }
    delivery = posthog.parse(wire({"event": "buy", "distinct_id": "ada", "properties": odd}))
    landed = land(delivery)
    assert (landed.event, landed.session_id, read(landed.properties)) == ("buy", "", odd)


def test_a_title_is_a_pages_only_beside_an_address_and_a_direct_visit_has_no_referrer() -> None:
    assert read(one(properties={"title": "Dune", "$referrer": "$direct"}).context) is None
    page = read(one(properties={"title": "Shop", "$current_url": "https://x/"}).context)["page"]
    assert page == {"url": "https://x/", "title": "Shop"}


def test_a_servers_own_system_is_not_its_users() -> None:
    assert read(one(properties={"$os": "Linux", "$is_server": True}).context) is None
    assert read(one(properties={"$os": "Linux"}).context) == {"os": {"name": "Linux"}}


@pytest.mark.parametrize(
    ("body", "query", "corrected"),
    [
        ({"sent_at": "2027-01-15T07:59:00Z"}, "", True),
        ({}, f"_={NOW_MS - 60_000}", True),
        ({}, f"sent_at={NOW_MS - 60_000}", True),
        ({}, "_=soon", False),
        ({"sent_at": "2027-01-15T07:59:00Z", "properties": {"$ignore_sent_at": True}}, "", False),
    ],
)
def test_a_wrong_clock_is_corrected_by_the_time_of_sending(body: dict[str, Any], query: str, corrected: bool) -> None:  # noqa: FBT001 - an expectation
    event = {"event": "buy", "distinct_id": "ada", "timestamp": "2027-01-15T07:00:00Z"} | body
    landed = land(posthog.parse(wire(event, query)))
    assert landed.timestamp - (landed.original_timestamp or 0) == (60 if corrected else 0)


def test_v1_may_say_that_a_clock_is_right() -> None:
    event = {"event": "buy", "distinct_id": "ada", "options": {"disable_skew_correction": True}}
    request = wire({"batch": [event]}, posthog_request_timestamp="2020-01-01T00:00:00Z")
    assert land(posthog.parse_v1(request)).sent_at is None


# Answers.


def test_v1_says_a_verdict_for_every_uuid() -> None:
    bodies = [b'{"uuid":"a"}', b'{"uuid":"b"}', b'{"n":NaN,"uuid":"c"}', b"{}"]
    answer = posthog.verdicts(
        [Raw(body) for body in bodies],
        [
            Rejection(1, RejectReason.ILLEGAL_ID, "why"),
            Rejection(2, RejectReason.INVALID_JSON, "how"),
            Rejection(3, RejectReason.MISSING_ID, "who"),
        ],
    )
    assert json.loads(answer.body)["results"] == {
        "a": {"result": "ok"},
        "b": {"result": "drop", "details": "illegal_id: why"},
        "c": {"result": "drop", "details": "invalid_json: how"},
    }


def test_a_verdict_names_the_events_own_uuid_even_where_the_event_is_not_json() -> None:
    bodies = [
        b'{"properties":{"uuid":"inner"},"a":"\\ud83d","uuid":"mended"}',
        b'{"uuid":"first","n":NaN,"properties":{"uuid":"inner"},"s":"\\"}{","uuid":"last"}',
        b'{"n":NaN,"properties":[{"uuid":"inner"}]}',
        b'{"uuid":5,"properties":{"uuid":"inner"}}',
        b'nonsense "uuid":"x"',
    ]
    assert list(json.loads(posthog.verdicts([Raw(body) for body in bodies], []).body)["results"]) == ["mended", "last"]


def test_v1_is_refused_without_a_demand_for_a_password() -> None:
    refuse = endpoints()["/i/v1/analytics/events"].refuse
    assert refuse is not None
    unknown = refuse(wire(), UnknownWriteKeyError("who?"))
    assert (unknown.status, unknown.headers, unknown.media_type) == (401, {}, "application/problem+json")
    busy = refuse(wire(), SpoolBusyError("full", headers={"Retry-After": "5"}))
    assert (busy.status, busy.headers) == (SpoolBusyError.status, {"Retry-After": "5"})


def test_what_may_still_be_taken_is_refused_such_that_browsers_send_it_again() -> None:
    """posthog-js drops events on any 4xx."""
    busy = posthog.refuse(wire(), SpoolBusyError("full", headers={"Retry-After": "5"}))
    assert (busy.status, busy.headers) == (503, {"Retry-After": "5"})
    assert json.loads(busy.body)["code"] == "spool_nearly_full"
    unknown = posthog.refuse(wire(), UnknownWriteKeyError("who?"))
    assert (unknown.status, unknown.headers) == (401, {})


def test_a_pixel_is_answered_with_a_picture() -> None:
    data = quote(base64.b64encode(GOOD).decode())
    delivery = posthog.parse(wire(query=f"data={data}&img=1", method="GET"))
    answer = delivery.reply([])
    assert (answer.media_type, answer.body[:6], len(answer.body)) == ("image/gif", b"GIF89a", 42)


# Paths that others claim.

MIXPANEL = {"event": "buy", "properties": {"token": "wk", "distinct_id": "ada", "mp_lib": "python", "$insert_id": "i"}}


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (wire(recorded("python"), path="/batch/"), True),
        (wire(recorded("node"), path="/batch"), True),
        (wire({"api_key": "wk", "events": [{"event_properties": {"batch": [1]}}]}, path="/batch"), False),
        (wire(path="/batch", user_agent="posthog-python/7.91.1"), True),
        (wire(path="/batch"), False),
        (wire("data=" + base64.b64encode(recorded("python")).decode(), path="/batch"), True),
        (wire(query="data=" + base64.b64encode(recorded("node")).decode(), path="/batch", method="GET"), True),
        (wire(recorded("web_batch"), path="/posthog/batch/"), True),
        (wire('[{"event":"buy","properties":{"token":"wk"}}]', path="/batch"), True),
        (wire("data=" + quote_plus('{"api_key":"wk","events":[]}'), path="/batch"), False),
        (wire(recorded("web_batch"), path="/track/"), True),
        (wire({"event": "buy", "distinct_id": "ada", "api_key": "wk"}, path="/track"), True),
        (wire({"event": "buy", "distinct_id": "ada", "token": "wk"}, path="/track"), True),
        (wire("data=" + base64.b64encode(recorded("web_identify")).decode(), path="/track"), True),
        (wire(query="data=" + base64.b64encode(recorded("node")).decode(), path="/track", method="GET"), True),
        (wire(MIXPANEL, path="/track"), False),
        (wire(f"data={quote_plus(json.dumps([MIXPANEL]))}&verbose=1", path="/track"), False),
        (wire({"$token": "wk", "$distinct_id": "ada", "$set": {}}, path="/engage"), False),
        (wire({"token": "wk", "$distinct_id": "ada", "$set": {}}, path="/engage"), True),
        (wire(gzip.compress(b"{}"), path="/track"), False),
        (wire(path="/track"), False),
    ],
)
def test_a_request_on_a_shared_path_is_recognised(request_: Wire, expected: bool) -> None:  # noqa: FBT001 - an expectation
    assert posthog.claims(request_) is expected


def test_the_first_that_claims_a_request_serves_it_and_the_last_takes_the_rest() -> None:
    served = endpoints()
    segment, v1 = served["/v1/batch"], served["/i/v1/analytics/events"]
    path = shared([(lambda wire: wire.body == b"a", segment), (lambda wire: wire.body == b"b", v1)])
    assert [path.chosen(wire(body)) for body in (b"a", b"b", b"c")] == [segment, v1, v1]
    assert segment.chosen(wire(b"b")) is segment


@pytest.mark.parametrize("path", ["/batch", "/e", "/i/v0/e", "/i/v0/ai/batch", "/capture", "/track", "/engage"])
def test_every_path_is_served_with_and_without_prefix_and_slash(path: str) -> None:
    served = endpoints()
    for variant in (path, f"{path}/", f"/posthog{path}", f"/posthog{path}/"):
        assert served[variant].chosen(wire(recorded("node"), path=variant)).protocol == "posthog"


def test_rejects_are_listed_beside_the_success() -> None:
    answer: Reply = posthog.reply([Rejection(3, RejectReason.ILLEGAL_ID, "why")])
    assert json.loads(answer.body) == {
        "status": "Ok",
        "rejected": 1,
        "rejects": [{"index": 3, "reason": "illegal_id", "detail": "why"}],
    }
    assert json.loads(posthog.reply([]).body) == {"status": "Ok"}
