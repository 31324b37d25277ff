import gzip
import lzma
import zlib
from collections.abc import Callable

import brotli
import lz4.frame
import pytest
import zstandard

from tests.contract.clickhouse import framing
from tests.contract.clickhouse.harness import Server

SQL = "select number, repeat('abc', 20) from numbers(20000) format TSV"


def unpack_zstd(data: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompressobj().decompress(data)


DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
    "br": brotli.decompress,
    "zstd": unpack_zstd,
    "lz4": lz4.frame.decompress,
    "xz": lzma.decompress,
}
ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": lambda data: bytes(brotli.compress(data, quality=4)),
    "zstd": zstandard.compress,
    "lz4": lz4.frame.compress,
    "xz": lzma.compress,
}
REQUIRED = ["gzip", "deflate", "br", "zstd", "lz4"]


@pytest.mark.parametrize("encoding", REQUIRED)
def test_a_result_is_compressed_when_asked_and_accepted(server: Server, encoding: str) -> None:
    plain = server.query(SQL).body
    answer = server.query(SQL, headers={"Accept-Encoding": encoding}, enable_http_compression=1)
    assert answer.headers["content-encoding"] == encoding
    assert len(answer.body) < len(plain) / 5
    assert DECODERS[encoding](answer.body) == plain


def test_a_result_stays_plain_when_the_setting_says_so(server: Server) -> None:
    answer = server.query("select 1", headers={"Accept-Encoding": "gzip"}, enable_http_compression=0)
    assert "content-encoding" not in answer.headers
    assert answer.body == b"1\n"


def test_an_encoding_that_nobody_knows_leaves_the_result_plain(server: Server) -> None:
    answer = server.query("select 1", headers={"Accept-Encoding": "identity, x-none"}, enable_http_compression=1)
    assert "content-encoding" not in answer.headers
    assert answer.body == b"1\n"


def test_an_encoding_is_chosen_from_a_browsers_list(server: Server) -> None:
    accepted = {"Accept-Encoding": "gzip, deflate, br;q=0.9, zstd"}
    answer = server.query(SQL, headers=accepted, enable_http_compression=1)
    assert DECODERS[answer.headers["content-encoding"]](answer.body) == server.query(SQL).body


def test_an_empty_result_is_a_valid_compressed_stream(server: Server) -> None:
    answer = server.query("select 1 where 0", headers={"Accept-Encoding": "gzip"}, enable_http_compression=1)
    assert answer.status == 200
    assert answer.body == b"" or gzip.decompress(answer.body) == b""


def test_an_error_can_be_read_by_a_client_that_accepts_compression(server: Server) -> None:
    answer = server.query("selec", headers={"Accept-Encoding": "gzip"}, enable_http_compression=1)
    compressed = answer.headers.get("content-encoding") == "gzip"
    assert b"SYNTAX_ERROR" in (gzip.decompress(answer.body) if compressed else answer.body)


@pytest.mark.parametrize("encoding", REQUIRED)
def test_rows_may_come_compressed(server: Server, database: str, encoding: str) -> None:
    server.query("create table t (x UInt64, s String) engine MergeTree order by x", database=database)
    rows = b"".join(b"%d\tvalue %d\n" % (n, n) for n in range(50000))
    packed = ENCODERS[encoding](rows)
    answer = server.insert(
        "insert into t format TSV", packed, headers={"Content-Encoding": encoding}, database=database
    )
    assert answer.status == 200, answer.text
    assert server.value("select count(), uniqExact(s), max(x) from t", database=database) == "50000\t50000\t49999"


@pytest.mark.parametrize("encoding", REQUIRED)
def test_a_query_may_come_compressed(server: Server, encoding: str) -> None:
    packed = ENCODERS[encoding](b"select 'packed'")
    assert server.query(packed, headers={"Content-Encoding": encoding}).text == "packed\n"


@pytest.mark.parametrize("encoding", REQUIRED)
def test_broken_compression_is_an_error_and_stores_nothing(server: Server, database: str, encoding: str) -> None:
    server.query("create table t (x UInt64) engine MergeTree order by x", database=database)
    packed = ENCODERS[encoding](b"".join(b"%d\n" % n for n in range(100000)))
    for body in (packed[: len(packed) // 2], b"this is not compressed at all"):
        answer = server.insert(
            "insert into t format TSV", body, headers={"Content-Encoding": encoding}, database=database
        )
        assert answer.status >= 400, body[:20]
        assert answer.code != 0
    assert server.value("select count() from t", database=database) == "0"


def test_an_unknown_content_encoding_is_refused(server: Server) -> None:
    answer = server.query("select 1", headers={"Content-Encoding": "rot13"})
    assert answer.status >= 400
    assert "rot13" in answer.text


def test_compressed_chunks_of_any_size_are_put_together(server: Server, database: str) -> None:
    server.query("create table t (x UInt64) engine MergeTree order by x", database=database)
    packed = gzip.compress(b"".join(b"%d\n" % n for n in range(20000)))
    pieces = (packed[start : start + 37] for start in range(0, len(packed), 37))
    answer = server.insert("insert into t format TSV", pieces, headers={"Content-Encoding": "gzip"}, database=database)
    assert answer.status == 200, answer.text
    assert server.value("select count() from t", database=database) == "20000"


def test_a_result_can_be_framed_the_native_way(server: Server) -> None:
    answer = server.query(SQL, compress=1)
    assert b"".join(framing.unpack(answer.body)) == server.query(SQL).body


def test_native_framing_uses_the_compression_that_was_asked_for(server: Server) -> None:
    answer = server.query("select number from numbers(1000)", compress=1, network_compression_method="ZSTD")
    assert answer.body[16] == framing.ZSTD
    assert next(framing.unpack(answer.body)).startswith(b"0\n1\n")


@pytest.mark.parametrize("method", [framing.LZ4, framing.ZSTD, framing.NONE])
def test_rows_may_come_framed_the_native_way(server: Server, database: str, method: int) -> None:
    server.query("create table t (x UInt64) engine MergeTree order by x", database=database)
    rows = b"".join(b"%d\n" % n for n in range(30000))
    frames = b"".join(framing.pack(rows[start : start + 40000], method) for start in range(0, len(rows), 40000))
    answer = server.insert("insert into t format TSV", frames, database=database, decompress=1)
    assert answer.status == 200, answer.text
    assert server.value("select count(), max(x) from t", database=database) == "30000\t29999"


def test_a_frame_with_a_wrong_checksum_is_refused(server: Server, database: str) -> None:
    server.query("create table t (x UInt64) engine MergeTree order by x", database=database)
    frame = bytearray(framing.pack(b"1\n2\n3\n"))
    frame[0] ^= 1
    answer = server.insert("insert into t format TSV", bytes(frame), database=database, decompress=1)
    assert answer.code == 40, answer.text
    assert "checksum" in answer.text.lower()
    assert server.value("select count() from t", database=database) == "0"


def test_a_frame_that_claims_a_huge_size_is_refused(server: Server, database: str) -> None:
    server.query("create table t (x UInt64) engine MergeTree order by x", database=database)
    frame = bytearray(framing.pack(b"1\n2\n3\n"))
    frame[21:25] = b"\xff\xff\xff\x7f"
    answer = server.insert("insert into t format TSV", bytes(frame), database=database, decompress=1)
    assert answer.status >= 400
    assert server.value("select count() from t", database=database) == "0"
