"""Requests in Mixpanel's protocol, and what they land as."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from core.events import LandedEvent, RejectReason
from ingestion.endpoints import endpoints
from ingestion.rejection import RejectedEventError
from ingestion.validation import Received, Validator
from ingestion.wire import Delivery, Endpoint, Wire

KEY = "wk_test"
ENDPOINTS = endpoints()
RECORDED: dict[str, dict[str, str]] = msgspec.json.decode(
    (Path(__file__).parent / "recorded" / "mixpanel.json").read_bytes()
)
"""What the clients send: PyPI mixpanel 5.4.1, npm mixpanel 0.24.0, npm mixpanel-browser 2.83.0."""
RECEIVED = Received(
    project_id=7, write_key_id=3, protocol="mixpanel", received_ms=1_795_626_330_000, ip="192.0.2.1", user_agent=""
)


def wire(target: str, body: bytes | None = None, **headers: str) -> Wire:
    """Return a POST with a body, or else a GET."""
    path, _, query = target.partition("?")
    return Wire("GET" if body is None else "POST", path, query.encode(), headers, "192.0.2.1", body or b"")


def recorded(name: str) -> Wire:
    """Return a request as a client sent it."""
    request = RECORDED[name]
    body = request["body"].encode("latin-1") if request["method"] == "POST" else None
    headers = {name: request[name] for name in ("authorization", "content-type") if name in request}
    return wire(request["target"], body, **headers)


def served(request: Wire) -> Endpoint:
    """Return the endpoint that serves a request."""
    return ENDPOINTS[request.path].chosen(request)


def parse(request: Wire) -> Delivery:
    """Parse a request at its path."""
    return served(request).parse(request)


def land(request: Wire) -> list[LandedEvent]:
    """Return what the events of a request land as; raise `RejectedEventError`."""
    delivery = parse(request)
    validator = Validator(RECEIVED, delivery.sent_at, delivery.context)
    return [validator.land(delivery.decode(raw), index, "batch") for index, raw in enumerate(delivery.events)]


def event(name: str = "buy", **properties: Any) -> dict[str, Any]:
    """Return an event of `ada`, who may be named otherwise; a `_` before a property stands for Mixpanel's `$`."""
    named = {name.replace("_", "$", 1) if name.startswith("_") else name: value for name, value in properties.items()}
    return {"event": name, "properties": {"token": KEY, "distinct_id": "ada"} | named}


def sent(path: str, *items: dict[str, Any]) -> Wire:
    """Return a request with these items as its body."""
    return wire(path, msgspec.json.encode(items))


def landed(name: str = "buy", **properties: Any) -> LandedEvent:
    """Land one event of `ada`."""
    return land(sent("/track", event(name, **properties)))[0]


def reason(path: str, item: dict[str, Any]) -> RejectReason:
    """Return why an item is rejected."""
    with pytest.raises(RejectedEventError) as caught:
        land(sent(path, item))
    return caught.value.reason


def members(json: Raw) -> Any:
    """Return a landed JSON object, or "" where there is none."""
    return msgspec.json.decode(json)
