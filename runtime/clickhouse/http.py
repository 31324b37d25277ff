"""Reads HTTP/1.x requests from a blocking socket, under limits of size and time."""

import os
import re
import select
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qsl

import httptools

from runtime.clickhouse.errors import ClickHouseError
from runtime.clickhouse.settings import ClickHouseServerSettings

PIECE_BYTES = 256 * 1024
_MAX_CHUNK_LINE = 4096
_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(?:;[^\r\n]*)?\r?\n")
_LENGTH = re.compile(r"\d{1,18}")
_CAN_SPLICE = hasattr(os, "splice")
_DRAIN_BYTES = 1024**2


class BadRequestError(Exception):
    """A request that isn't valid HTTP, or is over a limit; it is answered and the connection closed."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


class ConnectionEndedError(Exception):
    """The client went away, or stayed silent for too long between two requests."""


@dataclass(slots=True)
class Request:
    """One request's head, and its body to be read. Header names are in lower case."""

    method: str
    path: str
    parameters: list[tuple[str, str]]
    headers: Mapping[str, str]
    version: str
    keep_alive: bool
    body: "Body"


class _Head:
    """What httptools calls back with."""

    def __init__(self, max_headers: int) -> None:
        self.url = b""
        self.headers: dict[str, str] = {}
        self.is_complete = False
        self._count = 0
        self._max_headers = max_headers

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count += 1
        if self._count > self._max_headers:
            raise BadRequestError(
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"More than {self._max_headers} headers in one request"
            )
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1").strip()

    def on_headers_complete(self) -> None:
        self.is_complete = True


class Reader:
    """Reads one request after the other from a connection."""

    def __init__(self, sock: socket.socket, settings: ClickHouseServerSettings) -> None:
        self._sock = sock
        self._settings = settings
        self._buffer = bytearray()

    def read_request(self) -> Request:
        """Wait for the next request's head.

        Raises ConnectionEndedError when none comes, BadRequestError when it is broken, too long or too slow.
        """
        head = self._read_head()
        parsed = _Head(self._settings.max_headers)
        parser = httptools.HttpRequestParser(parsed)
        try:
            parser.feed_data(head)
        except httptools.HttpParserUpgrade:
            pass
        except httptools.HttpParserError as error:
            cause = error.__context__
            if isinstance(cause, BadRequestError):
                raise cause from None
            raise BadRequestError(HTTPStatus.BAD_REQUEST, f"Not a valid HTTP request: {error}") from None
        version = parser.get_http_version()
        if not parsed.is_complete or version not in {"1.0", "1.1"}:
            raise BadRequestError(HTTPStatus.BAD_REQUEST, "Not a valid HTTP/1.1 request")
        raw_path, _, raw_query = parsed.url.partition(b"?")
        headers = parsed.headers
        return Request(
            method=parser.get_method().decode("latin-1"),
            path=raw_path.decode("latin-1"),
            parameters=parse_qsl(
                raw_query.partition(b"#")[0].decode("latin-1"),
                keep_blank_values=True,
                errors="surrogateescape",
                max_num_fields=10_000,
            ),
            headers=headers,
            version=version,
            # Not parser.should_keep_alive(): with the message complete, it has forgotten what the head said.
            keep_alive=version == "1.1" and "close" not in headers.get("connection", "").lower(),
            body=Body(self, self._sock, headers, self._settings),
        )

    def _read_head(self) -> bytes:
        buffer = self._buffer
        limit = self._settings.max_header_bytes
        self._wait_for_start()
        deadline = time.monotonic() + self._settings.header_timeout_s
        searched = 0
        while (end := buffer.find(b"\r\n\r\n", max(0, searched - 3))) < 0:
            searched = len(buffer)
            if searched > limit:
                raise _too_long(buffer, limit)
            self._receive_head(deadline - time.monotonic())
        head = bytes(buffer[: end + 4])
        del buffer[: end + 4]
        if len(head) > limit:
            raise _too_long(head, limit)
        return head

    def _wait_for_start(self) -> None:
        """Wait, as long as an idle connection may, for something that isn't an empty line (RFC 9112, 2.2)."""
        buffer = self._buffer
        while True:
            while buffer.startswith(b"\r\n"):
                del buffer[:2]
            if buffer:
                return
            self._sock.settimeout(self._settings.keep_alive_timeout_s)
            try:
                received = self._sock.recv(65536)
            except OSError as error:
                raise ConnectionEndedError(str(error)) from None
            if not received:
                raise ConnectionEndedError("closed")
            buffer += received

    def _receive_head(self, remaining_s: float) -> None:
        if remaining_s <= 0:
            raise BadRequestError(HTTPStatus.REQUEST_TIMEOUT, "The request's head took too long to come")
        self._sock.settimeout(remaining_s)
        try:
            received = self._sock.recv(65536)
        except TimeoutError:
            return  # the next round tells
        except OSError as error:
            raise ConnectionEndedError(str(error)) from None
        if not received:
            raise ConnectionEndedError("closed")
        self._buffer += received

    def receive(self, size: int) -> bytes:
        """Return up to `size` bytes of a body, waiting for the first; empty at the end of the connection."""
        buffer = self._buffer
        if buffer:
            taken = bytes(buffer[:size])
            del buffer[:size]
            return taken
        return self._sock.recv(size)

    def check_first_chunk(self) -> None:
        """Refuse a chunked body whose start has come with the head and is broken."""
        end = self._buffer.find(b"\n")
        if end >= 0 and not _CHUNK_SIZE.fullmatch(self._buffer[: end + 1]):
            raise _bad_chunk_size()

    def take_buffered(self, size: int) -> bytes:
        """Return up to `size` bytes of a body that came with what was read before it."""
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def read_line(self) -> bytes:
        """Return one line of a chunked body's framing, with its line break."""
        buffer = self._buffer
        while (end := buffer.find(b"\n")) < 0:
            if len(buffer) > _MAX_CHUNK_LINE:
                raise ClickHouseError(210, "Broken chunked body: a line is too long", status=400)
            received = self._sock.recv(65536)
            if not received:
                raise ConnectionEndedError("closed within a body")
            buffer += received
        line = bytes(buffer[: end + 1])
        del buffer[: end + 1]
        return line


