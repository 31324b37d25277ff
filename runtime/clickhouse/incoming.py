"""The bytes that come in on a connection, and how they end."""

import fcntl
import select
import socket
import struct
import termios
from http import HTTPStatus

_LINE_BYTES = 4096
_RECEIVE_BYTES = 65536


class BadRequestError(Exception):
    """A request that isn't valid HTTP, or is over a limit; it is answered and the connection closed."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


class ConnectionEndedError(Exception):
    """The client went away, or stayed silent for too long between two requests."""


class Incoming:
    """A socket and what was read from it too early: the start of a body, or of the next request."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.buffer = bytearray()

    def fill(self, timeout_s: float) -> bool:
        """Read more into the buffer; returns False when nothing came in time. Raises ConnectionEndedError."""
        self.sock.settimeout(timeout_s)
        try:
            received = self.sock.recv(_RECEIVE_BYTES)
        except TimeoutError:
            return False
        except OSError as error:
            raise ConnectionEndedError(str(error)) from None
        if not received:
            raise ConnectionEndedError("closed")
        self.buffer += received
        return True

    def take(self, size: int) -> bytes:
        """Return up to `size` bytes of the buffer."""
        taken = bytes(self.buffer[:size])
        del self.buffer[:size]
        return taken

    def receive(self, size: int) -> bytes:
        """Return up to `size` bytes, waiting for the first.

        Raises ConnectionEndedError when there are no more, TimeoutError when nothing comes in the socket's time.
        """
        if self.buffer:
            return self.take(size)
        received = self.sock.recv(size)
        if not received:
            raise ConnectionEndedError("closed within a body")
        return received

    def read_line(self) -> bytes:
        """Return one line with its line break; raises as `receive`, and BadRequestError for one that is too long."""
        while (end := self.buffer.find(b"\n")) < 0:
            if len(self.buffer) > _LINE_BYTES:
                raise BadRequestError(HTTPStatus.BAD_REQUEST, "Broken chunked body: a line is too long")
            received = self.sock.recv(_RECEIVE_BYTES)
            if not received:
                raise ConnectionEndedError("closed within a body")
            self.buffer += received
        return self.take(end + 1)

    def wait(self, timeout_s: float) -> None:
        """Wait until there is something to read, or the end; raises TimeoutError."""
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        if not poll.poll(timeout_s * 1000):
            raise TimeoutError

    def come(self, timeout_s: float) -> int:
        """Return how many bytes have come, waiting for the first; raises as `receive`."""
        if self.buffer:
            return len(self.buffer)
        self.wait(timeout_s)
        size: int = struct.unpack("i", fcntl.ioctl(self.sock, termios.FIONREAD, bytes(4)))[0]
        if not size:
            raise ConnectionEndedError("closed within a body")
        return size
