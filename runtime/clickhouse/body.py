"""The body of a request: read piece by piece, or moved to a pipe unread."""

import os
import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus

from runtime.clickhouse.errors import ClickHouseError
from runtime.clickhouse.incoming import BadRequestError, ConnectionEndedError, Incoming
from runtime.clickhouse.settings import ClickHouseServerSettings

_PIECE_BYTES = 256 * 1024
_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(?:;[^\r\n]*)?\r?\n")
_LENGTH = re.compile(r"\d{1,18}")
_CAN_SPLICE = hasattr(os, "splice")
_DRAIN_BYTES = 1024**2


class Body:
    """A request's body: by its Content-Length, in chunks, or none.

    Iterating yields it as it arrives, and goes on where an earlier loop stopped. That raises ClickHouseError when the
    body is over the limit or stops coming, BadRequestError when it is broken, and ConnectionEndedError when the client
    goes away.
    """

    def __init__(self, incoming: Incoming, headers: Mapping[str, str], settings: ClickHouseServerSettings) -> None:
        self._incoming = incoming
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
        self.is_done = not self.is_chunked and self._remaining == 0
        if self.is_chunked:
            self._check_first_chunk()

    @property
    def is_given(self) -> bool:
        """Say whether the head announced a body."""
        return self.is_chunked or self.has_length

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

    def wait_for_bytes(self) -> int:
        """Return how many bytes of a spliceable body have come, waiting for the first; 0 when it is complete.

        Raises what iterating raises.
        """
        self._begin()
        if not self._remaining:
            return 0
        try:
            come = self._incoming.come(self._settings.body_timeout_s)
        except TimeoutError:
            raise self._timed_out() from None
        return min(come, self._remaining)

    def splice(self, descriptor: int, size: int) -> int:
        """Move up to `size` bytes, which have come, to a pipe within the kernel, and return how many.

        Raises what iterating raises. BrokenPipeError is the pipe's: nobody reads there any more.
        """
        moved = self._splice(descriptor, size)
        self._remaining -= moved
        self._taken += moved
        self.is_done = self._remaining == 0
        return moved

    def _splice(self, descriptor: int, size: int) -> int:
        buffered = self._incoming.take(size)
        if buffered:
            rest = memoryview(buffered)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            return len(buffered)
        try:
            moved = os.splice(self._incoming.sock.fileno(), descriptor, size)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise ConnectionEndedError(str(error)) from None
        if not moved:
            raise ConnectionEndedError("closed within a body")
        return moved

    def _begin(self) -> None:
        if self._is_begun:
            return
        self._is_begun = True
        if self._remaining > self._settings.max_body_bytes:
            raise self._too_large()
        sock = self._incoming.sock
        if self._expects_continue:
            self._expects_continue = False
            sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        sock.settimeout(self._settings.body_timeout_s)

    def _read(self) -> Iterator[bytes]:
        if self.is_done:
            return
        self._begin()
        try:
            for piece in self._chunks() if self.is_chunked else self._plain():
                self._taken += len(piece)
                if self._taken > self._settings.max_body_bytes:
                    raise self._too_large()
                yield piece
        except TimeoutError:
            raise self._timed_out() from None
        except OSError as error:
            raise ConnectionEndedError(str(error)) from None
        self.is_done = True

    def _plain(self) -> Iterator[bytes]:
        while self._remaining:
            piece = self._incoming.receive(min(self._remaining, _PIECE_BYTES))
            self._remaining -= len(piece)
            yield piece

    def _chunks(self) -> Iterator[bytes]:
        incoming = self._incoming
        while True:
            match = _CHUNK_SIZE.fullmatch(incoming.read_line())
            if match is None:
                raise _bad_chunk_size()
            remaining = int(match[1], 16)
            if remaining == 0:
                while incoming.read_line().strip():
                    pass  # trailers
                return
            while remaining:
                piece = incoming.receive(min(remaining, _PIECE_BYTES))
                remaining -= len(piece)
                yield piece
            if incoming.read_line().strip():
                raise BadRequestError(HTTPStatus.BAD_REQUEST, "Broken chunked body: a chunk is longer than its size")

    def _check_first_chunk(self) -> None:
        """Refuse a chunked body whose start has come with the head and is broken."""
        buffer = self._incoming.buffer
        end = buffer.find(b"\n")
        if end >= 0 and not _CHUNK_SIZE.fullmatch(buffer[: end + 1]):
            raise _bad_chunk_size()

    def drain(self) -> bool:
        """Read the rest of a body that nobody wanted; returns whether it was short, so that the connection goes on."""
        if self._expects_continue:
            return self.is_done
        try:
            for _ in self:
                if self._taken > _DRAIN_BYTES:
                    return False
        except (ConnectionEndedError, ClickHouseError, BadRequestError):
            return False
        return self.is_done

    def _timed_out(self) -> ClickHouseError:
        pause_s = self._settings.body_timeout_s
        return ClickHouseError(209, f"Timeout exceeded while reading the body: nothing came for {pause_s:g} s")

    def _too_large(self) -> ClickHouseError:
        limit = self._settings.max_body_bytes
        return ClickHouseError(
            307, f"The request's body is larger than {limit} bytes (RADIXINSIGHT_CLICKHOUSE_MAX_BODY_BYTES)", status=413
        )


def _bad_chunk_size() -> BadRequestError:
    return BadRequestError(HTTPStatus.BAD_REQUEST, "Broken chunked body: a chunk's size is not a number")
