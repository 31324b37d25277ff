"""Snowplow's tracker protocol: each event is a flat set of parameters, in a JSON body or in the query of a pixel."""

import base64
import re
from functools import partial

import msgspec
from msgspec import Raw, Struct
from msgspec.json import Decoder

from core.errors import RadixError
from ingestion import lenient_json
from ingestion.protocols import segment
from ingestion.protocols.snowplow.parameters import Origin, decode_json, decode_query
from ingestion.wire import Delivery, Endpoint, Rejection, Reply, Wire, header_write_key, problem

NAME = "snowplow"


class _Payload(Struct):
    """The body of a POST, `payload_data`. Its version does not matter: the parameters of events are the same."""

    data: list[Raw]


_decode_payload = Decoder(_Payload).decode

# Parameters are flat, and within strings quotes are escaped: the first match is the first event's.
_APP_ID = re.compile(rb'"aid"\s*+:\s*+"([^"\\]{1,200})"')
_PIXEL = Reply(
    base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"),
    "image/gif",
    headers={"Cache-Control": "no-cache, no-store, must-revalidate"},
)
_OK = Reply(b"ok", "text/plain; charset=utf-8")
_FINAL = frozenset({400, 401, 403, 410, 422})
_LATER = frozenset({408, 429, 500, 503})


def find_write_key(wire: Wire) -> str | None:
    """Return the query's app id, or else the first one that an event of the body names."""
    key = wire.parameters.get("aid")
    if key:
        return key
    member = _APP_ID.search(wire.body)
    return member.group(1).decode(errors="replace") if member else None


def parse_post(wire: Wire) -> Delivery:
    """Split the body of a POST into its events; raise `MalformedRequestError` when it is no `payload_data`."""
    payload, split = lenient_json.decode_envelope(wire.body, _decode_payload, "data")
    origin = _origin(wire, is_key_apart=bool(wire.header_write_key or wire.parameters.get("aid")))
    decode = partial(decode_json, origin=origin, plain=lenient_json.is_plain(wire.body))
    events = payload.data if split is None else split
    return Delivery(events, decode, _reply, origin.write_key, uses_ip=not origin.hides_address)


def parse_pixel(wire: Wire) -> Delivery:
    """Take the query of a GET as one event."""
    origin = _origin(wire, is_key_apart=bool(wire.header_write_key))
    decode = partial(decode_query, origin=origin)
    return Delivery(
        [Raw(wire.query_string)], decode, _reply_with_pixel, origin.write_key, uses_ip=not origin.hides_address
    )


def refuse(wire: Wire, error: RadixError) -> Reply:
    """Say an error so that trackers do what helps.

    They look at nothing but the status: 2xx is taken; 400, 401, 403, 410 and 422 end in dropping the events; and
    everything else is sent again, for ever. So what will never be taken (too large, packed in an unknown way, the wrong
    method) becomes 400.
    """
    if error.status in _FINAL or error.status in _LATER:
        return problem(wire, error)
    body = msgspec.json.encode(error.problem(instance=wire.path) | {"status": 400})
    return Reply(body, "application/problem+json", 400, error.headers)


def _origin(wire: Wire, *, is_key_apart: bool) -> Origin:
    key = wire.header_write_key or find_write_key(wire)
    return Origin(key, is_key_apart, hides_address="sp-anonymous" in wire.headers)


def _reply(rejected: list[Rejection]) -> Reply:
    return segment.reply(rejected) if rejected else _OK


def _reply_with_pixel(_: list[Rejection]) -> Reply:
    return _PIXEL


def _wrap(event: bytes) -> bytes:
    return b'{"data":[%b]}' % event


_POST = Endpoint(NAME, parse_post, find_write_key, refuse, wrap=_wrap, head_key=header_write_key)
_GET = Endpoint(NAME, parse_pixel, find_write_key, refuse, frozenset({"GET"}), head_key=header_write_key)
ENDPOINTS = {
    "/com.snowplowanalytics.snowplow/tp2": _POST,
    "/com.snowplowanalytics.snowplow/i": _GET,
    "/i": _GET,
}
"""By path, without the protocol's own prefix."""
