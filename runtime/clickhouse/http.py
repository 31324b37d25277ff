"""Reads HTTP/1.x requests from a blocking socket, under limits of size and time."""

import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qsl

import httptools

from runtime.clickhouse.body import Body
from runtime.clickhouse.incoming import BadRequestError, ConnectionEndedError, Incoming
from runtime.clickhouse.settings import ClickHouseServerSettings

_MAX_PARAMETERS = 10_000


@dataclass(slots=True)
class Request:
    """One request's head, and its body to be read. Header names are in lower case."""

    method: str
    path: str
    parameters: list[tuple[str, str]]
    headers: Mapping[str, str]
    version: str
    keep_alive: bool
    body: Body


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
        self._incoming = Incoming(sock)
        self._settings = settings

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
            parameters=_parameters(raw_query.partition(b"#")[0].decode("latin-1")),
            headers=headers,
            version=version,
            # Not parser.should_keep_alive(): with the message complete, it has forgotten what the head said.
            keep_alive=version == "1.1" and "close" not in headers.get("connection", "").lower(),
            body=Body(self._incoming, headers, self._settings),
        )

    def _read_head(self) -> bytes:
        incoming = self._incoming
        limit = self._settings.max_header_bytes
        self._wait_for_start()
        deadline = time.monotonic() + self._settings.header_timeout_s
        searched = 0
        while (end := incoming.buffer.find(b"\r\n\r\n", max(0, searched - 3))) < 0:
            searched = len(incoming.buffer)
            if searched > limit:
                raise _too_long(incoming.buffer, limit)
            remaining_s = deadline - time.monotonic()
            if remaining_s <= 0 or not incoming.fill(remaining_s):
                raise BadRequestError(HTTPStatus.REQUEST_TIMEOUT, "The request's head took too long to come")
        head = incoming.take(end + 4)
        if len(head) > limit:
            raise _too_long(head, limit)
        return head

    def _wait_for_start(self) -> None:
        """Wait, as long as an idle connection may, for something that isn't an empty line (RFC 9112, 2.2)."""
        buffer = self._incoming.buffer
        while True:
            while buffer.startswith(b"\r\n"):
                del buffer[:2]
            if buffer:
                return
            if not self._incoming.fill(self._settings.keep_alive_timeout_s):
                raise ConnectionEndedError("idle")


def _parameters(query: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query, keep_blank_values=True, errors="surrogateescape", max_num_fields=_MAX_PARAMETERS)
    except ValueError:
        raise BadRequestError(
            HTTPStatus.BAD_REQUEST, f"More than {_MAX_PARAMETERS} parameters in the address"
        ) from None


def _too_long(head: bytes | bytearray, limit: int) -> BadRequestError:
    first_line = head.find(b"\r\n")
    if first_line < 0 or first_line > limit:
        return BadRequestError(HTTPStatus.REQUEST_URI_TOO_LONG, f"The address is longer than {limit} bytes")
    return BadRequestError(
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"The request's head is longer than {limit} bytes"
    )
