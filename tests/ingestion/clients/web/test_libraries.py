"""What lands of a visit to a page that loads another product's library, which knows nothing of us but the address."""

from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.ingestion.clients.web import libraries
from tests.ingestion.clients.web.visitor import LANDING, REFERRER, Visitor

WAIT = "await new Promise((done) => setTimeout(done, 100));"
Row = dict[str, Any]


def only(rows: list[Row], event: str) -> Row:
    """Return the one row of an event."""
    (row,) = [row for row in rows if row["event"] == event]
    return row


def ids(row: Row) -> tuple[str, str]:
    """Return whom a row names: user and previous id."""
    return row["user_id"], row["previous_id"]


def check_page(visitor: Visitor, row: Row) -> None:
    """Check what every page view says of its page, its clock and its browser."""
    assert row["type"] == "page"
    page = row["context"]["page"]
    assert (page["url"], page["path"], page["title"]) == (f"{visitor.shop.url}{LANDING}", "/pricing", "Pricing")
    assert page["referrer"] == REFERRER
    assert (row["context"]["campaign"]["source"], row["context"]["campaign"]["name"]) == ("news", "may")
    assert row["context"]["locale"] == "en-GB" if "locale" in row["context"] else row["protocol"] == "mixpanel"
    assert "Chrome" in row["user_agent"]
    # Browser and collector share a clock.
    assert abs((row["received_at"] - row["timestamp"]).total_seconds()) < 60
    assert row["timestamp"] == row["original_timestamp"] <= row["sent_at"]


def check_visit(visitor: Visitor, rows: list[Row], library: str) -> str:
    """Check what all events of a visit have in common and return the device's id."""
    assert visitor.hosts == {urlsplit(visitor.host).netloc}
    assert {row["library"] for row in rows} <= {library, ""}
    devices = {row["anonymous_id"] for row in rows} - {""}
    assert len(devices) == 1
    return devices.pop()


def test_segment(visitor: Visitor) -> None:
    visitor.open(libraries.SEGMENT.file)
    visitor.do(libraries.SEGMENT.start)
    visitor.do("""
      await segment.track('add_to_cart', { sku: 'A-17' });
      await segment.alias('ada');
      await segment.identify('ada', { plan: 'pro' });
      await segment.group('acme', { seats: 3 });
      await segment.screen('Cart');
    """)
    rows = visitor.landed(6)
    device = check_visit(visitor, rows, "analytics.js/next-1.84.3")
    assert [row["event"] for row in rows] == ["$pageview", "add_to_cart", "$alias", "$identify", "$group", "$screen"]
    check_page(visitor, rows[0])
    _, cart, alias, identify, group, screen = rows
    assert (cart["properties"], ids(cart)) == ({"sku": "A-17"}, ("", ""))
    assert (identify["traits"], identify["anonymous_id"], ids(identify)) == ({"plan": "pro"}, device, ("ada", ""))
    assert (group["group_id"], group["traits"], ids(group)) == ("acme", {"seats": 3}, ("ada", ""))
    assert ids(alias) == ("ada", device)
    assert screen["properties"]["name"] == "Cart"


@pytest.mark.parametrize(
    "library", [libraries.RUDDERSTACK, libraries.RUDDERSTACK_WITH_BEACONS], ids=["requests", "beacons"]
)
def test_rudderstack(visitor: Visitor, library: libraries.Library) -> None:
    visitor.open(library.file)
    visitor.do(library.start)
    visitor.do(f"""
      rudder.track('add_to_cart', {{ sku: 'A-17' }});
      rudder.identify('ada', {{ plan: 'pro' }});
      rudder.group('acme', {{ seats: 3 }});
      rudder.alias('ada@example.com', 'ada');
      {WAIT}
    """)
    if library is libraries.RUDDERSTACK_WITH_BEACONS:
        visitor.leave()
    rows = visitor.landed(5)
    device = check_visit(visitor, rows, "RudderLabs JavaScript SDK/3.34.1")
    assert sorted(row["event"] for row in rows) == ["$alias", "$group", "$identify", "$pageview", "add_to_cart"]
    check_page(visitor, only(rows, "$pageview"))
    cart, identify, group = (only(rows, event) for event in ("add_to_cart", "$identify", "$group"))
    assert (cart["properties"]["sku"], ids(cart)) == ("A-17", ("", ""))
    assert (identify["traits"], identify["anonymous_id"], ids(identify)) == ({"plan": "pro"}, device, ("ada", ""))
    assert (group["group_id"], group["traits"], ids(group)) == ("acme", {"seats": 3}, ("ada", ""))
    assert ids(only(rows, "$alias")) == ("ada@example.com", "ada")
    assert len({row["session_id"] for row in rows}) == 1


@pytest.mark.parametrize("compressed", [True, False])
def test_amplitude(visitor: Visitor, *, compressed: bool) -> None:
    visitor.open(libraries.AMPLITUDE.file)
    start = libraries.AMPLITUDE.start
    visitor.do(start.replace("autocapture", "enableRequestBodyCompression: true, autocapture") if compressed else start)
    visitor.do("""
      await amplitude.track('add_to_cart', { sku: 'A-17' }).promise;
      amplitude.setUserId('ada');
      amplitude.identify(new amplitude.Identify().set('plan', 'pro'));
      amplitude.setGroup('company', 'acme');
      await amplitude.groupIdentify('company', 'acme', new amplitude.Identify().set('seats', 3)).promise;
    """)
    rows = visitor.landed(7)
    device = check_visit(visitor, rows, "amplitude-ts-sdk-script/2.48.1")
    check_page(visitor, only(rows, "$pageview"))
    cart, group = only(rows, "add_to_cart"), only(rows, "$group")
    assert (cart["properties"]["sku"], ids(cart)) == ("A-17", ("", ""))
    (identify,) = [row for row in rows if row["traits"].get("plan") == "pro"]
    assert (identify["type"], identify["anonymous_id"], ids(identify)) == ("identify", device, ("ada", ""))
    assert (group["group_type"], group["group_id"], group["traits"]) == ("company", "acme", {"seats": 3})
    assert only(rows, "session_start")["session_id"] == cart["session_id"] != ""


