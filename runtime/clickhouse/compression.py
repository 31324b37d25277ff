"""The encodings of HTTP bodies (gzip, deflate, br, zstd, lz4, xz, bz2), both ways and piece by piece."""

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import brotli
import lz4.frame
import zstandard

from runtime.clickhouse.errors import ClickHouseError

# ClickHouse's order of preference; what the client prefers is not looked at.
_PREFERRED = ("zstd", "br", "lz4", "gzip", "deflate", "xz", "bz2")
# Pieces of input small enough that what comes out of one stays small as well.
_INPUT_PIECE = 16 * 1024


class Encoder(Protocol):
    """Compresses a body piece by piece."""

    def encode(self, data: bytes | memoryview) -> bytes:
        """Take data in; return what is ready."""
        ...

    def flush(self) -> bytes:
        """Return all that was taken in so far, so that the other side can decode it."""
        ...

    def finish(self) -> bytes:
        """Return the rest."""
        ...


def choose(accepted: str) -> str | None:
    """Return the encoding for an Accept-Encoding header, or None."""
    offered = {part.partition(";")[0].strip().lower() for part in accepted.split(",")}
    return next((name for name in _PREFERRED if name in offered), None)


def encoder(name: str, level: int) -> Encoder:
    """Make an encoder; `level` is the setting http_zlib_compression_level, which ClickHouse uses for every encoding."""
    return _ENCODERS[name](level)


class _Zlib:
    def __init__(self, level: int, window_bits: int) -> None:
        self._object = zlib.compressobj(max(-1, min(level, 9)), zlib.DEFLATED, window_bits)

    def encode(self, data: bytes | memoryview) -> bytes:
        return self._object.compress(data)

    def flush(self) -> bytes:
        return self._object.flush(zlib.Z_SYNC_FLUSH)

    def finish(self) -> bytes:
        return self._object.flush()


class _Brotli:
    def __init__(self, level: int) -> None:
        self._object: Any = brotli.Compressor(quality=max(0, min(level, 11)))

    def encode(self, data: bytes | memoryview) -> bytes:
        return self._object.process(bytes(data))

    def flush(self) -> bytes:
        return self._object.flush()

    def finish(self) -> bytes:
        return self._object.finish()


class _Zstd:
    def __init__(self, level: int) -> None:
        self._object = zstandard.ZstdCompressor(level=max(1, min(level, 19))).compressobj()

    def encode(self, data: bytes | memoryview) -> bytes:
        return self._object.compress(data)

    def flush(self) -> bytes:
        return self._object.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)

    def finish(self) -> bytes:
        return self._object.flush(zstandard.COMPRESSOBJ_FLUSH_FINISH)


class _Lz4:
    def __init__(self) -> None:
        self._object: Any = lz4.frame.LZ4FrameCompressor(auto_flush=True)
        self._start: bytes = self._object.begin()

    def encode(self, data: bytes | memoryview) -> bytes:
        start, self._start = self._start, b""
        return start + self._object.compress(bytes(data))

    def flush(self) -> bytes:
        start, self._start = self._start, b""
        return start

    def finish(self) -> bytes:
        start, self._start = self._start, b""
        return start + self._object.flush()


class _Whole:
    """An encoding that cannot be flushed in between."""

    def __init__(self, compressor: lzma.LZMACompressor | bz2.BZ2Compressor) -> None:
        self._object = compressor

    def encode(self, data: bytes | memoryview) -> bytes:
        return self._object.compress(data)

    def flush(self) -> bytes:
        return b""

    def finish(self) -> bytes:
        return self._object.flush()


_ENCODERS: dict[str, Callable[[int], Encoder]] = {
    "gzip": lambda level: _Zlib(level, 31),
    "deflate": lambda level: _Zlib(level, 15),
    "br": _Brotli,
    "zstd": _Zstd,
    "lz4": lambda _: _Lz4(),
    "xz": lambda level: _Whole(lzma.LZMACompressor(preset=max(0, min(level, 9)))),
    "bz2": lambda level: _Whole(bz2.BZ2Compressor(max(1, min(level, 9)))),
}

# By encoding: what makes a decoder of one member, and the code and name of ClickHouse's error.
_DECODERS: dict[str, tuple[Callable[[], Any], int, str]] = {
    "gzip": (lambda: zlib.decompressobj(31), 354, "ZLIB_INFLATE_FAILED"),
    "x-gzip": (lambda: zlib.decompressobj(31), 354, "ZLIB_INFLATE_FAILED"),
    "deflate": (zlib.decompressobj, 354, "ZLIB_INFLATE_FAILED"),
    "zstd": (lambda: zstandard.ZstdDecompressor().decompressobj(), 561, "ZSTD_DECODER_FAILED"),
    "lz4": (lz4.frame.LZ4FrameDecompressor, 618, "LZ4_DECODER_FAILED"),
    "xz": (lzma.LZMADecompressor, 544, "LZMA_STREAM_DECODER_FAILED"),
    "bz2": (bz2.BZ2Decompressor, 633, "BZIP2_STREAM_DECODER_FAILED"),
}


def decode(pieces: Iterator[bytes], name: str) -> Iterator[bytes]:
    """Decompress a request body of encoding `name` ("" and identity: as it is).

    Raises ClickHouseError for an encoding that is not known, and while reading for data that is broken or cut off.
    """
    name = name.strip().lower()
    if name in {"", "identity"}:
        return pieces
    if name == "br":
        return _brotli(pieces)
    decoder = _DECODERS.get(name)
    if decoder is None:
        raise ClickHouseError(89, f"Unknown compression method '{name}' in Content-Encoding", status=400)
    return _members(pieces, *decoder, name)


def _members(
    pieces: Iterator[bytes], make: Callable[[], Any], code: int, code_name: str, encoding: str
) -> Iterator[bytes]:
    """Decode one or more compressed members that follow each other."""
    member: Any = None
    try:
        for piece in pieces:
            for start in range(0, len(piece), _INPUT_PIECE):
                rest = piece[start : start + _INPUT_PIECE]
                while rest:
                    if member is None:
                        member = make()
                    decoded: bytes = member.decompress(rest)
                    rest = b""
                    if member.eof:
                        rest = member.unused_data or b""
                        member = None
                    if decoded:
                        yield decoded
    except (zlib.error, zstandard.ZstdError, lzma.LZMAError, RuntimeError, OSError, EOFError) as error:
        raise ClickHouseError(code, f"Cannot decode the {encoding} body: {error}", name=code_name, status=400) from None
    if member is not None:
        raise ClickHouseError(code, f"Cannot decode the {encoding} body: it is cut off", name=code_name, status=400)


def _brotli(pieces: Iterator[bytes]) -> Iterator[bytes]:
    decoder: Any = brotli.Decompressor()
    try:
        for piece in pieces:
            for start in range(0, len(piece), _INPUT_PIECE):
                decoded: bytes = decoder.process(piece[start : start + _INPUT_PIECE])
                if decoded:
                    yield decoded
        whole = decoder.is_finished()
    except brotli.error as error:
        raise ClickHouseError(
            448, f"Cannot decode the br body: {error}", name="BROTLI_READ_FAILED", status=400
        ) from None
    if not whole:
        raise ClickHouseError(448, "Cannot decode the br body: it is cut off", name="BROTLI_READ_FAILED", status=400)
