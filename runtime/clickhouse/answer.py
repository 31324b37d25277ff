"""Writes one answer: status and headers as late as possible, then the body in chunks, through its encoders."""

import secrets
import socket
import string
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

from runtime.clickhouse.compression import Encoder
from runtime.clickhouse.errors import ClickHouseError
from runtime.clickhouse.http import Request
from runtime.clickhouse.spill import Spill, SpillSpace

# As in ClickHouse: what fails within the first MiB fails with a status of its own.
_HOLD_BYTES = 1024**2
_COPY_BYTES = 64 * 1024
_MAX_EXCEPTION_BYTES = 16 * 1024
_TAG_LENGTH = 16
# Every byte becomes a letter: one call for randomness instead of sixteen, 2 % of a SELECT 1.
_TO_LETTERS = bytes(string.ascii_lowercase.encode()[byte % 26] for byte in range(256))
_EXPOSED = (
    "X-ClickHouse-Query-Id,X-ClickHouse-Summary,X-ClickHouse-Server-Display-Name,X-ClickHouse-Format,"
    "X-ClickHouse-Timezone,X-ClickHouse-Exception-Code,X-ClickHouse-Exception-Tag"
)
_MORE: int = getattr(socket, "MSG_MORE", 0)


@lru_cache(maxsize=2)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)


@dataclass(slots=True)
class Summary:
    """What a query read and wrote so far: rows and uncompressed bytes."""

    read_rows: int = 0
    read_bytes: int = 0
    written_rows: int = 0
    written_bytes: int = 0
    result_rows: int = 0
    result_bytes: int = 0
    elapsed_ns: int = 0

    def render(self) -> str:
        """Render as the header X-ClickHouse-Summary: every number is a string."""
        return (
            f'{{"read_rows":"{self.read_rows}","read_bytes":"{self.read_bytes}","written_rows":"{self.written_rows}",'
            f'"written_bytes":"{self.written_bytes}","total_rows_to_read":"{self.read_rows}",'
            f'"result_rows":"{self.result_rows}","result_bytes":"{self.result_bytes}",'
            f'"elapsed_ns":"{self.elapsed_ns}","memory_usage":"0"}}'
        )


