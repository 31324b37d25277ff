"""What a client says to ClickHouse, heard, changed or cut off on the way."""

import re
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_NOT_PASSED_ON = {"connection", "content-length", "host", "keep-alive", "transfer-encoding"}
_COMMENT = re.compile(r"/\*.*?\*/|--[^\n]*", re.DOTALL)
_CHANGE = re.compile(r"(create|insert|delete|exchange|rename|drop|truncate|alter)\b", re.IGNORECASE)
_DESCRIPTION = re.compile(
    r"alter\s+table\s+\S+\s+(on\s+cluster\s+\S+\s+)?(modify\s+comment|comment\s+column)", re.IGNORECASE
)


@dataclass(frozen=True)
class Answer:
    """What ClickHouse answers to a statement."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


Send = Callable[[str], Answer]
Listener = Callable[[str, Send], Answer]
"""Gets each statement and the way to send one on; returns what the client is told."""

CUT_OFF = Answer(500, [("X-ClickHouse-Exception-Code", "210")], b"Code: 210. DB::Exception: cut off")


def told(statement: str) -> str:
    """Return a statement in one line, without comments."""
    return " ".join(_COMMENT.sub("", statement).split())


def changes(statement: str) -> bool:
    """Whether a statement may change what a table holds; what is said about tables does not count."""
    said = told(statement)
    return _CHANGE.match(said) is not None and _DESCRIPTION.match(said) is None


@dataclass
class Cut:
    """A wire that is cut at a change: after so many of them, or at the first one that says something.

    That change happens, and the client does not hear of it. To ClickHouse this is the same as a client that is killed
    there.
    """

    after: int | None = None
    at: str | None = None
    seen: list[str] = field(default_factory=list[str])
    """The changes that happened."""
    is_cut: bool = False

    def __call__(self, statement: str, send: Send) -> Answer:
        """Send a statement on while the wire holds."""
        if self.is_cut:
            return CUT_OFF
        answer = send(statement)
        if changes(statement):
            self.seen.append(statement)
            self.is_cut = len(self.seen) == self.after or (self.at is not None and self.at in statement)
        return CUT_OFF if self.is_cut else answer


@contextmanager
def overheard(host: str, port: int, listener: Listener) -> Generator[int]:
    """Stand between clients and a ClickHouse; yields the port to connect to."""

    class _Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # An answer is one packet: in two, each would wait 40 ms for the first to be acknowledged.
        wbufsize = -1

        def do_GET(self) -> None:
            self._pass_on()

        def do_POST(self) -> None:
            self._pass_on()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
            pass

        def _pass_on(self) -> None:
            said = self.rfile.read(int(self.headers.get("content-length", 0)))
            answer = listener(said.decode(), self._send)
            self.send_response(answer.status)
            for name, value in answer.headers:
                self.send_header(name, value)
            self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def _send(self, statement: str) -> Answer:
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _NOT_PASSED_ON}
            connection = HTTPConnection(host, port)
            try:
                connection.request(self.command, self.path, statement.encode(), headers)
                response = connection.getresponse()
                body = response.read()
            finally:
                connection.close()
            kept = [(name, value) for name, value in response.getheaders() if name.lower() not in _NOT_PASSED_ON]
            return Answer(response.status, kept, body)

    class _Server(ThreadingHTTPServer):
        daemon_threads = True

    with _Server(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
