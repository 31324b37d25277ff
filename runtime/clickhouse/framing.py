"""ClickHouse's own compressed frames (`compress=1`, `decompress=1`): checksum, method, two sizes, data."""

import struct
from collections.abc import Iterator
from typing import Any

import lz4.block
import zstandard
from clickhouse_cityhash.cityhash import CityHash128  # pyright: ignore[reportMissingImports, reportUnknownVariableType] - compiled, without a stub

from runtime.clickhouse.errors import ClickHouseError

_NONE, _LZ4, _ZSTD = 0x02, 0x82, 0x90
_METHODS = {"NONE": _NONE, "LZ4": _LZ4, "LZ4HC": _LZ4, "ZSTD": _ZSTD}
_CHECKSUM = struct.Struct("<QQ")
_HEADER = struct.Struct("<BII")
_BLOCK_BYTES = 1024**2
# The engine writes frames of about 1 MiB; 128 MiB leave room for single huge values.
_MAX_BYTES = 128 * 1024**2


def _checksum(data: bytes) -> bytes:
    """CityHash128 as of version 1.0.2, high half first: what ClickHouse computes over header and data."""
    value: int = CityHash128(data)
    return _CHECKSUM.pack(value >> 64, value & 0xFFFFFFFFFFFFFFFF)


class FrameEncoder:
    """Packs a result into frames; an Encoder."""

    def __init__(self, method: str, level: int = 1) -> None:
        self._method = _METHODS.get(method.upper(), _LZ4)
        self._level = level
        self._pending = bytearray()

    def encode(self, data: bytes | memoryview) -> bytes:
        """Take data in; return the frames that are full."""
        self._pending += data
        frames: list[bytes] = []
        while len(self._pending) >= _BLOCK_BYTES:
            frames.append(self._pack(bytes(self._pending[:_BLOCK_BYTES])))
            del self._pending[:_BLOCK_BYTES]
        return b"".join(frames)

    def flush(self) -> bytes:
        """Return a frame of what is pending."""
        if not self._pending:
            return b""
        frame = self._pack(bytes(self._pending))
        self._pending.clear()
        return frame

    def finish(self) -> bytes:
        """Return the last frame."""
        return self.flush()

    def _pack(self, data: bytes) -> bytes:
        packed = data
        if self._method == _LZ4:
            packed = lz4.block.compress(data, store_size=False)
        elif self._method == _ZSTD:
            packed = zstandard.ZstdCompressor(level=self._level).compress(data)
        framed = _HEADER.pack(self._method, len(packed) + _HEADER.size, len(data)) + packed
        return _checksum(framed) + framed


def unpack(pieces: Iterator[bytes], *, verify: bool = True) -> Iterator[bytes]:
    """Yield the data of each frame.

    Raises ClickHouseError for a wrong checksum, a size that is too large, an unknown method or a frame cut off.
    """
    buffer = bytearray()
    head = _CHECKSUM.size + _HEADER.size
    for piece in pieces:
        buffer += piece
        while len(buffer) >= head:
            method, packed_size, size = _HEADER.unpack_from(buffer, _CHECKSUM.size)
            if not _HEADER.size <= packed_size <= _MAX_BYTES or size > _MAX_BYTES:
                raise ClickHouseError(39, f"Too large size of a compressed block: {packed_size}, {size}", status=400)
            end = _CHECKSUM.size + packed_size
            if len(buffer) < end:
                break
            frame = bytes(buffer[_CHECKSUM.size : end])
            if verify and not buffer.startswith(_checksum(frame)):
                raise ClickHouseError(40, "Checksum doesn't match: corrupted data in a compressed block", status=400)
            del buffer[:end]
            yield _decompress(method, frame[_HEADER.size :], size)
    if buffer:
        raise ClickHouseError(33, "Cannot read all data: a compressed block is cut off", name="CANNOT_READ_ALL_DATA")


def _decompress(method: int, packed: bytes, size: int) -> bytes:
    try:
        if method == _LZ4:
            data: Any = lz4.block.decompress(packed, uncompressed_size=size)
        elif method == _ZSTD:
            data = zstandard.ZstdDecompressor().decompress(packed, max_output_size=size)
        elif method == _NONE:
            data = packed
        else:
            raise ClickHouseError(89, f"Unknown compression method {method:#x} in a compressed block", status=400)
    except (lz4.block.LZ4BlockError, zstandard.ZstdError) as error:
        raise ClickHouseError(271, f"Cannot decompress a block: {error}", status=400) from None
    if len(data) != size:
        raise ClickHouseError(271, f"Cannot decompress a block: {len(data)} bytes instead of {size}", status=400)
    return data
