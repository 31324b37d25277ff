import base64
import gzip
import time
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import RadixError
from core.events import RejectReason
from ingestion.body import unpack
from ingestion.errors import (
    MalformedRequestError,
    RequestTooLargeError,
    SlowRequestError,
    SpoolBusyError,
    UnknownWriteKeyError,
)
from ingestion.protocols import mixpanel
from ingestion.rejection import RejectedEventError
from ingestion.wire import Rejection, Reply, Wire
from tests.ingestion.protocols.mixpanel_requests import (
    KEY,
    RECORDED,
    event,
    land,
    members,
    parse,
    recorded,
    sent,
    served,
    wire,
)
from tests.ingestion.protocols.resilience import endure, junk
from tests.ingestion.protocols.resilience import members as odd_members

ALL = mixpanel.ENDPOINTS | mixpanel.SHARED
BAD_ID = Rejection(1, RejectReason.ILLEGAL_ID, "userId 'null' can name nobody")


@pytest.mark.parametrize("name", RECORDED)
def test_every_recorded_request_names_its_key_and_lands(name: str) -> None:
    request = recorded(name)
    find_key = served(request).find_key
    assert find_key is not None
    assert find_key(request) == parse(request).write_key == KEY
    assert len(land(request)) == len(parse(request).events) > 0


def test_a_track_of_the_node_client_lands_with_what_it_says() -> None:
    """Base64 in the query of a GET, with time in milliseconds."""
    (row,) = land(recorded("node_track"))
    assert (row.type, row.event, row.user_id, row.anonymous_id, row.message_id) == ("track", "bought", "ada", "", "n-1")
    assert row.timestamp == row.original_timestamp == 1_714_996_800.25
    assert members(row.properties)["note"] == "Größe + 1 % & more? ~ 👍"
    assert members(row.context) == {"library": {"name": "node", "version": "0.24.0"}}
    assert row.library == "node/0.24.0"


def test_a_batch_of_the_python_client_lands_with_what_it_says() -> None:
    """Plain JSON in a form, with time in seconds."""
    first, second = land(recorded("python_track"))
    assert (first.event, first.user_id, first.message_id, first.timestamp) == ("bought", "ada", "p-1", 1_714_996_800.25)
    assert members(first.properties)["note"] == "Größe + 1 % & more? 👍"
    assert (second.event, second.library) == ("opened", "python/5.4.1")


def test_a_page_view_of_the_browser_is_a_page_and_its_context_is_found_in_one_place() -> None:
    delivery = parse(recorded("browser_track_0"))
    (row,) = land(recorded("browser_track_0"))
    assert (row.type, row.event, row.user_id) == ("page", "$pageview", "")
    assert row.anonymous_id == "6a24e4f6-3541-46cf-8ba7-8b79d947bca8"
    assert delivery.uses_ip
    assert row.sent_at == 1_795_626_324.53
    assert members(row.context) == {
        "library": {"name": "web", "version": "2.83.0"},
        "os": {"name": "Linux"},
        "page": {
            "url": "https://shop.example/pricing?utm_source=news&utm_medium=mail#plans",
            "path": "/pricing",
            "search": "?utm_source=news&utm_medium=mail",
            "title": "Pricing",
            "referrer": "https://search.example/?q=shop",
        },
        "screen": {"width": 1440, "height": 900},
        "campaign": {"source": "news", "medium": "mail"},
    }


def test_the_browsers_identify_links_its_device_and_later_events_carry_both_ids() -> None:
    device = "6a24e4f6-3541-46cf-8ba7-8b79d947bca8"
    rows = {row.event: row for row in land(recorded("browser_track_1"))}
    assert (rows["viewed_plan"].anonymous_id, rows["viewed_plan"].user_id) == (device, "")
    assert (rows["$identify"].type, rows["$identify"].anonymous_id, rows["$identify"].user_id) == (
        "identify",
        device,
        "ada",
    )
    assert (rows["bought"].anonymous_id, rows["bought"].user_id) == (device, "ada")


def test_a_profile_of_the_browser_links_nothing_although_it_names_both_ids() -> None:
    once, add = land(recorded("browser_engage"))
    assert {(row.type, row.user_id, row.anonymous_id) for row in (once, add)} == {("identify", "ada", "")}
    assert members(once.traits_once)["initial_utm_source"] == "news"
    assert members(add.traits_increment) == {"logins": 1}


