import random
from collections.abc import Iterator

import pytest

from runtime.clickhouse import compression
from runtime.clickhouse.errors import ClickHouseError
from runtime.clickhouse.framing import FrameEncoder, unpack

NAMES = ["gzip", "deflate", "br", "zstd", "lz4", "xz", "bz2"]
DATA = b"".join(b"%d\tsome text\n" % number for number in range(20_000)) + random.Random(1).randbytes(100_000)  # noqa: S311 - data


def cut(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def encoded(encoder: compression.Encoder, data: bytes = DATA) -> bytes:
    return b"".join([*(encoder.encode(piece) for piece in cut(data, 50_000)), encoder.finish()])


@pytest.mark.parametrize("size", [1_000, 10_000_000])
@pytest.mark.parametrize("name", NAMES)
def test_what_is_encoded_is_decoded_whatever_the_pieces(name: str, size: int) -> None:
    packed = encoded(compression.encoder(name, 3))
    assert b"".join(compression.decode(cut(packed, size), name)) == DATA


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd", "lz4"])
def test_after_a_flush_everything_so_far_can_be_decoded(name: str) -> None:
    encoder = compression.encoder(name, 3)
    packed = encoder.encode(b"first") + encoder.flush()
    pieces = compression.decode(iter([packed]), name)
    assert next(pieces) == b"first"


@pytest.mark.parametrize("name", NAMES)
def test_a_body_that_is_cut_off_is_an_error(name: str) -> None:
    packed = encoded(compression.encoder(name, 3))
    with pytest.raises(ClickHouseError, match="cut off"):
        list(compression.decode(iter([packed[:-10]]), name))


@pytest.mark.parametrize("name", NAMES)
def test_what_is_not_compressed_is_an_error(name: str) -> None:
    with pytest.raises(ClickHouseError):
        list(compression.decode(iter([b"this is plain text, and nothing else"]), name))


@pytest.mark.parametrize("name", ["gzip", "zstd", "lz4", "xz", "bz2"])
def test_members_one_after_the_other_are_one_body(name: str) -> None:
    packed = encoded(compression.encoder(name, 3), b"one ") + encoded(compression.encoder(name, 3), b"two")
    assert b"".join(compression.decode(iter([packed]), name)) == b"one two"


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        ("gzip", "gzip"),
        ("gzip, deflate, br;q=0.9, zstd", "zstd"),
        ("deflate, gzip", "gzip"),
        ("identity, x-none", None),
        ("", None),
    ],
)
def test_the_servers_preference_decides(accepted: str, chosen: str | None) -> None:
    assert compression.choose(accepted) == chosen


@pytest.mark.parametrize("method", ["LZ4", "ZSTD", "NONE"])
def test_native_frames_survive_any_cut(method: str) -> None:
    packed = encoded(FrameEncoder(method), DATA * 5)
    assert b"".join(unpack(cut(packed, 9_999))) == DATA * 5


def test_a_frame_with_a_wrong_checksum_is_refused_unless_nobody_looks() -> None:
    packed = bytearray(encoded(FrameEncoder("NONE"), b"abc"))
    packed[0] ^= 1
    with pytest.raises(ClickHouseError) as caught:
        list(unpack(iter([bytes(packed)])))
    assert caught.value.code == 40
    assert list(unpack(iter([bytes(packed)]), verify=False)) == [b"abc"]


def test_a_frame_is_not_believed_about_its_size() -> None:
    packed = bytearray(encoded(FrameEncoder("LZ4"), b"abc"))
    packed[21:25] = (2**31 - 1).to_bytes(4, "little")
    with pytest.raises(ClickHouseError) as caught:
        list(unpack(iter([bytes(packed)])))
    assert caught.value.code == 39


def test_a_frame_that_is_cut_off_is_an_error() -> None:
    with pytest.raises(ClickHouseError, match="cut off"):
        list(unpack(iter([encoded(FrameEncoder("LZ4"), b"abc")[:-1]])))
