import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from core.events import LandedEvent, Reject
from ingestion.kafka.chunks import Chunk, UnreadableRecordError, cut, is_substitute, parse, substitute
from ingestion.spool.records import Kind
from tests.ingestion.rows import filled

SEGMENT = "1700000000000-0123456789abcdef"
CHUNK = f"{SEGMENT}.events.0-3"


def lines(count: int, *, text: str = "x", batch_id: str = SEGMENT) -> bytes:
    """Return rows as the collector writes them, with every member set."""
    rows = [filled(LandedEvent, message_id=f"m{index}", user_agent=text, batch_id=batch_id) for index in range(count)]
    return msgspec.json.Encoder().encode_lines(rows)


def ids(chunks: list[Chunk]) -> list[str]:
    """Return the message ids, in order."""
    return [msgspec.json.decode(line)["message_id"] for chunk in chunks for line in chunk.lines.splitlines()]


@given(st.integers(1, 60), st.integers(1, 900), st.text(max_size=30))
def test_a_segment_is_cut_into_whole_rows_of_which_each_comes_once_and_in_order(
    count: int, max_bytes: int, text: str
) -> None:
    chunks = list(cut(SEGMENT, Kind.EVENTS, lines(count, text=text), max_bytes))
    assert ids(chunks) == [f"m{index}" for index in range(count)]
    assert sum(chunk.rows for chunk in chunks) == count
    assert chunks == list(cut(SEGMENT, Kind.EVENTS, lines(count, text=text), max_bytes))
    for chunk in chunks:
        assert parse(chunk.headers(), chunk.lines) == chunk
        carried = {msgspec.json.decode(line)["batch_id"] for line in chunk.lines.splitlines()}
        assert carried == {chunk.identifier}


def test_a_chunk_is_named_after_its_segment_its_table_and_the_rows_it_spans() -> None:
    first, second = cut(SEGMENT, Kind.REJECTS, lines(5), 3 * len(lines(1)))
    assert [first.identifier, second.identifier] == [f"{SEGMENT}.rejects.0-3", f"{SEGMENT}.rejects.3-5"]


@pytest.mark.parametrize("row", [LandedEvent, Reject])
def test_a_row_that_has_every_member_of_its_table_goes_whole(row: type[Struct]) -> None:
    """Whichever member comes last: ClickHouse does not ask for the table's order."""
    line = msgspec.json.encode(filled(row, batch_id=SEGMENT)) + b"\n"
    (chunk,) = cut(SEGMENT, Kind.EVENTS, line, 10_000)
    said, goes = msgspec.json.decode(line), msgspec.json.decode(chunk.lines)
    assert goes == said | {"batch_id": chunk.identifier}
    assert parse(chunk.headers(), chunk.lines) == chunk


@pytest.mark.parametrize("is_last", [True, False])
def test_what_a_client_says_of_a_batch_id_stays_as_it_is(*, is_last: bool) -> None:
    members = [b'"batch_id":"%b"' % SEGMENT.encode(), b'"properties":{"batch_id":"%b"}' % SEGMENT.encode()]
    row = b"{%b}\n" % b",".join(members[::-1] if is_last else members)
    chunks = list(cut(SEGMENT, Kind.EVENTS, row + lines(3), 1000))
    first = msgspec.json.decode(chunks[0].lines.splitlines()[0])
    assert first == {"batch_id": chunks[0].identifier, "properties": {"batch_id": SEGMENT}}
    assert [parse(chunk.headers(), chunk.lines) for chunk in chunks] == chunks


@given(st.integers(2, 40))
def test_halves_are_the_chunk_under_names_of_their_own(count: int) -> None:
    (whole,) = cut(SEGMENT, Kind.EVENTS, lines(count), 10**6)
    halves = list(whole.halves())
    assert ids(halves) == ids([whole])
    assert [half.name for half in halves] == [f"events.0-{count // 2}", f"events.{count // 2}-{count}"]
    assert all(parse(half.headers(), half.lines) == half for half in halves)


def test_a_row_that_cannot_go_is_replaced_by_a_reject_that_names_it() -> None:
    (chunk,) = cut(SEGMENT, Kind.EVENTS, lines(1), 1)
    stand_in = substitute(chunk, "too large")
    reject = msgspec.json.decode(stand_in.lines)
    assert (reject["reason"], reject["detail"], reject["batch_id"]) == (
        "refused_by_brokers",
        "too large",
        stand_in.identifier,
    )
    assert (is_substitute(stand_in), is_substitute(chunk)) == (True, False)
    assert parse(stand_in.headers(), stand_in.lines) == stand_in


@pytest.mark.parametrize(
    "change",
    [
        {"format": b"2"},
        {"table": b"projects"},
        {"table": b"acknowledged"},
        {"batch_id": b"../../etc"},
        {"chunk": b"events.0-3/.."},
        {"chunk": b"events.0-4"},
        {"rows": b"2"},
        {"rows": b"many"},
        {"rows": None},
    ],
)
def test_a_record_whose_headers_do_not_fit_is_unreadable(change: dict[str, bytes | None]) -> None:
    (chunk,) = cut(SEGMENT, Kind.EVENTS, lines(3), 10_000)
    with pytest.raises(UnreadableRecordError):
        parse([*(dict(chunk.headers()) | change).items()], chunk.lines)


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        lines(3),
        lines(2, batch_id=CHUNK) + lines(1, batch_id=CHUNK)[:-1],
        lines(2, batch_id=CHUNK),
        lines(2, batch_id=CHUNK) + lines(1),
        lines(2, batch_id=CHUNK) + b'{"project_id":1}\n',
        lines(2, batch_id=CHUNK) + b"no JSON\n",
    ],
)
def test_a_record_whose_rows_are_not_what_its_headers_say_is_unreadable(value: bytes | None) -> None:
    (chunk,) = cut(SEGMENT, Kind.EVENTS, lines(3), 10_000)
    with pytest.raises(UnreadableRecordError):
        parse(chunk.headers(), value)


def test_a_record_without_headers_is_unreadable() -> None:
    with pytest.raises(UnreadableRecordError):
        parse(None, lines(1))
