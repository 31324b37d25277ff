import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.kafka.chunks import Chunk, UnreadableRecordError, cut, is_substitute, parse, substitute
from ingestion.spool.records import Kind

SEGMENT = "1700000000000-0123456789abcdef"


def lines(count: int, *, text: str = "x", batch_id: str = SEGMENT) -> bytes:
    """Return rows as the collector writes them: the batch id comes last."""
    rows = [{"project_id": 1, "message_id": f"m{index}", "text": text, "batch_id": batch_id} for index in range(count)]
    return b"".join(msgspec.json.encode(row) + b"\n" for row in rows)


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


def test_what_a_client_says_of_a_batch_id_stays_as_it_is() -> None:
    said = f'{{"batch_id":"{SEGMENT}"}}'
    row = b'{"properties":%b,"batch_id":"%b"}\n' % (said.encode(), SEGMENT.encode())
    (chunk,) = cut(SEGMENT, Kind.EVENTS, row, 1000)
    assert msgspec.json.decode(chunk.lines)["properties"] == {"batch_id": SEGMENT}


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


@pytest.mark.parametrize("value", [None, b"", lines(3), lines(2) + lines(1)[:-1]])
def test_a_record_whose_rows_are_not_what_its_headers_say_is_unreadable(value: bytes | None) -> None:
    (chunk,) = cut(SEGMENT, Kind.EVENTS, lines(3), 10_000)
    with pytest.raises(UnreadableRecordError):
        parse(chunk.headers(), value)


def test_a_record_without_headers_is_unreadable() -> None:
    with pytest.raises(UnreadableRecordError):
        parse(None, lines(1))
