"""Whatever comes in, a protocol lands it, rejects it, or calls the request malformed: anything else would be a 500."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
from hypothesis import strategies as st

from ingestion.errors import MalformedRequestError
from ingestion.rejection import RejectedEventError
from ingestion.validation import Received, Validator
from ingestion.wire import Endpoint, Wire

_RECEIVED = Received(project_id=1, write_key_id=1, protocol="", received_ms=0, ip="", user_agent="")
_PIECES = [
    *(b'"', b"{", b"}", b"[", b"]", b":", b",", b"&", b"=", b"%", b"%ff", b"+", b"\n", b"\x00", b"\\", b"\\u0000"),
    *(b'"\\ud83d"', b'"\xff"', b'"\xed\xa0\x80"', b"NaN", b"1e999", b"-0"),
]
_VALUES = [
    *(b"null", b"true", b"0", b"-1", b"1.5", b"1e308", b"1e999", b"9" * 4400, b"NaN", b"[]", b"{}", b'""', b'"a"'),
    *(b'"\\u0000"', b'"\\ud83d"', b'"\xff"', b'"\n"', b"[1]", b'["a","b"]', b'{"a":1}', b'{"$set":[]}', b'{"$set":{}}'),
    *(b'{"\\ud83d":1}', b'{"$a":"\xff"}', b'{"a":[' + b"[" * 1100 + b"]" * 1100 + b"]}"),
]


def junk(*words: bytes) -> st.SearchStrategy[bytes]:
    """Return bytes of all kinds: random ones, and heaps of what JSON, forms and a protocol (`words`) are made of."""
    heaps = st.lists(st.sampled_from(_PIECES + list(words)), max_size=6).map(b"".join)
    return st.binary(max_size=100) | heaps


def members(*names: str, **fixed: Any) -> st.SearchStrategy[bytes]:
    """Return JSON objects that have `fixed` members and any values, also ones that are no JSON, in some of `names`."""
    some = st.lists(st.tuples(st.sampled_from(names), st.sampled_from(_VALUES)), max_size=4)
    first = [(name, msgspec.json.encode(value)) for name, value in fixed.items()]
    return some.map(
        lambda pairs: b"{" + b",".join(b'"%b":%b' % (name.encode(), value) for name, value in first + pairs) + b"}"
    )


def endure(endpoint: Endpoint, wire: Wire, claims: Callable[[Wire], bool] | None = None) -> int:
    """Do all that the collector does with a request; return how many of its events land."""
    landed = 0
    for look in (claims, endpoint.head_key, endpoint.find_key):
        with suppress(MalformedRequestError):
            if look is not None:
                look(wire)
    try:
        delivery = endpoint.parse(wire)
    except MalformedRequestError:
        return landed
    validator = Validator(_RECEIVED, delivery.sent_at, delivery.context)
    for index, raw in enumerate(delivery.events):
        with suppress(RejectedEventError):
            msgspec.json.encode(validator.land(delivery.decode(raw), index, "batch"))
            landed += 1
    delivery.reply([])
    return landed
