"""HTTP/1.1 with bounds on what a client may send and how long it may take; uvicorn has none for a request's head.

What is ambiguous, and so could mean one thing to a proxy and another to us (request smuggling), is refused with 400 by
llhttp, uvicorn's parser: two lengths, a length beside chunks, folded lines, bad chunk sizes. Any transfer encoding but
`chunked` is refused here. Trailers, which follow the last chunk, are left out: they would count as headers, which no
proxy saw.
"""

from asyncio import AbstractEventLoop, TimerHandle, Transport
from collections.abc import Callable
from enum import Enum, auto
from typing import Any

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

_MAX_HEADERS = 100
_MOST_GATHERED_BYTES = 16 * 1024
_VERSIONS = frozenset({"1.0", "1.1"})
# The collector's own answer to a slow body (408, or what the protocol makes of it) comes first.
_BODY_GRACE_S = 5.0
_BAD_REQUEST, _TIMEOUT, _HEAD_TOO_LARGE = 400, 408, 431


class _Reading(Enum):
    """What comes next from the client."""

    NOTHING = auto()
    """No request has begun."""
    HEAD = auto()
    BODY = auto()


class _Gathering:
    """A transport that puts what is written in one turn of the event loop into one packet, as long as it is little.

    uvicorn writes head and body of an answer one after the other; each write of its own costs a twentieth of all that a
    small request does, and wakes its client.
    """

    def __init__(self, transport: Transport, loop: AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._parts: list[bytes] = []
        self._size = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write at the end of this turn; at once what is much, so that the transport can ask for a pause."""
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(data)
        self._size += len(data)
        if self._size > _MOST_GATHERED_BYTES:
            self._flush()

    def close(self) -> None:
        """Close when everything is written."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        parts, self._parts, self._size = self._parts, [], 0
        if parts:
            self._transport.write(b"".join(parts))


class BoundedProtocol(HttpToolsProtocol):
    """One connection; `bounded` makes the class with its bounds."""

    max_head_bytes: int
    head_timeout_s: float
    body_timeout_s: float
    may_last: Callable[[Scope], bool]
    """Whose body takes as long as bytes come: how slowly is up to the application."""

    _reading = _Reading.NOTHING
    _timer: TimerHandle | None = None
    _part_bytes = 0
    """Size of what came last."""
    _waiting_bytes = 0
    """Of what came since the head began, or the last piece of the body; of the part in which it began nothing."""
    _refusal: tuple[int, str] | None = None

    def connection_made(self, transport: Transport) -> None:
        """Begin. A client that connects and says nothing has as long as one that says it slowly."""
        super().connection_made(_Gathering(transport, self.loop))  # pyright: ignore[reportArgumentType] - it acts as one
        self._wait(self.head_timeout_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read. Where the head or the body is still incomplete after that, time runs."""
        self._part_bytes = len(data)
        self._waiting_bytes += self._part_bytes
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._reading is _Reading.BODY:
            # Between pieces of the body: sizes of chunks, and trailers that are kept until they are complete.
            if self._waiting_bytes > self.max_head_bytes:
                self._refusal = (_HEAD_TOO_LARGE, "There is too much between the request's chunks, or after them.")
                self.send_400_response("")
                return
            if self._is_lasting():
                self._stop_waiting()
            if self._timer is None:
                self._wait(self.body_timeout_s + _BODY_GRACE_S)
        elif self._reading is _Reading.HEAD or self._is_answered():
            # Nobody is told of a header before it is complete.
            if self._waiting_bytes > self.max_head_bytes:
                self._refusal = (_HEAD_TOO_LARGE, "The head of the request is too large.")
                self.send_400_response("")
            # Line breaks before a request begin none, but they have ended the time of keep-alive.
            elif self._timer is None:
                self._wait(self.head_timeout_s)

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._reading = _Reading.HEAD
        self._waiting_bytes = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; not a trailer, which the parser tells as one when the request is with the application."""
        if self._reading is _Reading.HEAD:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Hand the request on; its body is still to come."""
        self._judge_head()
        self._stop_waiting()
        self._reading = _Reading.BODY
        self._waiting_bytes = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._waiting_bytes = 0
        super().on_body(body)

    def _judge_head(self) -> None:
        version = self.parser.get_http_version()  # pyright: ignore[reportOptionalMemberAccess] - it is what calls
        if version not in _VERSIONS:
            self._refuse(_BAD_REQUEST, f"HTTP/{version} is not spoken here.")
        if len(self.headers) > _MAX_HEADERS:
            self._refuse(_HEAD_TOO_LARGE, f"A request may have {_MAX_HEADERS} headers.")
        for name, value in self.headers:
            if name == b"transfer-encoding" and value.lower() != b"chunked":
                self._refuse(_BAD_REQUEST, "No transfer encoding but chunked is known here.")
        # Counted only where there can be so much: this is done for every request.
        if self._waiting_bytes + self._part_bytes > self.max_head_bytes:
            size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
            if size > self.max_head_bytes:
                self._refuse(_HEAD_TOO_LARGE, "The head of the request is too large.")

    def on_message_complete(self) -> None:
        """End a request."""
        self._stop_waiting()
        self._reading = _Reading.NOTHING
        self._waiting_bytes = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse, and disconnect: nobody knows where the next request would begin."""
        self._stop_waiting()
        status, text = self._refusal or (_BAD_REQUEST, msg)
        head = b"content-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(text)
        self.transport.write(STATUS_LINE[status] + head + text.encode("ascii"))
        self.transport.close()

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: a request that offers to change the protocol is answered in this one."""

    def _is_answered(self) -> bool:
        """Say whether nobody waits for an answer."""
        return not self.cycle or self.cycle.response_complete

    def _is_lasting(self) -> bool:
        """Say whether the body may go on. What follows an answer is read by nobody."""
        return not self._is_answered() and self.may_last(self.scope)  # pyright: ignore[reportArgumentType] - uvicorn's own type of the same

    def _refuse(self, status: int, text: str) -> None:
        self._refusal = (status, text)
        # Within the parser, which gives up with an error of its own.
        raise ValueError(text)

    def _wait(self, seconds: float) -> None:
        self._timer = self.loop.call_later(seconds, self._give_up)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        # An answer to something that was not asked, or was answered, would be taken for the next one's.
        if self._reading is _Reading.HEAD and self._is_answered():
            self._refusal = (_TIMEOUT, "The request did not come in time.")
            self.send_400_response("")
        elif self._reading is _Reading.BODY and self.flow.read_paused and self._is_lasting():
            # Our disk is slow, not the client.
            self._wait(self.body_timeout_s + _BODY_GRACE_S)
        else:
            self.transport.close()


def bounded(
    *, max_head_bytes: int, head_timeout_s: float, body_timeout_s: float, may_last: Callable[[Scope], bool]
) -> type[BoundedProtocol]:
    """Return the protocol of connections with these bounds, for uvicorn to make them."""
    bounds = {
        "max_head_bytes": max_head_bytes,
        "head_timeout_s": head_timeout_s,
        "body_timeout_s": body_timeout_s,
        "may_last": staticmethod(may_last),
    }
    return type("Bounded", (BoundedProtocol,), bounds)
