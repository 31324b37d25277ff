"""ClickHouse's HTTP interface: from a request to its answer."""

import re
import socket
import uuid
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import ClassVar

import structlog

from runtime.clickhouse import compression, external_tables, framing, multipart, query_text, url_settings
from runtime.clickhouse.answer import Answer
from runtime.clickhouse.errors import ClickHouseError
from runtime.clickhouse.http import Request
from runtime.clickhouse.incoming import BadRequestError, ConnectionEndedError
from runtime.clickhouse.query import Lease, Queries, Query
from runtime.clickhouse.query_text import QueryText
from runtime.clickhouse.settings import ClickHouseServerSettings
from runtime.clickhouse.url_settings import UrlSettings
from runtime.clickhouse.users import Users

_logger = structlog.get_logger()

_OK_PATHS = {"/ping", "/replicas_status"}
_QUERY_PATHS = {"/", "/query"}
_METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE"}
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_MAX_QUERY_SIZE = 262144
_ZLIB_LEVEL = 3
_NOT_FOUND = """There is no handle {path}

Use / or /ping for health checks.
Or /replicas_status for more sophisticated health checks.

Send queries from your program with POST method or GET /?query=...
"""


class Service:
    """Answers requests; shared by all connections."""

    _shared_headers: ClassVar[dict[str, str]] = {"Content-Type": "text/plain; charset=UTF-8"}

    def __init__(self, queries: Queries, users: Users, settings: ClickHouseServerSettings) -> None:
        self._queries = queries
        self._users = users
        self._settings = settings
        self._version = queries.engine.version
        self._headers = self._shared_headers | {
            "X-ClickHouse-Server-Display-Name": _CONTROL.sub("", settings.display_name)
        }

    def answer(self, request: Request, sock: socket.socket) -> bool:
        """Answer one request; returns whether the connection can carry another one."""
        answer = Answer(
            sock,
            request,
            keep_alive_s=self._settings.keep_alive_timeout_s,
            send_timeout_s=self._settings.send_timeout_s,
        )
        answer.headers.update(self._headers)
        try:
            self._respond(request, sock, answer)
        except (ConnectionEndedError, ConnectionError, TimeoutError):
            return False
        finally:
            answer.release()
        return answer.is_open and request.body.drain()

    def refuse(self, sock: socket.socket, status: HTTPStatus, detail: str) -> None:
        """Answer what is no proper request, on a connection that ends with it. Raises OSError when it has ended."""
        body = detail.encode() + b"\n"
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: text/plain; charset=UTF-8\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        sock.settimeout(1.0)
        sock.sendall(head.encode("latin-1", errors="replace") + body)

    def _respond(self, request: Request, sock: socket.socket, answer: Answer) -> None:
        path = request.path
        asks = any(name == "query" for name, _ in request.parameters)
        if path in _OK_PATHS or (path == "/" and request.method in {"GET", "HEAD"} and not asks):
            answer.write(b"Ok.\n")
            answer.finish()
            return
        if request.method == "OPTIONS":
            answer.headers["Allow"] = ", ".join(sorted(_METHODS))
            answer.finish()
            return
        if path not in _QUERY_PATHS or request.method not in _METHODS:
            answer.is_open = False
            self.refuse(sock, HTTPStatus.NOT_FOUND, _NOT_FOUND.format(path=path))
            return
        try:
            self._query(request, sock, answer)
        except ClickHouseError as error:
            answer.fail(error, self._version)
        except BadRequestError as error:
            answer.is_open = False
            answer.fail(ClickHouseError(36, error.detail, status=error.status), self._version)
        except (ConnectionEndedError, ConnectionError, TimeoutError):
            raise
        except Exception as error:  # one request's fault must not end the connection's thread unanswered
            _logger.exception("request_failed", path=path)
            answer.is_open = False
            answer.fail(ClickHouseError(1001, f"{type(error).__name__} in the server"), self._version)

    def _query(self, request: Request, sock: socket.socket, answer: Answer) -> None:
        parameters, headers = request.parameters, request.headers
        if request.method == "POST" and not request.body.is_given:
            raise ClickHouseError(
                381,
                "The Transfer-Encoding is not chunked and there is no Content-Length header for POST request",
            )
        kind = headers.get("content-type", "")
        is_multipart = kind.lower().startswith("multipart/form-data")
        first = dict(reversed(parameters))
        query_id = _CONTROL.sub("", first.get("query_id") or headers.get("x-clickhouse-query-id", ""))
        query_id = query_id or str(uuid.uuid4())
        answer.headers["X-ClickHouse-Query-Id"] = query_id
        answer.headers["X-ClickHouse-Timezone"] = "UTC"
        user = self._users.authenticate(headers, first)
        url = url_settings.split(parameters, is_multipart=is_multipart)
        if "role" in url.reserved:
            raise ClickHouseError(512, f"Role {url.reserved['role']} should be granted to set as a current")
        self._encode(answer, headers.get("accept-encoding", ""), url)
        if url.flag("add_http_cors_header") and headers.get("origin"):
            answer.headers["Access-Control-Allow-Origin"] = "*"
        query = Query(
            id=query_id,
            user=user,
            database=headers.get("x-clickhouse-database") or url.reserved.get("database", ""),
            settings=url_settings.bounded(url.engine, user, self._queries.guard),
            parameters=url.query,
            default_format=headers.get("x-clickhouse-format") or url.reserved.get("default_format") or "TabSeparated",
            is_get=request.method in {"GET", "HEAD"},
            session=url.reserved if "session_id" in url.reserved else None,
        )
        body = compression.decode(request.body, headers.get("content-encoding", ""))
        if url.flag("decompress"):
            verify = not url.flag("http_native_compression_disable_checksumming_on_decompress")
            body = framing.unpack(body, verify=verify)
        limits = query_text.Limits(self._settings.max_query_bytes, url.number("max_query_size", _MAX_QUERY_SIZE))
        with self._queries.leased(query, with_tables=is_multipart) as lease:
            if is_multipart:
                parts = multipart.parts(self._limited(body), kind)
                with self._external_tables(query, url, parts, limits, lease) as text:
                    self._queries.run(query, text, lease, answer, sock)
            else:
                text = query_text.read_query(url.reserved.get("query", ""), body, limits)
                self._queries.run(query, text, lease, answer, sock)
        answer.finish()

    def _limited(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """External tables stand in memory."""
        limit = self._settings.max_external_table_bytes
        taken = 0
        for piece in pieces:
            taken += len(piece)
            if taken > limit:
                raise ClickHouseError(
                    307,
                    f"External tables are larger than {limit} bytes (RADIXINSIGHT_CLICKHOUSE_MAX_EXTERNAL_TABLE_BYTES)",
                )
            yield piece

    @contextmanager
    def _external_tables(
        self,
        query: Query,
        url: UrlSettings,
        parts: Iterator[multipart.Part],
        limits: query_text.Limits,
        lease: Lease,
    ) -> Generator[QueryText]:
        """Make tables of the parts with a file name; the other ones are the query and its parameters."""
        text = url.reserved.get("query", "")
        parameters = dict(query.parameters)
        tables: list[str] = []

        def check(structure: str) -> None:
            self._queries.guard.check(structure, query.user.role)

        try:
            for part in parts:
                if part.is_file:
                    tables.append(external_tables.create_external_table(lease.handle, part, url.external, check))
                    continue
                value = _read_field(part, limits)
                if part.name == "query":
                    text += value
                elif part.name.startswith("param_"):
                    parameters.setdefault(part.name.removeprefix("param_"), value)
                else:
                    url.external.setdefault(part.name, value)
            query.parameters = parameters
            limits.check(len(text.encode(errors="surrogateescape")))
            yield QueryText(text)
        finally:
            # A pooled handle is closed after this query; a session's goes on.
            if lease.session is not None and lease.session.handle is not None:
                for table in tables:
                    external_tables.drop_table(lease.handle, table)

    def _encode(self, answer: Answer, accepted: str, url: UrlSettings) -> None:
        if url.flag("compress"):
            method = url.http.get("network_compression_method", "LZ4")
            answer.encoders.append(framing.FrameEncoder(method, url.number("network_zstd_compression_level", 1)))
        encoding = compression.choose(accepted) if accepted else None
        if encoding is not None and url.flag("enable_http_compression", default=True):
            level = url.number("http_zlib_compression_level", _ZLIB_LEVEL)
            answer.encoders.append(compression.encoder(encoding, level))
            answer.content_encoding = encoding
        if url.flag("http_wait_end_of_query", "wait_end_of_query"):
            answer.spill = self._queries.spill


def _read_field(part: multipart.Part, limits: query_text.Limits) -> str:
    value = bytearray()
    for piece in part.pieces:
        value += piece
        limits.check(len(value))
    return value.decode(errors="surrogateescape")
