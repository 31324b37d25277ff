import base64
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from core.errors import RadixError
from core.events import Event, EventType, LandedEvent, RejectReason
from ingestion import errors
from ingestion.endpoints import endpoints
from ingestion.protocols import snowplow
from ingestion.rejection import RejectedEventError
from ingestion.validation import Received, Validator
from ingestion.wire import Delivery, Rejection, Wire
from tests.ingestion.protocols.resilience import endure, junk, members

RECORDED: dict[str, dict[str, str]] = json.loads(
    (Path(__file__).parent / "recorded" / "snowplow.json").read_text(encoding="utf-8")
)
"""What the published trackers sent, with `wk_test` as their app id."""
RECEIVED_MS = 1_795_625_611_000
RECEIVED = Received(
    project_id=1, write_key_id=1, protocol="snowplow", received_ms=RECEIVED_MS, ip="192.0.2.1", user_agent="requests"
)
TP2 = "/com.snowplowanalytics.snowplow/tp2"
PERSON = {"uid": "ada", "duid": "d-1", "aid": "wk_test"}
ACME = "iglu:com.acme/bought/jsonschema/2-1-0"


def wire(path: str = TP2, *, method: str = "POST", query: str = "", body: bytes = b"", **headers: str) -> Wire:
    """Return a request; underscores in the names of headers stand for hyphens."""
    return Wire(
        method, path, query.encode(), {name.replace("_", "-"): value for name, value in headers.items()}, "", body
    )


def post(*events: dict[str, Any] | bytes, query: str = "", **headers: str) -> Delivery:
    """Return what becomes of a POST of these events."""
    data = b",".join(event if isinstance(event, bytes) else msgspec.json.encode(event) for event in events)
    return snowplow.parse_post(wire(query=query, body=b'{"schema":"iglu:x","data":[' + data + b"]}", **headers))


def event(**parameters: Any) -> Event:
    """Return the one event that these parameters make, those of a page view by ada unless they say otherwise."""
    delivery = post({"e": "pv"} | PERSON | parameters)
    return delivery.decode(delivery.events[0])


def reason(raw: dict[str, Any] | bytes) -> RejectReason:
    """Return why an event is rejected."""
    delivery = post(raw)
    with pytest.raises(RejectedEventError) as caught:
        Validator(RECEIVED).land(delivery.decode(delivery.events[0]), 0, "batch")
    return caught.value.reason


def described(schema: str, data: Any) -> dict[str, str]:
    """Return the parameters of a self-describing event, as it is."""
    inner = {"schema": schema, "data": data}
    return {"e": "ue", "ue_pr": json.dumps({"schema": "iglu:unstruct_event", "data": inner})}


def entities(*data: tuple[str, dict[str, Any]]) -> str:
    """Return the value of `co`."""
    return json.dumps({"schema": "iglu:contexts", "data": [{"schema": schema, "data": it} for schema, it in data]})


def recorded(name: str) -> list[LandedEvent]:
    """Land the events of a recorded request."""
    request = RECORDED[name]
    asked = wire(request["path"], method=request["method"], query=request["query"], body=request["body"].encode())
    endpoint = snowplow.ENDPOINTS[request["path"]]
    assert asked.method in endpoint.methods
    delivery = endpoint.parse(asked)
    assert delivery.write_key == "wk_test"
    assert endpoint.find_key is not None
    assert endpoint.find_key(asked) == "wk_test"
    validator = Validator(RECEIVED, delivery.sent_at, delivery.context)
    return [validator.land(delivery.decode(raw), number, "batch") for number, raw in enumerate(delivery.events)]