def test_a_browser_whose_clock_is_wrong_is_corrected_by_the_number_of_its_request() -> None:
    late = wire("/track?_=1795622730000", msgspec.json.encode(event(time=1_795_622_720)))
    assert land(late)[0].timestamp == 1_795_626_320
    assert parse(wire("/track?_=12345", b"[]")).sent_at is None


PAYLOAD = msgspec.json.encode([event(note="ÿ>?~ +&=%", _insert_id="i-1")])
BASE64 = base64.b64encode(PAYLOAD)


@pytest.mark.parametrize(
    "request_",
    [
        wire("/track", PAYLOAD),
        wire("/track", b" \r\n" + PAYLOAD + b"\n"),
        wire("/track", unpack(gzip.compress(PAYLOAD), None, 10_000)),
        wire("/track", urlencode({"data": PAYLOAD}).encode()),
        wire("/track", urlencode({"verbose": "1", "data": PAYLOAD}).encode()),
        wire("/track", b"data=" + quote(PAYLOAD, safe="").encode()),
        wire("/track", b"data=" + BASE64),
        wire("/track", b"data=" + BASE64.rstrip(b"=")),
        wire("/track", b"data=" + quote(BASE64, safe="").encode() + b"&verbose=1"),
        wire("/track", b"data=" + base64.urlsafe_b64encode(PAYLOAD)),
        wire("/track?ip=0&data=" + quote(BASE64, safe="")),
        wire("/track?data=" + BASE64.decode() + "&img=1"),
        wire("/track?data=" + quote(PAYLOAD, safe="")),
        wire("/track?data=" + quote(BASE64, safe=""), b""),
        wire("/mixpanel/track/", PAYLOAD),
        wire("/import?strict=1", PAYLOAD),
    ],
)
def test_a_payload_is_found_wherever_it_stands_and_however_it_is_encoded(request_: Wire) -> None:
    assert b"".join(bytes(raw) for raw in parse(request_).events) == PAYLOAD[1:-1]
    assert land(request_)[0].message_id == "i-1"
    find_key = served(request_).find_key
    assert find_key is not None
    assert find_key(request_) == KEY


def test_one_event_may_come_alone_and_several_one_per_line() -> None:
    one, two = (msgspec.json.encode(event(_insert_id=number)) for number in ("1", "2"))
    assert [row.message_id for row in land(wire("/import", one))] == ["1"]
    assert [row.message_id for row in land(wire("/import", one + b"\r\n\n" + two + b"\n"))] == ["1", "2"]
    spread = msgspec.json.format(one, indent=2)
    assert [row.message_id for row in land(wire("/import", spread))] == ["1"]
    assert b"\n" not in bytes(land(wire("/import", spread))[0].properties)


@pytest.mark.parametrize(
    "request_",
    [
        wire("/track", b""),
        wire("/track"),
        wire("/track", b"nonsense"),
        wire("/track", b"data=%%%"),
        wire("/track", b"data=YWJjZ"),
        wire("/track", b"data=" + base64.b64encode(b"text")),
        wire("/track", b"[" + PAYLOAD[1:-1]),
        wire("/track?data=*"),
    ],
)
def test_what_holds_no_events_at_all_is_malformed(request_: Wire) -> None:
    with pytest.raises(MalformedRequestError):
        parse(request_)


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        (b'{"event":"a","properties":{"n":NaN}}', RejectReason.INVALID_JSON),
        (b'{"event":"a",}', RejectReason.INVALID_JSON),
        (b'{"event":"\xff"}', RejectReason.INVALID_UTF8),
        (b"7", RejectReason.INVALID_SHAPE),
        (b'{"event":7,"properties":{}}', RejectReason.INVALID_SHAPE),
        (b'{"event":"a","properties":[1]}', RejectReason.INVALID_SHAPE),
        (b'{"event":"a","properties":{"distinct_id":{}}}', RejectReason.INVALID_SHAPE),
        (b'{"event":"a","properties":' + b'{"a":' * 5000 + b"1" + b"}" * 5001, RejectReason.NESTED_TOO_DEEP),
    ],
)
@pytest.mark.parametrize("form", [b"%b", b"data=%b"])
def test_an_event_that_is_broken_leaves_its_neighbours_whole(
    broken: bytes, expected: RejectReason, form: bytes
) -> None:
    good = PAYLOAD[1:-1]
    body = b"[%b,%b,%b]" % (good, broken, good)
    delivery = parse(wire("/track", form % (base64.b64encode(body) if b"=" in form else body)))
    assert [bytes(raw) for raw in delivery.events] == [good, broken, good]
    assert delivery.decode(delivery.events[2]).message_id == "i-1"
    with pytest.raises(RejectedEventError) as caught:
        delivery.decode(delivery.events[1])
    assert caught.value.reason == expected


