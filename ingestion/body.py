"""Reads and unpacks request bodies within bounds."""

import asyncio
import zlib
from collections.abc import Callable, Mapping

import zstandard
from starlette.types import Receive

from ingestion.errors import MalformedRequestError, RequestTooLargeError, SlowRequestError, UnsupportedEncodingError
from ingestion.reading import Share

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_ZLIB_OR_GZIP, _BARE_DEFLATE = zlib.MAX_WBITS | 32, -zlib.MAX_WBITS
_MAX_MEMBERS, _PIECE_BYTES = 1000, 64 * 1024
_ZLIB_METHOD_MASK, _ZLIB_METHOD = 0x0F, 8


async def read(receive: Receive, headers: Mapping[str, str], limit: int, share: Share, timeout_s: float) -> bytes:
    """Return the unpacked body, counted on `share` from its first byte on.

    Raises `RequestTooLargeError` when it has more than `limit` bytes, packed or unpacked, without unpacking more than
    that; `UnsupportedEncodingError` when it cannot be unpacked; `MalformedRequestError` when the client went away;
    `SlowRequestError` when it did not send all of it in time; `CollectorBusyError` when too much is being read.
    """
    announced = headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise _too_large(limit)
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(timeout_s):
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise MalformedRequestError("The client went away before the body was complete.")
                chunk: bytes = message.get("body", b"")
                more = message.get("more_body", False)
                size += len(chunk)
                if size > limit:
                    raise _too_large(limit)
                share.take(len(chunk))
                chunks.append(chunk)
    except TimeoutError as error:
        raise SlowRequestError(f"The body was not complete within {timeout_s:g} s.") from error
    packed = chunks[0] if len(chunks) == 1 else b"".join(chunks)
    body = unpack(packed, headers.get("content-encoding"), limit)
    share.take(max(0, len(body) - size))
    return body


def unpack(body: bytes, encoding: str | None, limit: int) -> bytes:
    """Return `body` unpacked.

    The bytes decide before `Content-Encoding` does: some clients send gzip without saying so, and proxies unpack
    without removing the header. JSON starts with none of the packings' first bytes.
    """
    if body.startswith(_GZIP):
        return _bounded(_inflate, body, limit)
    if body.startswith(_ZSTD):
        return _bounded(_unpack_zstd, body, limit)
    match (encoding or "identity").strip().lower():
        case "identity" | "gzip" | "x-gzip" | "zstd":
            return body
        case "deflate":
            return body if body[:1].strip() in {b"", b"{", b"["} else _bounded(_inflate, body, limit)
        case other:
            raise UnsupportedEncodingError(f"Content-Encoding {other!r} is not one of gzip, deflate and zstd.")


def _bounded(unpacker: Callable[[bytes, int], bytes], body: bytes, limit: int) -> bytes:
    try:
        unpacked = unpacker(body, limit + 1)
    except (zlib.error, zstandard.ZstdError) as error:
        raise UnsupportedEncodingError(f"The packed body is damaged: {error}.") from error
    if len(unpacked) > limit:
        raise _too_large(limit)
    return unpacked


def _inflate(body: bytes, most: int) -> bytes:
    # "deflate" means zlib's format (RFC 9110), but some clients send bare deflate. gzip may have several members.
    is_framed = body.startswith(_GZIP) or body[0] & _ZLIB_METHOD_MASK == _ZLIB_METHOD
    parts: list[bytes] = []
    at = 0
    for _ in range(_MAX_MEMBERS):
        inflater = zlib.decompressobj(_ZLIB_OR_GZIP if is_framed else _BARE_DEFLATE)
        while not inflater.eof:
            if most <= 0:
                return b"".join(parts)
            # By the piece: what is left after a member is copied each time.
            piece = body[at : at + _PIECE_BYTES]
            if not piece:
                raise zlib.error("it ends too early")
            part = inflater.decompress(piece, most)
            parts.append(part)
            most -= len(part)
            at += len(piece) - len(inflater.unused_data) - len(inflater.unconsumed_tail)
        if not body.startswith(_GZIP, at):
            return b"".join(parts)
    raise zlib.error(f"it has more than {_MAX_MEMBERS} members")


def _unpack_zstd(body: bytes, most: int) -> bytes:
    with zstandard.ZstdDecompressor(max_window_size=8 * 1024 * 1024).stream_reader(body) as reader:
        return reader.read(most)


def _too_large(limit: int) -> RequestTooLargeError:
    return RequestTooLargeError(f"A request may have {limit} bytes, unpacked. Send fewer events at once.")
