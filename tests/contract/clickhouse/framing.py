"""ClickHouse's own block framing (`compress=1`, `decompress=1`), written apart from the server's code."""

import struct
from collections.abc import Iterator

import lz4.block
import zstandard
from clickhouse_cityhash.cityhash import CityHash128

LZ4, ZSTD, NONE = 0x82, 0x90, 0x02
_HEADER = struct.Struct("<BII")


def pack(data: bytes, method: int = LZ4) -> bytes:
    """Return one frame: a CityHash128 of what follows, then method, both sizes and the compressed bytes."""
    packed = {
        LZ4: lambda: bytes(lz4.block.compress(data, store_size=False)),
        ZSTD: lambda: zstandard.compress(data),
        NONE: lambda: data,
    }[method]()
    framed = _HEADER.pack(method, len(packed) + _HEADER.size, len(data)) + packed
    return _checksum(framed) + framed


def unpack(stream: bytes) -> Iterator[bytes]:
    """Yield the content of each frame; a wrong checksum or size is an error."""
    position = 0
    while position < len(stream):
        checksum, start = stream[position : position + 16], position + 16
        method, size, length = _HEADER.unpack_from(stream, start)
        framed = stream[start : start + size]
        if checksum != _checksum(framed):
            raise ValueError(f"wrong checksum of the frame at byte {position}")
        body = framed[_HEADER.size :]
        if method == LZ4:
            yield lz4.block.decompress(body, uncompressed_size=length)
        elif method == ZSTD:
            yield zstandard.decompress(body, max_output_size=length)
        else:
            yield body
        position = start + size


def _checksum(framed: bytes) -> bytes:
    value = CityHash128(framed)
    return struct.pack("<QQ", value >> 64, value & 0xFFFFFFFFFFFFFFFF)