def test_a_broken_event_that_comes_alone_is_rejected_and_not_lost() -> None:
    delivery = parse(wire("/track", b'{"event":"a","properties":{"token":"wk_test","n":NaN}}'))
    assert delivery.write_key == KEY
    with pytest.raises(RejectedEventError):
        delivery.decode(delivery.events[0])


def test_half_an_emoji_is_mended_in_events_and_in_profiles() -> None:
    half = b'{"$token":"wk_test","$distinct_id":"ada","$set":{"name":"cut \\ud83d"}}'
    (row,) = land(wire("/engage", half))
    assert members(row.traits) == {"name": "cut �"}
    assert members(row.properties)["$set"] == {"name": "cut �"}


@settings(deadline=None)
@given(junk(b'"event":', b'"properties":', b'"token":"', b'"$insert_id"', b"data=", b"verbose=1", b"%5B"))
def test_any_bytes_end_in_events_or_a_clear_error(between: bytes) -> None:
    good = PAYLOAD[1:-1]
    listed, lines = b"[" + good + b"," + between + b"," + good + b"]", good + b"\n" + between + b"\n" + good
    for path, endpoint in ALL.items():
        for body in (
            between,
            b"data=" + between,
            listed,
            lines,
            b"data=" + listed,
            urlencode({"data": listed}).encode(),
        ):
            endure(endpoint, wire(path, body), mixpanel.claims)
            endure(endpoint, Wire("GET", path, body, {}), mixpanel.claims)
            assert endpoint.refuse is not None
            endpoint.refuse(wire(path, body), UnknownWriteKeyError("x"))


@settings(deadline=None)
@given(
    odd_members(
        *("time", "distinct_id", "$device_id", "$user_id", "$identified_id", "$anon_id", "$anon_distinct_id", "alias"),
        *("$distinct_ids", "$insert_id", "mp_lib", "ip", "$ip", "$current_url", "utm_source", "$os"),
    ),
    st.sampled_from(["buy", "$identify", "$create_alias", "$merge", "$mp_web_page_view"]),
    odd_members("$time", "$distinct_id", "$ip", "$set", "$set_once", "$add", "$group_key", "$group_id", "$device_id"),
)
def test_any_values_leave_the_good_neighbours_of_their_event_whole(odd: bytes, name: str, update: bytes) -> None:
    good = PAYLOAD[1:-1]
    event = b'{"event":"%b","properties":%b}' % (name.encode(), odd)
    assert endure(ALL["/track"], wire("/track", b"[%b,%b,%b]" % (good, event, good))) >= 2
    for path in ("/engage", "/groups"):
        known = b'{"$token":"wk_test","$distinct_id":"ada","$group_key":"company","$group_id":"acme"}'
        assert endure(ALL[path], wire(path, b"[%b,%b,%b]" % (known, update, known))) >= 2


def test_a_form_of_very_many_parameters_is_malformed_at_once() -> None:
    started = time.process_time()
    for look in (ALL["/track"].find_key, ALL["/track"].parse):
        assert look is not None
        with pytest.raises(MalformedRequestError):
            look(wire("/track", b"a&" * 1_000_000))
    assert ALL["/track"].refuse is not None
    assert ALL["/track"].refuse(wire("/track", b"a&" * 1_000_000), MalformedRequestError("x")).status == 400
    assert time.process_time() - started < 0.2


def test_a_large_form_is_read_in_time_that_grows_with_its_length_only() -> None:
    body = urlencode({"data": b"[%b]" % b",".join([PAYLOAD[1:-1]] * 2000)}).encode()
    started = time.process_time()
    assert len(parse(wire("/track", body)).events) == 2000
    assert time.process_time() - started < 2