def objects(landed: LandedEvent) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return properties and context."""
    return json.loads(bytes(landed.properties)), json.loads(bytes(landed.context))


def content(raw: object) -> Any:
    """Return the value of JSON that was kept as it came."""
    assert isinstance(raw, Raw)
    return json.loads(bytes(raw))


PYTHON = ["python 1.1.0, POST, base64", "python 1.1.0, POST, plain"]


@pytest.mark.parametrize("name", PYTHON)
def test_every_event_of_the_python_tracker_gets_its_type_and_name(name: str) -> None:
    landed = recorded(name)
    assert [(row.type, row.event) for row in landed] == [
        ("page", "$pageview"),
        ("track", "page_ping"),
        ("track", "add-to-basket"),
        ("track", "viewed_product"),
        ("screen", "$screen"),
        ("identify", "$identify"),
    ]
    assert {(row.user_id, row.anonymous_id, row.session_id) for row in landed} == {("ada", "d-1", "s-1")}
    assert {(row.ip, row.user_agent, row.library) for row in landed} == {
        ("203.0.113.9", "Mozilla/5.0 (X11)", "snowplow-py/1.1.0")
    }
    assert len({row.message_id for row in landed}) == 6


@pytest.mark.parametrize("name", PYTHON)
def test_parameters_land_where_segment_has_them(name: str) -> None:
    view, ping, structured, own, screen, identify = recorded(name)
    page = {
        "url": "https://shop.example/p/1?utm_source=mail&utm_campaign=spring#x",
        "path": "/p/1",
        "search": "?utm_source=mail&utm_campaign=spring",
        "title": "Pröduct",
        "referrer": "https://search.example/",
    }
    cart = {"schema": "iglu:com.acme/cart/jsonschema/1-0-0", "data": {"items": 2, "né": "é"}}
    properties, context = objects(view)
    assert properties == page | {"$contexts": [cart]}
    assert context == {
        "library": {"name": "snowplow-py", "version": "1.1.0"},
        "platform": "web",
        "ip": "203.0.113.9",
        "userAgent": "Mozilla/5.0 (X11)",
        "locale": "en-GB",
        "timezone": "Europe/London",
        "screen": {"width": 1920, "height": 1080, "innerWidth": 1280, "innerHeight": 720},
        "page": page,
        "campaign": {"source": "mail", "name": "spring"},
        "snowplow": {"vid": "3", "cd": "24", "tnuid": "n-1", "tna": "ns"},
    }
    assert objects(ping)[0] == {"min_x": 0, "max_x": 10, "min_y": 0, "max_y": 300}
    assert bytes(structured.properties) == b'{"category":"shop","label":"label","property":"pcs","value":2.5}'
    schema = "iglu:com.acme/viewed_product/jsonschema/2-1-0"
    own_data = {"id": "A-17", "price": 12.5, "tags": ["a"]}
    assert objects(own)[0] == own_data | {"$schema": schema, "$contexts": [cart]}
    assert objects(screen)[0]["name"] == "Settings"
    assert content(identify.traits) == {"id": "ada", "email": "ada@example.org"}


@pytest.mark.parametrize("number", range(6))
def test_a_pixel_says_the_same_as_a_post(number: int) -> None:
    kinds = ["page_view", "page_ping", "structured", "self_describing", "screen_view", "identify"]
    (got,) = recorded(f"python 1.1.0, GET, base64, {kinds[number]}")
    posted = recorded(PYTHON[0])[number]
    for member in ("type", "event", "user_id", "anonymous_id", "properties", "traits", "session_id", "library"):
        assert getattr(got, member) == getattr(posted, member)
    contexts = [objects(row)[1] for row in (got, posted)]
    for context in contexts:  # the device's time stays here where there is a true one
        context["snowplow"] = dict.fromkeys(context["snowplow"], "")
    assert contexts[0] == contexts[1]


def test_every_event_of_the_node_tracker_gets_its_type_and_name() -> None:
    landed = recorded("node 4.8.0, POST, base64")
    assert [(row.type, row.event) for row in landed] == [
        ("page", "$pageview"),
        ("screen", "$screen"),
        ("track", "add"),
        ("track", "bought"),
        ("identify", "$identify"),
        ("track", "transaction"),
        ("track", "transaction_item"),
    ]
    assert objects(landed[0])[0]["$contexts"][0]["data"]["note"] == "é 😀"
    assert objects(landed[5])[0] == {"order_id": "o-1", "total": 25, "currency": "EUR"}
    assert objects(landed[6])[0] == {"order_id": "o-1", "sku": "A-17", "price": 12.5, "quantity": 2}


def test_what_the_browser_tracker_says_of_its_page_lands_in_the_context() -> None:
    view, identify, structured = recorded("browser 4.10.1, POST, plain")
    assert (view.user_id, identify.user_id, structured.user_id) == ("", "ada", "ada")
    assert view.anonymous_id == identify.anonymous_id == structured.anonymous_id != ""
    assert view.session_id != ""
    context = objects(structured)[1]
    assert context["page"]["path"] == "/p/1"
    assert context["campaign"] == {"source": "mail", "name": "spring"}
    assert context["snowplow"] == {"tna": "web", "cookie": "1", "cs": "UTF-8", "cd": "24", "ds": "0x0", "vid": "1"}


def test_data_of_a_self_describing_event_stay_as_they_came() -> None:
    data = '{"z": 1.50, "a":[1,{"b":"\\u00e9"}], "big": 12345678901234567890}'
    text = f'{{"schema":"iglu:x","data":{{"schema":"{ACME}","data": {data} }}}}'
    properties = event(e="ue", ue_pr=text).properties
    assert isinstance(properties, Raw)
    assert bytes(properties) == data[:-1].encode() + b',"$schema":"' + ACME.encode() + b'"}'


@pytest.mark.parametrize("data", ["null", "[ ]", "{ }"])
def test_a_self_describing_event_may_have_no_data(data: str) -> None:
    text = f'{{"data":{{"schema":"{ACME}","data":{data}}}}}'
    assert content(event(e="ue", ue_pr=text).properties) == {"$schema": ACME}


def test_json_in_a_parameter_is_put_on_one_line_and_mended() -> None:
    text = json.dumps({"data": {"schema": ACME, "data": {"a": "cut \ud83d"}}}, indent=1)
    properties = event(e="ue", ue_pr=text).properties
    assert isinstance(properties, Raw)
    assert b"\n" not in bytes(properties)
    assert content(properties)["a"] == "cut \ufffd"


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("pad", [True, False])
@pytest.mark.parametrize("filling", ["", "~", "??>>~~"])
def test_base64_of_any_alphabet_and_padding_is_read(encode: Any, filling: str, *, pad: bool) -> None:
    text = encode(json.dumps({"data": {"schema": ACME, "data": {"a": filling}}}).encode()).decode()
    packed = text if pad else text.rstrip("=")
    assert content(event(e="ue", ue_px=packed).properties)["a"] == filling
    # In a query that was not escaped, a plus sign reads as a space.
    assert content(event(e="ue", ue_px=packed.replace("+", " ")).properties)["a"] == filling


@pytest.mark.parametrize("vendor", ["com.snowplowanalytics.snowplow", "com.snowplowanalytics.mobile"])
def test_screen_views_of_both_vendors_are_screens(vendor: str) -> None:
    seen = event(**described(f"iglu:{vendor}/screen_view/jsonschema/1-0-0", {"name": "Settings"}))
    assert (seen.type, content(seen.properties)["name"]) == (EventType.SCREEN, "Settings")


def test_another_vendors_screen_view_is_a_track() -> None:
    seen = event(**described("iglu:com.acme/screen_view/jsonschema/1-0-0", {"name": "Settings"}))
    assert (seen.type, seen.event) == (EventType.TRACK, "screen_view")


IDENTIFY = "iglu:com.snowplowanalytics.snowplow/identify/jsonschema/1-0-0"


@pytest.mark.parametrize(
    ("data", "user_id"), [({"id": "grace"}, "grace"), ({"id": None}, "ada"), ({"id": ""}, "ada"), ({"id": 7}, 7)]
)
def test_identify_names_its_user_or_else_the_events(data: dict[str, Any], user_id: Any) -> None:
    identify = event(**described(IDENTIFY, data))
    assert (identify.type, identify.user_id, identify.anonymous_id) == (EventType.IDENTIFY, user_id, "d-1")
    assert content(identify.traits) == data


@pytest.mark.parametrize(
    ("ids", "chosen", "kept"),
    [
        ({"duid": "d", "tnuid": "t", "nuid": "n"}, "d", {"tnuid": "t", "nuid": "n"}),
        ({"tnuid": "t", "nuid": "n"}, "t", {"nuid": "n"}),
        ({"nuid": "n"}, "n", {}),
        ({"duid": "null", "nuid": "n"}, "n", {"duid": "null"}),
        ({"duid": "null"}, "null", {}),
        ({}, None, {}),
    ],
)
def test_the_most_particular_id_that_is_legal_names_the_device(
    ids: dict[str, str], chosen: str | None, kept: dict[str, str]
) -> None:
    delivery = post({"e": "pp", "aid": "wk", "uid": "ada"} | ids)
    seen = delivery.decode(delivery.events[0])
    assert seen.anonymous_id == chosen
    assert content(seen.context).get("snowplow", {}) == kept


SESSION = "iglu:com.snowplowanalytics.snowplow/client_session/jsonschema/1-0-2"


def test_a_mobile_session_names_session_and_device() -> None:
    co = entities((ACME, {}), (SESSION, {"userId": "phone", "sessionId": "s-9", "sessionIndex": 3}))
    delivery = post({"e": "pp", "aid": "wk", "co": co})
    seen = delivery.decode(delivery.events[0])
    assert (seen.anonymous_id, seen.session_id) == ("phone", "s-9")
    assert event(co=co, sid="s-1").session_id == "s-1"
    assert event(co=co).anonymous_id == "d-1"


@pytest.mark.parametrize("data", [{"sessionId": 5}, {"sessionId": None}, {}])
def test_a_session_that_cannot_be_read_is_none(data: dict[str, Any]) -> None:
    assert event(co=entities((SESSION, data))).session_id is None


def test_a_true_timestamp_is_not_corrected() -> None:
    def landed(**times: str) -> float:
        return Validator(RECEIVED).land(event(e="pp", **times), 0, "batch").timestamp

    now, hour = RECEIVED_MS, 3_600_000
    slow_clock = {"dtm": str(now - hour - 5000), "stm": str(now - hour)}
    assert landed(**slow_clock) == (now - 5000) / 1000
    assert landed(**slow_clock, ttm=str(now - hour)) == (now - hour) / 1000
    assert landed() == now / 1000


def test_numbers_keep_their_digits_and_other_text_stays_text() -> None:
    def value(text: Any) -> bytes:
        properties = event(e="se", se_ac="add", se_va=text).properties
        assert isinstance(properties, Raw)
        return bytes(properties)

    assert value("12.50") == b'{"value":12.50}'
    assert value(3) == b'{"value":3}'
    for text in ("NaN", "01", "1,5", "٣"):
        assert json.loads(value(text)) == {"value": text}


def test_a_server_that_hides_addresses_lands_none() -> None:
    delivery = post({"e": "pp"} | PERSON, {"e": "pp", "ip": "203.0.113.9"} | PERSON, sp_anonymous="*")
    landed = [Validator(RECEIVED).land(delivery.decode(raw), 0, "batch").ip for raw in delivery.events]
    assert landed == ["0.0.0.0", "203.0.113.9"]  # noqa: S104 - the second is the tracker's own word


def test_an_url_that_is_none_is_kept_without_its_parts() -> None:
    assert content(event(url="https://[broken/x").properties) == {"url": "https://[broken/x"}
    assert content(event(url="https://a.example").properties) == {"url": "https://a.example", "path": "/"}


BROKEN_JSON = [
    b'{"n":NaN}',
    {"e": "ue", "ue_pr": "{"},
    {"e": "ue", "ue_pr": json.dumps({"data": {"schema": ACME, "data": {"n": float("nan")}}})},
    {"e": "ue", "ue_px": "a"},
    {"e": "ue", "ue_px": "é"},
    {"e": "pv", "cx": "%%"},
    {"e": "pv", "co": "nope"},
]


@pytest.mark.parametrize("broken", BROKEN_JSON)
def test_broken_json_rejects_its_event(broken: dict[str, Any] | bytes) -> None:
    assert reason(broken if isinstance(broken, bytes) else PERSON | broken) == RejectReason.INVALID_JSON


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"e": "xx"}, RejectReason.INVALID_TYPE),
        ({}, RejectReason.INVALID_TYPE),
        ({"e": "ue"}, RejectReason.INVALID_SHAPE),
        ({"e": "ue", "ue_pr": "[]"}, RejectReason.INVALID_SHAPE),
        ({"e": "ue", "ue_pr": '{"data":{"data":{}}}'}, RejectReason.INVALID_SHAPE),
        (described(ACME, "text"), RejectReason.INVALID_SHAPE),
        (described("bought", {}), RejectReason.INVALID_EVENT_NAME),
        ({"e": "se", "se_ca": "shop"}, RejectReason.INVALID_EVENT_NAME),
        ({"e": "pv", "co": '{"data":{}}'}, RejectReason.INVALID_SHAPE),
        ({"e": "pv", "url": {}}, RejectReason.INVALID_SHAPE),
        ({"e": "pv", "dtm": "yesterday"}, RejectReason.INVALID_TIMESTAMP),
        ({"e": "pv", "eid": "x" * 201}, RejectReason.INVALID_MESSAGE_ID),
        ({"e": "pv", "uid": "null", "duid": "undefined"}, RejectReason.ILLEGAL_ID),
        ({"e": "pv", "uid": "", "duid": ""}, RejectReason.MISSING_ID),
        (described(IDENTIFY, {"id": "null"}), RejectReason.ILLEGAL_ID),
        (described(IDENTIFY, {"id": 0}), RejectReason.ILLEGAL_ID),
        (described(IDENTIFY, {"id": {}}), RejectReason.INVALID_SHAPE),
        ({"e": "ue", "ue_px": base64.b64encode(b'{"a":"\xff"}').decode()}, RejectReason.INVALID_UTF8),
        ({"e": "ue", "ue_pr": '{"data":' * 5000 + "1" + "}" * 5000}, RejectReason.NESTED_TOO_DEEP),
    ],
)
def test_what_is_no_event_of_ours_is_rejected_with_a_reason(parameters: dict[str, Any], expected: RejectReason) -> None:
    assert reason(PERSON | parameters) == expected


def test_a_broken_event_leaves_its_neighbours_whole() -> None:
    good = msgspec.json.encode({"e": "pv"} | PERSON)
    delivery = post(good, b'{"e":"pv","n":NaN}', good)
    assert [bytes(raw) for raw in delivery.events] == [good, b'{"e":"pv","n":NaN}', good]
    assert delivery.write_key == "wk_test"
    assert delivery.decode(delivery.events[2]).user_id == "ada"


def test_a_query_that_is_not_utf8_is_rejected() -> None:
    delivery = snowplow.parse_pixel(wire("/i", method="GET", query="e=pv&aid=wk&uid=%ff"))
    with pytest.raises(RejectedEventError) as caught:
        delivery.decode(delivery.events[0])
    assert caught.value.reason == RejectReason.INVALID_UTF8


@pytest.mark.parametrize("body", [b"", b"nope", b"[]", b'{"data":{}}', b'{"data":[', b'{"schema":"x"}'])
def test_a_body_that_is_no_payload_is_malformed(body: bytes) -> None:
    with pytest.raises(errors.MalformedRequestError):
        snowplow.parse_post(wire(body=body))


@given(st.dictionaries(st.text(max_size=5) | st.sampled_from(["e", "co", "cx", "ue_pr", "ue_px", "url"]), st.text()))
def test_any_parameters_end_in_an_event_or_a_clear_rejection(parameters: dict[str, str]) -> None:
    delivery = post(PERSON | parameters)
    try:
        decoded = delivery.decode(delivery.events[0])
    except RejectedEventError:
        return
    assert b"\n" not in bytes(msgspec.json.encode(decoded))


@settings(deadline=None)
@given(junk(b'"data":', b'"e":"ue"', b'"ue_pr":', b'"aid":"', b"e=pv", b"ue_px=", b"url=http://[", b"cx="))
def test_any_bytes_end_in_events_or_a_clear_error(between: bytes) -> None:
    good = msgspec.json.encode({"e": "pv"} | PERSON)
    for body in (between, b'{"data":[%b,%b,%b]}' % (good, between, good)):
        endure(snowplow.ENDPOINTS[TP2], wire(body=body))
        endure(snowplow.ENDPOINTS[TP2], Wire("POST", TP2, between, {}, body=body))
    endure(snowplow.ENDPOINTS["/i"], Wire("GET", "/i", b"e=pv&uid=ada&" + between, {}))


@settings(deadline=None)
@given(
    members(
        *("e", "aid", "uid", "duid", "eid", "dtm", "stm", "ttm", "sid", "url", "res", "tv", "se_va", "cx", "ue_px")
    ),
    st.sampled_from(["iglu:com.acme/bought/jsonschema/1-0-0", "iglu:com.snowplowanalytics.snowplow/identify/j/1-0-0"]),
    members("id", "userId", "sessionId", "schema", "data"),
    st.booleans(),
)
def test_any_values_leave_the_good_neighbours_of_their_event_whole(
    odd: bytes,
    schema: str,
    data: bytes,
    packed: bool,  # noqa: FBT001 - hypothesis gives it by position
) -> None:
    good = msgspec.json.encode({"e": "pv"} | PERSON)
    inner = b'{"data":{"schema":"%b","data":%b}}' % (schema.encode(), data)
    entity = b'{"data":[{"schema":"iglu:x/client_session/jsonschema/1-0-0","data":%b},%b]}' % (data, data)
    if packed:
        unstruct = {"ue_px": base64.urlsafe_b64encode(inner).decode(), "cx": base64.urlsafe_b64encode(entity).decode()}
    else:
        unstruct = {"ue_pr": inner.decode(errors="replace"), "co": entity.decode(errors="replace")}
    for event in (odd, msgspec.json.encode({"e": "ue", "uid": "ada"} | unstruct)):
        assert endure(snowplow.ENDPOINTS[TP2], wire(body=b'{"data":[%b,%b,%b]}' % (good, event, good))) >= 2


def test_neither_rows_nor_rejects_get_the_address_of_a_visitor_who_hides_it() -> None:
    pixel = wire("/i", method="GET", query="e=pv", sp_anonymous="*")
    assert not post({"e": "pv"}, sp_anonymous="*").uses_ip
    assert not snowplow.parse_pixel(pixel).uses_ip
    assert post({"e": "pv"}).uses_ip


def test_the_head_of_a_proxy_is_no_write_key() -> None:
    delivery = post({"e": "pp"} | PERSON, authorization="Bearer a-proxys-own")
    assert delivery.write_key == "wk_test"
    assert content(delivery.decode(delivery.events[0]).context) == {}


BASIC = "Basic " + base64.b64encode(b"wk_head:").decode()


def test_the_write_key_stands_in_the_first_events_app_id() -> None:
    delivery = post({"e": "pp", "uid": "ada"}, {"e": "pp"} | PERSON, described(ACME, {"aid": "x"}) | PERSON)
    assert delivery.write_key == "wk_test"
    assert all(delivery.decode(raw).type == EventType.TRACK for raw in delivery.events)


def test_an_app_id_within_the_data_of_an_event_is_no_write_key() -> None:
    assert post(described(ACME, {"aid": "x"})).write_key is None


def test_an_event_of_another_app_id_belongs_elsewhere() -> None:
    delivery = post({"e": "pp"} | PERSON, {"e": "pp", "uid": "ada", "aid": "wk_other"})
    with pytest.raises(RejectedEventError) as caught:
        delivery.decode(delivery.events[1])
    assert caught.value.reason == RejectReason.OTHER_WRITE_KEY


@pytest.mark.parametrize(("query", "headers"), [("aid=wk_head", {}), ("", {"authorization": BASIC})])
def test_where_the_write_key_stands_apart_the_app_id_is_the_apps_name(query: str, headers: dict[str, str]) -> None:
    sent = [{"e": "pp", "uid": "ada", "aid": aid} for aid in ("shop-web", "shop-ios", "wk_head")]
    delivery = post(*sent, query=query, **headers)
    assert delivery.write_key == "wk_head"
    apps = [content(delivery.decode(raw).context).get("app") for raw in delivery.events if raw]
    assert apps[:2] == [{"name": "shop-web"}, {"name": "shop-ios"}]


def test_a_pixels_app_id_is_a_name_where_the_head_has_the_write_key() -> None:
    asked = wire("/i", method="GET", query="e=pp&uid=ada&aid=shop", authorization=BASIC)
    delivery = snowplow.parse_pixel(asked)
    assert delivery.write_key == "wk_head"
    assert content(delivery.decode(delivery.events[0]).context) == {"app": {"name": "shop"}}


def test_the_write_key_lands_nowhere() -> None:
    assert b"wk_test" not in msgspec.json.encode(event(url="https://a.example"))


def test_answers_are_as_snowplows_collector_gives_them() -> None:
    assert post({"e": "pv"}).reply([]).body == b"ok"
    rejected = [Rejection(0, RejectReason.MISSING_ID, "page needs anonymousId or userId")]
    listed = post({"e": "pv"}).reply(rejected)
    assert (listed.status, json.loads(listed.body)["rejected"]) == (200, 1)
    for rejects in ([], rejected):
        pixel = snowplow.parse_pixel(wire("/i", method="GET", query="e=pv")).reply(rejects)
        assert (pixel.status, pixel.media_type, pixel.body[:6], len(pixel.body)) == (200, "image/gif", b"GIF89a", 42)


REFUSALS = [
    (errors.MalformedRequestError("x"), 400),
    (errors.UnknownWriteKeyError("x"), 401),
    (errors.MethodNotAllowedError("GET", ["POST"]), 400),
    (errors.RequestTooLargeError("x"), 400),
    (errors.UnsupportedEncodingError("x"), 400),
    (errors.SlowRequestError("x"), 408),
    (errors.CollectorBusyError("x", headers={"Retry-After": "1"}), 429),
    (errors.SpoolUnavailableError("x", headers={"Retry-After": "1"}), 503),
    (RadixError("x"), 500),
]


@pytest.mark.parametrize(("error", "status"), REFUSALS)
def test_what_will_never_be_taken_gets_a_status_that_trackers_do_not_send_again(error: RadixError, status: int) -> None:
    reply = snowplow.refuse(wire(), error)
    assert (reply.status, json.loads(reply.body)["status"]) == (status, status)
    assert json.loads(reply.body)["code"] == error.code
    assert reply.headers == error.headers


@pytest.mark.parametrize("path", [TP2, "/i", "/com.snowplowanalytics.snowplow/i"])
def test_each_path_is_served_with_and_without_a_prefix_and_a_slash(path: str) -> None:
    served = endpoints()
    assert served[path] is served[f"/snowplow{path}"] is served[f"{path}/"] is served[f"/snowplow{path}/"]
    assert served[path].protocol == "snowplow"
