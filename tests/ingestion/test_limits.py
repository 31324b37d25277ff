from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.events import RejectReason
from ingestion.limits import Limits

LIMITS = Limits(depth=3, members=5, text_bytes=20)


def exceeded(json: bytes) -> RejectReason | None:
    """Return the reason for which a member of an event is refused."""
    found = LIMITS.exceeded(json.decode())
    return None if found is None else found[0]


@pytest.mark.parametrize(
    ("json", "reason"),
    [
        (b'{"a":{"b":{"c":1}}}', None),
        (b'{"a":{"b":{"c":{}}}}', RejectReason.NESTED_TOO_DEEP),
        (b'{"a":[[[1]]]}', RejectReason.NESTED_TOO_DEEP),
        (b'{"a":[{},{},{},{},{}]}', None),
        (b'{"a":"[[[[[[[[{{{{"}', None),
        (b'{"a":1,"b":2,"c":3,"d":4,"e":5}', None),
        (b'{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6}', RejectReason.TOO_MANY_MEMBERS),
        (b'{"a":{"b":1,"c":2},"d":{"e":1,"f":2}}', RejectReason.TOO_MANY_MEMBERS),
        (b'{"a":"::::::::"}', None),
        (b'{"a":"' + b"x" * 20 + b'"}', None),
        (b'{"a":"' + b"x" * 21 + b'"}', RejectReason.TEXT_TOO_LONG),
        (b'{"' + b"x" * 21 + b'":1}', RejectReason.TEXT_TOO_LONG),
        (b'{"a":"\\"' + b"x" * 19 + b'"}', RejectReason.TEXT_TOO_LONG),
        (('{"a":"' + "é" * 10 + '"}').encode(), None),
        (('{"a":"' + "é" * 11 + '"}').encode(), RejectReason.TEXT_TOO_LONG),
        (b'{"a": 123456789012345678901234567890}', None),
    ],
)
def test_what_is_too_deep_too_wide_or_too_long_is_named(json: bytes, reason: RejectReason | None) -> None:
    assert exceeded(json) == reason


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max((_depth(item) for item in value.values()), default=0)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, list):
        return 1 + max((_depth(item) for item in value), default=0)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return 0


def _members(value: Any) -> int:
    if isinstance(value, dict):
        return len(value) + sum(_members(item) for item in value.values())  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, list):
        return sum(_members(item) for item in value)  # pyright: ignore[reportUnknownVariableType]
    return 0


_TEXT = st.text(alphabet='ab"\\[]{}:, \n', max_size=6)
_JSON = st.recursive(
    st.none() | st.integers(0, 99) | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(_TEXT, _JSON, max_size=4))
def test_depth_and_members_are_counted_as_a_parser_counts_them(value: dict[str, Any]) -> None:
    limits = Limits(depth=3, members=5, text_bytes=1000)
    found = limits.exceeded(msgspec.json.encode(value).decode())
    is_fine = _depth(value) <= 3 and _members(value) <= 5
    assert (found is None) == is_fine