@pytest.mark.parametrize("query", ["?ip=0", "", "?ip="])
def test_the_requests_address_is_the_persons_only_with_ip_1(query: str) -> None:
    assert parse(wire("/track?ip=1", PAYLOAD)).uses_ip
    assert not parse(wire(f"/track{query}", PAYLOAD)).uses_ip


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        ("/import?strict=1", {"authorization": "Basic " + base64.b64encode(b"wk_head:").decode()}),
        ("/import?strict=1&project_id=wk_head", {}),
        (
            "/import?project_id=wk_head",
            {"authorization": "Basic " + base64.b64encode(b"service.account:secret").decode()},
        ),
        ("/import?api_key=wk_head", {}),
    ],
)
def test_the_write_key_may_stand_in_the_head(target: str, headers: dict[str, str]) -> None:
    nameless = {"event": "buy", "properties": {"distinct_id": "ada"}}
    request = wire(target, msgspec.json.encode([nameless]), **headers)
    endpoint = served(request)
    assert endpoint.head_key is not None
    assert endpoint.head_key(request) == "wk_head"
    assert parse(request).write_key == "wk_head"
    assert land(request)[0].event == "buy"


def test_a_service_account_or_a_mixpanel_project_in_the_head_leaves_it_to_the_token() -> None:
    account = "Basic " + base64.b64encode(b"service.account:secret").decode()
    request = wire("/import?project_id=12345", PAYLOAD, authorization=account)
    endpoint = served(request)
    assert endpoint.head_key is not None
    assert endpoint.head_key(request) is None
    assert parse(request).write_key == KEY


def test_a_property_that_is_called_token_is_not_taken_for_the_write_key() -> None:
    """The Node client writes its token after everything that the caller gave it."""
    properties = {"form": {"token": "csrf"}, 'odd"token': ":", "distinct_id": "ada", "token": KEY}
    request = sent("/track", {"event": "buy", "properties": properties})
    assert parse(request).write_key == KEY
    assert parse(sent("/track", event(token="0123abcd"))).write_key == "0123abcd"
    assert parse(wire("/track", b"[]")).write_key is None


def test_an_event_with_the_token_of_another_project_is_rejected() -> None:
    first, other = event(), event(token="wk_other")
    delivery = parse(sent("/track", first, other))
    assert delivery.decode(delivery.events[0]).user_id == "ada"
    with pytest.raises(RejectedEventError) as caught:
        delivery.decode(delivery.events[1])
    assert caught.value.reason == RejectReason.OTHER_WRITE_KEY


def answer(request: Wire, *rejected: Rejection) -> tuple[int, str, Any]:
    """Return status, media type and body of the answer to a request that was taken."""
    return _said(parse(request).reply(list(rejected)))


def refusal(request: Wire, error: RadixError) -> tuple[int, str, Any]:
    """Return status, media type and body of the answer to a request that was refused."""
    refuse = served(request).refuse
    assert refuse is not None
    return _said(refuse(request, error))


def _said(reply: Reply) -> tuple[int, str, Any]:
    body = msgspec.json.decode(reply.body) if reply.media_type == "application/json" else reply.body
    return reply.status, reply.media_type, body


def test_a_terse_answer_is_1() -> None:
    assert answer(recorded("node_track")) == answer(recorded("node_track"), BAD_ID) == (200, "text/plain", b"1")
    assert answer(recorded("node_import_batch"), BAD_ID) == (200, "text/plain", b"1")
    assert answer(wire("/track", PAYLOAD)) == (200, "text/plain", b"1")


def test_a_verbose_answer_says_what_was_rejected_and_is_still_a_success() -> None:
    """BufferedConsumer would send a batch that is answered with status 0 again and again, and nothing after it."""
    assert answer(recorded("python_track")) == (200, "application/json", {"status": 1, "error": None})
    assert answer(recorded("python_import"))[2] == {"status": 1, "error": None}
    said = {
        "status": 1,
        "error": None,
        "rejected": 1,
        "rejects": [{"index": 1, "reason": "illegal_id", "detail": BAD_ID.detail}],
    }
    assert answer(recorded("python_track"), BAD_ID) == (200, "application/json", said)


def test_a_pixel_is_answered_with_a_pixel() -> None:
    request = wire("/track?img=1&data=" + quote(BASE64, safe=""))
    status, media_type, body = answer(request)
    assert (status, media_type, body[:6]) == (200, "image/gif", b"GIF89a")
    assert refusal(request, UnknownWriteKeyError("no"))[:2] == (401, "image/gif")