def _too_long(head: bytes | bytearray, limit: int) -> BadRequestError:
    first_line = head.find(b"\r\n")
    if first_line < 0 or first_line > limit:
        return BadRequestError(HTTPStatus.REQUEST_URI_TOO_LONG, f"The address is longer than {limit} bytes")
    return BadRequestError(
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"The request's head is longer than {limit} bytes"
    )


class Body:
    """A request's body: by its Content-Length, in chunks, or none."""

    def __init__(
        self, reader: Reader, sock: socket.socket, headers: Mapping[str, str], settings: ClickHouseServerSettings
    ) -> None:
        self._reader = reader
        self._sock = sock
        self._settings = settings
        self._expects_continue = headers.get("expect", "").lower() == "100-continue"
        self.is_chunked = "chunked" in headers.get("transfer-encoding", "").lower()
        length = headers.get("content-length")
        self.has_length = length is not None
        if length is not None and not _LENGTH.fullmatch(length):
            raise BadRequestError(HTTPStatus.BAD_REQUEST, "Content-Length is not a number")
        self._remaining = 0 if self.is_chunked else int(length or 0)
        self._taken = 0
        self._pieces: Iterator[bytes] | None = None
        self._is_begun = False
        if self.is_chunked:
            reader.check_first_chunk()
        self.is_done = not self.is_chunked and self._remaining == 0

    @property
    def is_given(self) -> bool:
        """Say whether the head announced a body."""
        return self.is_chunked or self.has_length

    def pieces(self) -> Iterator[bytes]:
        """Yield the body as it arrives; a second call goes on where the first one stopped.

        Raises ClickHouseError when it is over the limit, broken, or stops coming; ConnectionEndedError when the client
        goes away.
        """
        return self

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._pieces is None:
            self._pieces = self._read()
        return next(self._pieces)

    @property
    def spliceable(self) -> int:
        """How many bytes are still to come that may be moved without being looked at; 0 for a body in chunks."""
        return 0 if self.is_chunked or self._pieces is not None or not _CAN_SPLICE else self._remaining

    def splice(self, descriptor: int, size: int) -> int:
        """Move up to `size` bytes to a pipe within the kernel, and return how many; raises what iterating raises.

        BrokenPipeError is the pipe's: nobody reads there any more.
        """
        if not self._is_begun:
            self._begin()
        buffered = self._reader.take_buffered(size)
        moved = len(buffered)
        if buffered:
            rest = memoryview(buffered)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        else:
            moved = self._splice(descriptor, size)
        self._remaining -= moved
        self._taken += moved
        self.is_done = self._remaining == 0
        return moved

    def _splice(self, descriptor: int, size: int) -> int:
        while True:
            try:
                moved = os.splice(self._sock.fileno(), descriptor, size)
            except BlockingIOError:
                poll = select.poll()
                poll.register(self._sock, select.POLLIN)
                if not poll.poll(self._settings.body_timeout_s * 1000):
                    raise self._timed_out() from None
            except BrokenPipeError:
                raise
            except OSError as error:
                raise ConnectionEndedError(str(error)) from None
            else:
                if not moved:
                    raise ConnectionEndedError("closed within a body")
                return moved

    def _begin(self) -> None:
        self._is_begun = True
        limit = self._settings.max_body_bytes
        if self._remaining > limit:
            raise _too_large(limit)
        if self._expects_continue:
            self._expects_continue = False
            self._sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._sock.settimeout(self._settings.body_timeout_s)

    def _timed_out(self) -> ClickHouseError:
        return ClickHouseError(
            209, f"Timeout exceeded while reading the body: nothing came for {self._settings.body_timeout_s:g} s"
        )

    def _read(self) -> Iterator[bytes]:
        if self.is_done:
            return
        limit = self._settings.max_body_bytes
        self._begin()
        try:
            source = self._chunks() if self.is_chunked else self._plain()
            for piece in source:
                self._taken += len(piece)
                if self._taken > limit:
                    raise _too_large(limit)
                yield piece
        except TimeoutError:
            raise self._timed_out() from None
        except OSError as error:
            raise ConnectionEndedError(str(error)) from None
        self.is_done = True

    def _plain(self) -> Iterator[bytes]:
        while self._remaining:
            piece = self._reader.receive(min(self._remaining, PIECE_BYTES))
            if not piece:
                raise ConnectionEndedError("closed within a body")
            self._remaining -= len(piece)
            yield piece

    def _chunks(self) -> Iterator[bytes]:
        while True:
            match = _CHUNK_SIZE.fullmatch(self._reader.read_line())
            if match is None:
                raise _bad_chunk_size()
            remaining = int(match[1], 16)
            if remaining == 0:
                while self._reader.read_line().strip():
                    pass  # trailers
                return
            while remaining:
                piece = self._reader.receive(min(remaining, PIECE_BYTES))
                if not piece:
                    raise ConnectionEndedError("closed within a body")
                remaining -= len(piece)
                yield piece
            if self._reader.read_line().strip():
                raise BadRequestError(HTTPStatus.BAD_REQUEST, "Broken chunked body: a chunk is longer than its size")

    def drain(self) -> bool:
        """Read the rest of a body that nobody wanted; returns whether it was short, so that the connection goes on."""
        if self._expects_continue:
            return self.is_done
        try:
            for _ in self.pieces():
                if self._taken > _DRAIN_BYTES:
                    return False
        except (ConnectionEndedError, ClickHouseError, BadRequestError):
            return False
        return self.is_done


def _bad_chunk_size() -> BadRequestError:
    return BadRequestError(HTTPStatus.BAD_REQUEST, "Broken chunked body: a chunk's size is not a number")


def _too_large(limit: int) -> ClickHouseError:
    return ClickHouseError(
        307, f"The request's body is larger than {limit} bytes (RADIXINSIGHT_CLICKHOUSE_MAX_BODY_BYTES)", status=413
    )