@pytest.mark.parametrize("options", ["", "api_payload_format: 'json',", "api_transport: 'sendBeacon',"])
def test_mixpanel(visitor: Visitor, options: str) -> None:
    visitor.open(libraries.MIXPANEL.file)
    visitor.do(libraries.MIXPANEL.start.replace("api_host", f"{options} api_host"))
    visitor.do(f"""
      mixpanel.track('add_to_cart', {{ sku: 'A-17' }});
      mixpanel.identify('ada');
      mixpanel.people.set({{ plan: 'pro' }});
      mixpanel.people.increment('logins');
      mixpanel.get_group('company', 'acme').set('seats', 3);
      mixpanel.alias('ada@example.com');
      {WAIT}
    """)
    rows = visitor.landed(9)
    device = check_visit(visitor, rows, "web/2.83.0")
    check_page(visitor, only(rows, "$pageview"))
    cart, alias, group = (only(rows, event) for event in ("add_to_cart", "$alias", "$group"))
    assert (cart["properties"]["sku"], cart["anonymous_id"], ids(cart)) == ("A-17", device, ("", ""))
    linked = [ids(row) for row in rows if row["type"] == "identify" and row["anonymous_id"] == device]
    assert ("ada", "") in linked
    assert ids(alias) == ("ada@example.com", "ada")
    assert [row["traits_increment"] for row in rows if row["traits_increment"]] == [{"logins": 1}]
    assert {"plan": "pro"}.items() <= next(row for row in rows if "plan" in row["traits"])["traits"].items()
    assert (group["group_type"], group["group_id"], group["traits"]) == ("company", "acme", {"seats": 3})


@pytest.mark.parametrize(("prefix", "packed"), [("", True), ("/posthog", False)])
def test_posthog(visitor: Visitor, prefix: str, *, packed: bool) -> None:
    visitor.open(libraries.POSTHOG.file)
    options = f"api_host: host + '{prefix}', disable_compression: {str(not packed).lower()}"
    visitor.do(libraries.POSTHOG.start.replace("api_host: host", options))
    visitor.do(f"""
      posthog.capture('add_to_cart', {{ sku: 'A-17' }});
      posthog.identify('ada', {{ plan: 'pro' }}, {{ first: 'x' }});
      posthog.group('company', 'acme', {{ seats: 3 }});
      posthog.setPersonProperties({{ color: 'red' }});
      posthog.alias('ada@example.com');
      {WAIT}
    """)
    visitor.leave()
    rows = visitor.landed(7)
    device = check_visit(visitor, rows, "web/1.449.2")
    check_page(visitor, only(rows, "$pageview"))
    cart, alias, group = (only(rows, event) for event in ("add_to_cart", "$alias", "$group"))
    assert (cart["properties"]["sku"], ids(cart)) == ("A-17", ("", ""))
    (identify,) = [row for row in rows if row["traits"].get("plan") == "pro"]
    assert (identify["anonymous_id"], ids(identify), identify["traits_once"]["first"]) == (device, ("ada", ""), "x")
    assert [row["traits"] for row in rows if "color" in row["traits"]] == [{"color": "red"}]
    assert (group["group_type"], group["group_id"], group["traits"]) == ("company", "acme", {"seats": 3})
    assert ids(alias) == ("ada", "ada@example.com")
    assert only(rows, "$pageleave")["session_id"] == cart["session_id"] != ""
    sent = [request for request in visitor.requests if urlsplit(request.url).path == f"{prefix}/e/"]
    # Packed ones say nothing of it but that they are no JSON.
    assert {request.headers["content-type"] == "text/plain" for request in sent} == {packed}


@pytest.mark.parametrize(
    "options",
    [
        "appId: key",
        "appId: key, eventMethod: 'get'",
        "appId: 'shop', postPath: `/com.snowplowanalytics.snowplow/tp2?aid=${key}`",
    ],
)
def test_snowplow(visitor: Visitor, options: str) -> None:
    visitor.open(libraries.SNOWPLOW.file)
    visitor.do(libraries.SNOWPLOW.start.replace("appId: key", f"contexts: {{ session: true }}, {options}"))
    visitor.do("""
      snowplow.trackStructEvent({ category: 'shop', action: 'add_to_cart', value: 2 });
      snowplow.setUserId('ada');
      snowplow.trackSelfDescribingEvent({ event: {
        schema: 'iglu:com.snowplowanalytics.snowplow/identify/jsonschema/1-0-0', data: { id: 'ada', plan: 'pro' },
      } });
    """)
    rows = visitor.landed(3)
    device = check_visit(visitor, rows, "snowplow-js/4.10.1")
    check_page(visitor, only(rows, "$pageview"))
    cart, identify = only(rows, "add_to_cart"), only(rows, "$identify")
    assert (cart["properties"]["value"], ids(cart)) == (2, ("", ""))
    assert (identify["anonymous_id"], ids(identify)) == (device, ("ada", ""))
    assert identify["traits"] == {"id": "ada", "plan": "pro"}
    assert len({row["session_id"] for row in rows}) == 1
    assert cart["context"]["screen"]["width"] == 1440