def test_a_strict_import_says_which_events_failed_and_that_the_others_are_kept() -> None:
    two = msgspec.json.encode([event(_insert_id="good"), event(distinct_id="null", _insert_id="bad")])
    status, _, said = answer(wire("/import?strict=1", two), BAD_ID)
    assert status == 400
    assert said == {
        "code": 400,
        "error": "some data points in the request failed validation",
        "status": "Bad Request",
        "num_records_imported": 1,
        "failed_records": [
            {
                "index": 1,
                "insert_id": "bad",
                "field": "properties.distinct_id",
                "message": f"illegal_id: {BAD_ID.detail}",
            }
        ],
    }
    assert answer(wire("/import", two), BAD_ID)[0] == 400
    kept = {"code": 200, "num_records_imported": 2, "status": "OK"}
    assert answer(wire("/import?strict=1", two)) == (200, "application/json", kept)
    assert answer(wire("/import?strict=0", two), BAD_ID) == (
        200,
        "application/json",
        kept | {"num_records_imported": 1},
    )


def test_a_refusal_is_one_that_each_client_can_read() -> None:
    unknown = UnknownWriteKeyError("The write key is unknown.")
    verbose = {"status": 0, "error": "The write key is unknown.", "code": "unknown_write_key"}
    assert refusal(recorded("node_track"), unknown) == (401, "text/plain", b"0")
    assert refusal(wire("/track?data=e30%3D"), unknown) == (401, "text/plain", b"0")
    assert refusal(recorded("python_track"), unknown) == (401, "application/json", verbose)
    assert refusal(recorded("browser_track_0"), unknown) == (401, "application/json", verbose)
    # Before its body is read, Python's `verbose=1` is not known.
    assert refusal(wire("/track", b""), unknown)[2] == verbose
    assert refusal(recorded("python_import"), unknown) == (401, "application/json", verbose)
    assert refusal(recorded("node_import"), unknown) == (401, "text/plain", b"0")


def test_a_refused_import_speaks_the_imports_way() -> None:
    large = RequestTooLargeError("Too large.")
    said = {"code": 413, "error": "Too large.", "status": "Request Entity Too Large"}
    json = {"content-type": "application/json"}
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert refusal(wire("/import", b"[", **json), large)[2] == said
    assert refusal(wire("/import?strict=1", b"[", **form), large)[2] == said
    assert refusal(wire("/import", b"", **form), large)[2]["status"] == 0


def test_a_refusal_that_will_pass_makes_clients_try_again() -> None:
    busy = SpoolBusyError("Busy.", headers={"Retry-After": "5"})
    refuse = mixpanel.SHARED["/track"].refuse
    assert refuse is not None
    reply = refuse(recorded("browser_track_0"), busy)
    assert (reply.status, reply.headers) == (429, {"Retry-After": "5"})
    # The browser's client drops events on a 408.
    assert refusal(recorded("browser_track_0"), SlowRequestError("Slow."))[0] == 503


@pytest.mark.parametrize("name", [name for name in RECORDED if "import" not in name and "group" not in name])
def test_what_mixpanels_clients_send_is_claimed_with_or_without_a_trailing_slash(name: str) -> None:
    request = recorded(name)
    if request.path.strip("/") in {"track", "engage"}:
        assert mixpanel.claims(request)
        assert served(request).protocol == "mixpanel"


def test_what_shows_no_sign_of_mixpanel_is_not_claimed_and_is_mixpanels_where_nobody_claims_it() -> None:
    assert not mixpanel.claims(wire("/track", PAYLOAD))
    assert served(wire("/track", PAYLOAD)).protocol == "mixpanel"
    assert served(wire("/track?img=1&data=" + quote(BASE64, safe=""))).protocol == "mixpanel"
    posthogs = b'{"api_key":"wk_test","event":"buy","properties":{"distinct_id":"ada"}}'
    assert served(wire("/track?ip=1&_=1795622730000&ver=1.2", posthogs)).protocol == "posthog"


def test_an_event_with_a_property_that_looks_like_posthogs_stays_mixpanels() -> None:
    item = event(mp_lib="python", **{"$lib": "own", "api_key": "none"})
    assert served(sent("/track", item)).protocol == "mixpanel"


@pytest.mark.parametrize("payload", [b"7", b'{"event":NaN}', PAYLOAD[1:-1]])
def test_the_bytes_of_one_event_can_be_judged_anew(payload: bytes) -> None:
    for endpoint in (mixpanel.ENDPOINTS | mixpanel.SHARED).values():
        assert [bytes(raw) for raw in endpoint.parse(wire("/track", endpoint.wrap(payload))).events] == [payload]
