"""The collector's own events, which go the way of all others to show that it is open; no figure counts them."""

from msgspec import Raw

from core.events import Event, EventType
from ingestion.protocols.segment import reply
from ingestion.wire import Delivery, Endpoint, Wire

NAME = "canary"
"""Also the protocol by which the models tell a canary: it follows from the path alone, never from an event."""
PATH = "/v1/canary"


def parse(wire: Wire) -> Delivery:
    """Make one event, whatever the body says."""
    return Delivery([Raw(wire.body)], _decode, reply, uses_ip=False)


def _decode(_: Raw) -> Event:
    return Event(type=EventType.TRACK, event="$canary", anonymous_id="canary")


ENDPOINTS = {PATH: Endpoint(NAME, parse)}
