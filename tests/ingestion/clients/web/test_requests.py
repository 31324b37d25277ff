"""What a page of one's own sends without any library."""

import pytest

from tests.ingestion.clients.web.visitor import Visitor

BATCH = "{ writeKey: key, batch: [{ type: 'track', event: 'buy', anonymousId: 'device-1' }] }"


@pytest.fixture(autouse=True)
def _page(visitor: Visitor) -> None:
    visitor.page.goto(f"{visitor.shop.url}/checkout")


@pytest.mark.parametrize(
    "body", ["body", "new Blob([body], { type: 'text/plain' })", "new Blob([body], { type: 'application/json' })"]
)
def test_a_beacon_that_is_sent_while_the_page_goes_away_lands(visitor: Visitor, body: str) -> None:
    visitor.do(f"""
      const body = JSON.stringify({BATCH});
      addEventListener('pagehide', () => navigator.sendBeacon(`${{host}}/v1/batch`, {body}));
    """)
    visitor.leave()
    assert [(row["event"], row["anonymous_id"]) for row in visitor.landed(1)] == [("buy", "device-1")]


def test_a_request_that_outlives_its_page_lands(visitor: Visitor) -> None:
    visitor.do(f"""
      const body = JSON.stringify({BATCH});
      addEventListener('pagehide', () => fetch(`${{host}}/v1/batch`, {{ method: 'POST', body, keepalive: true }}));
    """)
    visitor.leave()
    assert [row["event"] for row in visitor.landed(1)] == ["buy"]


@pytest.mark.parametrize(
    ("protocol", "address"),
    [
        ("snowplow", "`${host}/i?e=se&se_ca=shop&se_ac=buy&duid=device-1&aid=${key}`"),
        ("posthog", "`${host}/e/?img=1&data=${data({ event: 'buy', properties: { token: key, ...device } })}`"),
        (
            "mixpanel",
            "`${host}/track?img=1&data=${data({ event: 'buy', properties: { token: key, $device_id: 'device-1' } })}`",
        ),
    ],
)
def test_a_picture_carries_an_event(visitor: Visitor, protocol: str, address: str) -> None:
    width = visitor.do(f"""
      const device = {{ distinct_id: 'device-1', $process_person_profile: false }};
      const data = (event) => encodeURIComponent(btoa(JSON.stringify(event)));
      const picture = new Image();
      picture.src = {address};
      document.body.append(picture);
      await picture.decode();
      return picture.naturalWidth;
    """)
    assert width == 1
    landed = [(row["event"], row["anonymous_id"], row["protocol"]) for row in visitor.landed(1)]
    assert landed == [("buy", "device-1", protocol)]


@pytest.mark.parametrize("credentials", ["omit", "same-origin", "include"])
def test_a_request_with_headers_of_its_own_may_be_made_and_its_answer_read(visitor: Visitor, credentials: str) -> None:
    answer = visitor.do(f"""
      const answer = await fetch(`${{host}}/v1/track`, {{
        method: 'POST',
        credentials: '{credentials}',
        headers: {{ authorization: `Basic ${{btoa(`${{key}}:`)}}`, 'content-type': 'application/json', 'x-shop': '1' }},
        body: JSON.stringify({{ event: 'buy', anonymousId: 'device-1' }}),
      }});
      return [answer.status, await answer.json()];
    """)
    assert answer == [200, {"success": True}]
    assert [row["event"] for row in visitor.landed(1)] == ["buy"]


@pytest.mark.parametrize("path", ["/v1/batch", "/e/"])
def test_a_packed_body_needs_no_header(visitor: Visitor, path: str) -> None:
    visitor.do(f"""
      const event = {{ type: 'track', event: 'buy', anonymousId: 'device-1', distinct_id: 'ada' }};
      const text = JSON.stringify({{ writeKey: key, api_key: key, batch: [event] }});
      const packed = new Blob([text]).stream().pipeThrough(new CompressionStream('gzip'));
      const body = await new Response(packed).blob();
      navigator.sendBeacon(host + '{path}', new Blob([body], {{ type: 'text/plain' }}));
    """)
    assert [row["event"] for row in visitor.landed(1)] == ["buy"]


def test_a_refusal_can_be_read_and_asks_for_no_password(visitor: Visitor) -> None:
    answer = visitor.do("""
      const body = JSON.stringify({ writeKey: 'wk_unknown', event: 'buy', userId: 'ada' });
      const answer = await fetch(`${host}/v1/track`, { method: 'POST', body });
      return [answer.status, (await answer.json()).code];
    """)
    assert answer == [401, "unknown_write_key"]
    assert len(visitor.complaints) == 1
    assert "401" in visitor.complaints.pop()
