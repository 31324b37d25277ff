import gzip
import zlib
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from ingestion.body import unpack
from ingestion.errors import RequestTooLargeError, UnsupportedEncodingError

LIMIT = 10_000
BODY = b'{"event":"buy"}'


def _bare_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


PACKED = {
    "gzip": gzip.compress(BODY),
    "zstd": zstandard.compress(BODY),
    "deflate": zlib.compress(BODY),
    "deflate, bare": _bare_deflate(BODY),
}


@pytest.mark.parametrize("name", PACKED)
def test_each_packing_is_unpacked(name: str) -> None:
    assert unpack(PACKED[name], name.split(",", maxsplit=1)[0], LIMIT) == BODY


@pytest.mark.parametrize("encoding", [None, "identity", "zstd", "deflate"])
def test_gzip_is_known_by_its_bytes_whatever_the_header_says(encoding: str | None) -> None:
    assert unpack(PACKED["gzip"], encoding, LIMIT) == BODY


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
def test_json_that_only_claims_to_be_packed_is_taken_as_it_is(encoding: str) -> None:
    assert unpack(BODY, encoding, LIMIT) == BODY


def test_gzip_in_several_members_is_joined() -> None:
    assert unpack(gzip.compress(BODY[:5]) + gzip.compress(BODY[5:]), "gzip", LIMIT) == BODY


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress, _bare_deflate, zstandard.compress])
def test_a_bomb_is_refused_and_not_unpacked(pack: Callable[[bytes], bytes]) -> None:
    bomb = pack(bytes(50_000_000))
    with pytest.raises(RequestTooLargeError):
        unpack(bomb, "deflate", LIMIT)


def test_a_body_of_just_the_limit_is_taken() -> None:
    for pack in (gzip.compress, zlib.compress, zstandard.compress):
        assert unpack(pack(b"x" * LIMIT), "deflate", LIMIT) == b"x" * LIMIT


@pytest.mark.parametrize("name", ["gzip", "deflate"])
def test_a_packing_that_is_cut_off_is_refused(name: str) -> None:
    with pytest.raises(UnsupportedEncodingError):
        unpack(PACKED[name][:-6], name, LIMIT)


def test_an_unknown_packing_is_refused_by_its_name() -> None:
    with pytest.raises(UnsupportedEncodingError, match="br"):
        unpack(b"\x0b\x02", "br", LIMIT)


@given(st.binary(max_size=300), st.sampled_from([None, "gzip", "deflate", "zstd"]))
def test_any_bytes_are_unpacked_or_refused_cleanly(body: bytes, encoding: str | None) -> None:
    try:
        assert len(unpack(body, encoding, LIMIT)) <= LIMIT
    except (RequestTooLargeError, UnsupportedEncodingError):
        return
