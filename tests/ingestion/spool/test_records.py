from hypothesis import given
from hypothesis import strategies as st

from ingestion.spool.records import HEADER_BYTES, Damage, Kind, Record, frame, scan

PAYLOADS = [b'{"a":1}\n', b'{"b":2}\n{"b":3}\n', b"RXS1 within a payload\n"]


def written(*payloads: bytes) -> bytes:
    """Return a segment with these payloads."""
    return b"".join(frame(Kind.EVENTS, 1, payload) + payload for payload in payloads)


def readable(segment: bytes) -> list[bytes]:
    """Return the payloads that can be read."""
    return [bytes(found.payload) for found in scan(segment) if isinstance(found, Record)]


def damage(segment: bytes) -> list[Damage]:
    """Return where it cannot be read."""
    return [found for found in scan(segment) if isinstance(found, Damage)]


def test_what_was_written_is_read_in_order() -> None:
    first, second = scan(frame(Kind.EVENTS, 2, b"xx") + b"xx" + frame(Kind.REJECTS, 1, b"y") + b"y")
    assert isinstance(first, Record)
    assert (first.kind, first.rows, bytes(first.payload)) == (Kind.EVENTS, 2, b"xx")
    assert isinstance(second, Record)
    assert (second.kind, second.rows, bytes(second.payload)) == (Kind.REJECTS, 1, b"y")


def test_a_write_that_was_torn_anywhere_costs_only_itself() -> None:
    whole = written(*PAYLOADS[:2])
    begin = len(written(PAYLOADS[0]))
    for end in range(begin + 1, len(whole)):
        assert readable(whole[:end]) == PAYLOADS[:1]
        assert damage(whole[:end]) == [Damage(begin, end - begin)]


@given(st.integers(0, len(written(*PAYLOADS)) - 1), st.integers(1, 255))
def test_a_rotten_byte_anywhere_costs_only_its_record(position: int, flip: int) -> None:
    segment = bytearray(written(*PAYLOADS))
    segment[position] ^= flip
    index, begin = 0, 0
    for number, payload in enumerate(PAYLOADS):
        if begin <= position:
            index = number
        begin += HEADER_BYTES + len(payload)
    assert readable(bytes(segment)) == PAYLOADS[:index] + PAYLOADS[index + 1 :]


@given(st.binary(max_size=300))
def test_bytes_that_are_no_segment_are_damage_and_nothing_else(junk: bytes) -> None:
    assert readable(junk) == []
    assert sum(found.length for found in damage(junk)) == len(junk)