class Answer:
    """One answer on a connection.

    Set `headers`, `encoders` (from the innermost) and `spill` before the first `write`. `is_open` turns false when
    the connection cannot carry another request.
    """

    def __init__(self, sock: socket.socket, request: Request, *, keep_alive_s: float, send_timeout_s: float) -> None:
        self._sock = sock
        self._is_head = request.method == "HEAD"
        self._is_chunked = request.version == "1.1"
        self._keep_alive_s = keep_alive_s
        self._send_timeout_s = send_timeout_s
        self.is_open = request.keep_alive and self._is_chunked
        self.headers: dict[str, str] = {}
        self.encoders: list[Encoder] = []
        self.content_encoding: str | None = None
        self.summary = Summary()
        self.spill: SpillSpace | None = None
        """Where the whole result is held back (wait_end_of_query)."""
        self._spilled: Spill | None = None
        self._held: list[bytes | memoryview] = []
        self._held_bytes = 0
        self._is_started = False
        self._started_ns = time.monotonic_ns()
        self.tag = secrets.token_bytes(_TAG_LENGTH).translate(_TO_LETTERS).decode()

    @property
    def is_started(self) -> bool:
        """Say whether status and headers are on their way."""
        return self._is_started

    def write(self, data: bytes | memoryview) -> None:
        """Add a piece of the result.

        Raises OSError when the client is gone, ClickHouseError 307 when too much is held back.
        """
        if not data:
            return
        if self._is_started:
            self._encode_and_send(data)
            return
        if self._spilled is not None:
            self._spilled.write(data)
            return
        # A view is only good until the engine's next chunk.
        self._held.append(bytes(data) if isinstance(data, memoryview) and self._held_bytes < _HOLD_BYTES else data)
        self._held_bytes += len(data)
        if self._held_bytes < _HOLD_BYTES:
            return
        if self.spill is None:
            self._start(HTTPStatus.OK)
            self._release_held()
            return
        self._spilled = Spill(self.spill)
        for piece in self._held:
            self._spilled.write(piece)
        self._held.clear()

    def finish(self) -> None:
        """End a successful answer. Raises OSError when the client is gone."""
        if not self._is_started:
            self._finish_at_once()
            return
        self._send(self._run_encoders(b"", last=True), last=True)

    def fail(self, error: ClickHouseError, version: str) -> None:
        """Answer with an error: with its status while nothing was sent, otherwise as the end of a body cut short."""
        text = error.text(version).encode(errors="backslashreplace")
        if self._is_started:
            self.is_open = False
            self._fail_in_mid_stream(text)
            return
        self._held = [text]
        self._held_bytes = len(text)
        self.release()
        self.headers["X-ClickHouse-Exception-Code"] = str(error.code)
        self.headers["Content-Type"] = "text/plain; charset=UTF-8"
        self.headers.pop("X-ClickHouse-Format", None)
        if error.status == HTTPStatus.UNAUTHORIZED:
            self.headers["WWW-Authenticate"] = 'Basic realm="ClickHouse server HTTP API"'
        self._finish_at_once(HTTPStatus(error.status))

    def _finish_at_once(self, status: HTTPStatus = HTTPStatus.OK) -> None:
        """Send what was held back, with a true summary."""
        if self._spilled is not None:
            self._start(status)
            self._release_held()
            self._send(self._run_encoders(b"", last=True), last=True)
            return
        body = b"".join(self._held)
        if self.encoders and body:
            encoded = b""
            for piece in self._pieces_of(body):
                encoded += self._run_encoders(piece)
            body = encoded + self._run_encoders(b"", last=True)
        self._start(status, body=body, has_body=bool(body))

    @staticmethod
    def _pieces_of(body: bytes) -> Iterator[bytes]:
        for start in range(0, len(body), _HOLD_BYTES):
            yield body[start : start + _HOLD_BYTES]

    def _start(self, status: HTTPStatus, *, body: bytes | None = None, has_body: bool = True) -> None:
        """Send status and headers, and `body` with them when it is known already."""
        self._is_started = True
        self.summary.elapsed_ns = time.monotonic_ns() - self._started_ns
        headers = self.headers
        lines = [
            f"HTTP/1.1 {status.value} {status.phrase}",
            f"Date: {_date(int(time.time()))}",
            f"Connection: {'keep-alive' if self.is_open else 'close'}",
            f"Access-Control-Expose-Headers: {_EXPOSED}",
            f"X-ClickHouse-Exception-Tag: {self.tag}",
        ]
        if self.is_open:
            lines.append(f"Keep-Alive: timeout={self._keep_alive_s:.0f}")
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if self.content_encoding and has_body:
            lines.append(f"Content-Encoding: {self.content_encoding}")
        if self._is_chunked:
            lines.append("Transfer-Encoding: chunked")
        lines.append(f"X-ClickHouse-Summary: {self.summary.render()}")
        head = "\r\n".join([*lines, "", ""]).encode("latin-1", errors="replace")
        self._sock.settimeout(self._send_timeout_s)
        if self._is_head or body is None:
            self._sock.sendall(head)
        elif self._is_chunked:
            chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            self._sock.sendall(b"%b%b0\r\n\r\n" % (head, chunk))
        else:
            self._sock.sendall(head + body)

    def _release_held(self) -> None:
        if self._spilled is not None:
            held_back = self._spilled.rewind()
            while piece := held_back.read(_HOLD_BYTES):
                self._encode_and_send(piece)
            self.release()
        for piece in self._held:
            self._encode_and_send(piece)
        self._held.clear()

    def release(self) -> None:
        """Give back what a result that was not sent to its end still holds."""
        if self._spilled is not None:
            self._spilled.close()
            self._spilled = None

    def _encode_and_send(self, data: bytes | memoryview) -> None:
        self._send(self._run_encoders(data) if self.encoders else data)

    def _run_encoders(self, data: bytes | memoryview, *, last: bool = False, flush: bool = False) -> bytes:
        for encoder in self.encoders:
            encoded = encoder.encode(data) if data else b""
            if last:
                encoded += encoder.finish()
            elif flush:
                encoded += encoder.flush()
            data = encoded
        return bytes(data)

    def _send(self, data: bytes | memoryview, *, last: bool = False) -> None:
        if self._is_head:
            return
        sock = self._sock
        if not self._is_chunked:
            sock.sendall(data)
            return
        end = b"0\r\n\r\n" if last else b""
        size = len(data)
        if size == 0:
            if end:
                sock.sendall(end)
        elif size <= _COPY_BYTES:
            sock.sendall(b"%x\r\n%b\r\n%b" % (size, data, end))
        else:
            sock.sendall(b"%x\r\n" % size, _MORE)
            sock.sendall(data, _MORE)
            sock.sendall(b"\r\n" + end)

    def _fail_in_mid_stream(self, text: bytes) -> None:
        """End the body with ClickHouse's exception block, and without the last chunk, so that it doesn't look whole.

        See WriteBufferFromHTTPServerResponse::cancelWithException.
        """
        if len(text) > _MAX_EXCEPTION_BYTES - 256:
            text = text[: _MAX_EXCEPTION_BYTES - 257] + b"\n"
        tag = self.tag.encode()
        block = b"\r\n__exception__\r\n%b\r\n%b%d %b\r\n__exception__\r\n" % (tag, text, len(text), tag)
        pending = self._run_encoders(b"", flush=True) if self.encoders else b""
        self._send(pending)
        encoded = self._run_encoders(block, flush=True) if self.encoders else block
        self._send(encoded)
