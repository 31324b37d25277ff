"""What strangers do to a socket; meanwhile others are served."""

import asyncio
import gzip
import socket
import time
import zlib
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
import uvicorn
import zstandard
from starlette.types import Receive, Scope, Send

from ingestion.http_protocol import bounded
from runtime.instance import Instance
from runtime.project_keys import ProjectKeys
from tests.ingestion.harness import Line, Sender, basic

HEAD_TIMEOUT_S, BODY_TIMEOUT_S = 1, 3
POST = b"POST /v1/track HTTP/1.1\r\nHost: x\r\n"
EVENT = b'{"event":"buy","userId":"ada"}'


@pytest.fixture(scope="module")
def collector(runtime: Instance, tmp_path_factory: pytest.TempPathFactory) -> Generator[Line]:
    """Return a running collector that waits for nobody."""
    line = Line(
        runtime.variables,
        tmp_path_factory.mktemp("bounded"),
        RADIXINSIGHT_COLLECTOR_HEAD_TIMEOUT_S=str(HEAD_TIMEOUT_S),
        RADIXINSIGHT_COLLECTOR_BODY_TIMEOUT_S=str(BODY_TIMEOUT_S),
        RADIXINSIGHT_COLLECTOR_KEEP_ALIVE_S="1",
    )
    line.collector.start()
    yield line
    line.stop()


@pytest.fixture(autouse=True)
def healthy(collector: Line, project: ProjectKeys) -> Generator[None]:
    """Check after each test that the collector still takes events at once."""
    yield
    assert Sender(collector.collector.url, project.write_key).batch({}).json() == {"success": True}


def connect(line: Line) -> socket.socket:
    """Return a connection to the collector."""
    return socket.create_connection(("127.0.0.1", line.collector.port), timeout=20)


def read(connection: socket.socket) -> bytes:
    """Return all that comes until the collector disconnects."""
    answer = b""
    try:
        while part := connection.recv(65536):
            answer += part
    except ConnectionResetError:
        pass
    return answer


def ask(line: Line, request: bytes) -> bytes:
    """Send bytes; return the answer, which is empty when the collector only disconnects."""
    with connect(line) as connection:
        connection.sendall(request)
        return read(connection)


@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        b"Content-Length: 5, 5\r\n\r\nhello",
        b"Content-Length: +5\r\n\r\nhello",
        b"Content-Length: -5\r\n\r\nhello",
        b"Content-Length: 0x5\r\n\r\nhello",
        b"Content-Length: 99999999999999999999\r\n\r\nhello",
        b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
        b"X-A: b\r\n c\r\nContent-Length: 0\r\n\r\n",
        b"X-A: a\rb\r\nContent-Length: 0\r\n\r\n",
        b"X-A: a\0b\r\nContent-Length: 0\r\n\r\n",
        b"X\0A: ab\r\nContent-Length: 0\r\n\r\n",
        b"Origin: https://a\x7fb\r\nContent-Length: 0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n5\nhello\n0\n\n",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 5\r\n\r\n",
    ],
)
def test_a_request_that_can_be_read_in_two_ways_is_refused_and_ends_its_connection(
    collector: Line, headers: bytes
) -> None:
    """What follows it, which another reader may take for a part of it, is not looked at."""
    answer = ask(collector, POST + headers + b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"alive" not in answer


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /healthz\r\n\r\n",
        b"GET /healthz HTTP/0.9\r\n\r\n",
        b"GET /healthz HTTP/2.0\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /healthz HTTP/3.7\r\n\r\n",
        b"CONNECT evil:80 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"A" * 5000 + b" / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /v1/track HTTP/1.1\nHost: x\nContent-Length: 0\n\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 500,
    ],
    ids=["no version", "0.9", "2.0", "preface", "3.7", "connect", "path", "method", "line feeds", "TLS"],
)
def test_what_is_no_http_1_1_is_refused(collector: Line, request_: bytes) -> None:
    assert ask(collector, request_)[:12] in {b"HTTP/1.1 400", b"HTTP/1.1 408"}


@pytest.mark.parametrize(
    "head",
    [
        b"".join(b"X-%d: y\r\n" % number for number in range(200)) + b"\r\n",
        b"X: " + b"a" * 100_000 + b"\r\n\r\n",
        b"X: " + b"a" * 2_000_000,
        b"".join(b"X-%d: %b\r\n" % (number, b"a" * 2000) for number in range(50)) + b"\r\n",
    ],
    ids=["many", "long", "endless", "together"],
)
def test_a_head_that_is_too_large_is_refused(collector: Line, head: bytes) -> None:
    with connect(collector) as connection:
        # It may be refused before it was sent whole.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(POST + head)
        assert read(connection)[:12] in {b"HTTP/1.1 431", b""}


def test_an_address_that_is_too_long_is_refused(collector: Line) -> None:
    assert ask(collector, b"GET /i?" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n").startswith(b"HTTP/1.1 431 ")


def test_a_head_within_the_bounds_is_taken(collector: Line) -> None:
    request = b"GET /i?" + b"a" * 60_000 + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert ask(collector, request).startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize("sent", [b"", b"\r\n\r\n", POST, b"POST"], ids=["nothing", "line breaks", "a line", "a word"])
def test_who_begins_no_request_or_half_of_one_is_disconnected(collector: Line, sent: bytes) -> None:
    started = time.monotonic()
    answer = ask(collector, sent)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 408 ")
    assert HEAD_TIMEOUT_S * 0.9 < time.monotonic() - started < 10


@pytest.mark.parametrize("trickle", [b"X-A: b\r\n", b"\r\n"], ids=["headers", "line breaks"])
def test_a_trickle_does_not_win_time(collector: Line, trickle: bytes) -> None:
    """Not before the first request, and not after one that was answered."""
    for first in (b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"):
        with connect(collector) as connection:
            connection.sendall(first + (POST if trickle != b"\r\n" else b"\r\n"))
            started = time.monotonic()
            try:
                while time.monotonic() - started < 10:
                    connection.sendall(trickle)
                    time.sleep(0.1)
            except (BrokenPipeError, ConnectionResetError):
                pass
            assert time.monotonic() - started < 8


@pytest.mark.parametrize("path", [b"/v1/track", b"/s/"])
def test_a_body_that_trickles_is_given_up(collector: Line, path: bytes) -> None:
    """Wherever it is sent to."""
    started = time.monotonic()
    with connect(collector) as connection:
        connection.sendall(b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" % path)
        try:
            while time.monotonic() - started < 20:
                connection.sendall(b" ")
                time.sleep(0.2)
        except (BrokenPipeError, ConnectionResetError):
            pass
    assert time.monotonic() - started < 15


def test_a_file_comes_as_slowly_as_it_likes_while_it_comes(collector: Line, project: ProjectKeys) -> None:
    """It takes longer than any other body may."""
    event = b'{"type":"track","event":"x","userId":"ada","timestamp":1714979289}\n'

    def slowly() -> Iterator[bytes]:
        until = time.monotonic() + BODY_TIMEOUT_S + 7
        while time.monotonic() < until:
            yield event * 20
            time.sleep(0.2)

    url = f"{collector.collector.url}/v1/import?mapping=segment"
    answer = httpx.post(url, content=slowly(), headers=basic(project.write_key), timeout=30)
    assert answer.status_code == 202, answer.text


def test_a_file_that_trickles_is_given_up(collector: Line, project: ProjectKeys) -> None:
    started = time.monotonic()
    key = basic(project.write_key)["authorization"].encode()
    head = b"Host: x\r\nAuthorization: %b\r\nContent-Length: 100000\r\n\r\n" % key
    with connect(collector) as connection:
        connection.sendall(b"POST /v1/import?mapping=segment HTTP/1.1\r\n" + head)
        connection.settimeout(0)
        answer = b""
        while not answer:
            assert time.monotonic() - started < 15
            connection.sendall(b" ")
            time.sleep(0.2)
            with suppress(BlockingIOError):
                answer = connection.recv(65536)
        # What comes after the answer wins no time.
        with suppress(BrokenPipeError, ConnectionResetError):
            while time.monotonic() - started < 30:
                connection.sendall(b" ")
                time.sleep(0.2)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert time.monotonic() - started < 25


def test_a_kept_connection_is_closed_when_it_is_not_used(collector: Line) -> None:
    started = time.monotonic()
    answer = ask(collector, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert time.monotonic() - started < 10


def test_others_are_served_while_hundreds_of_connections_say_nothing(collector: Line, project: ProjectKeys) -> None:
    idle = [connect(collector) for _ in range(300)]
    try:
        for number, connection in enumerate(idle):
            # On a busy machine the time of the first may be over by then.
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.sendall((b"", POST, POST + b"Content-Length: 9\r\n\r\n{")[number % 3])
        answer = Sender(collector.collector.url, project.write_key).batch({})
        assert answer.status_code == 200
        assert answer.elapsed.total_seconds() < 5
    finally:
        for connection in idle:
            connection.close()


def test_several_requests_at_once_are_answered_in_their_order(collector: Line, project: ProjectKeys) -> None:
    key = basic(project.write_key)["authorization"].encode()
    one = POST + b"Authorization: %b\r\nContent-Length: %d\r\n\r\n%b" % (key, len(EVENT), EVENT)
    answer = ask(collector, one * 3 + b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer.count(b"HTTP/1.1 200 ") == 4
    assert answer.endswith(b'{"status":"alive"}')


def test_an_answer_comes_in_one_packet(collector: Line, project: ProjectKeys) -> None:
    head = POST + b"Authorization: " + basic(project.write_key)["authorization"].encode()
    with connect(collector) as connection:
        for _ in range(20):
            connection.sendall(head + b"\r\nContent-Length: %d\r\n\r\n" % len(EVENT) + EVENT)
            assert connection.recv(65536).endswith(b'{"success":true}')


async def test_whoever_sends_much_waits_for_a_client_that_does_not_read() -> None:
    sent = 0

    async def application(_scope: Scope, _receive: Receive, send: Send) -> None:
        nonlocal sent
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"64000000")]})
        for _ in range(1000):
            await send({"type": "http.response.body", "body": bytes(64_000), "more_body": True})
            sent += 64_000

    protocol = bounded(max_head_bytes=8192, head_timeout_s=5, body_timeout_s=5, may_last=lambda _: False)
    server = uvicorn.Server(uvicorn.Config(application, port=0, http=protocol, lifespan="off", log_config=None))
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    _reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await asyncio.sleep(1)
    taken = sent
    writer.close()
    server.should_exit = server.force_exit = True
    await serving
    assert 0 < taken < 32_000_000


def test_a_body_in_chunks_is_taken(collector: Line, project: ProjectKeys) -> None:
    key = basic(project.write_key)["authorization"].encode()
    chunks = b"5\r\n%b\r\n%x;a=b\r\n%b\r\n0\r\n\r\n" % (EVENT[:5], len(EVENT) - 5, EVENT[5:])
    head = b"Authorization: %b\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n" % key
    assert ask(collector, POST + head + chunks).startswith(b"HTTP/1.1 200 ")


def test_what_follows_the_last_chunk_is_no_header(collector: Line, project: ProjectKeys) -> None:
    """A trailer that came with the rest would say whose key it is, and from which page and address."""
    key = basic(project.write_key)["authorization"].encode()
    head = POST + b"Transfer-Encoding: chunked\r\nConnection: close\r\n"
    chunks = b"%x\r\n%b\r\n0\r\nAuthorization: %b\r\n\r\n"
    right, wrong = (chunks % (len(EVENT), EVENT, each) for each in (key, b"Basic d3Jvbmc6"))
    assert ask(collector, head + b"\r\n" + right).startswith(b"HTTP/1.1 401 ")
    assert ask(collector, head + b"Authorization: %b\r\n\r\n" % key + wrong).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "part",
    [b"0\r\n" + b"a:b\r\n" * 20_000, b"0\r\na:" + b"b" * 100_000, b"1;" + b"a" * 100_000],
    ids=["many", "long", "size"],
)
def test_what_is_no_body_is_bounded_after_the_head_too(collector: Line, part: bytes) -> None:
    """Nobody needs a key for it."""
    with connect(collector) as connection:
        connection.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n")
        with suppress(ConnectionError):
            for at in range(0, len(part), 10_000):
                connection.sendall(part[at : at + 10_000])
                time.sleep(0.01)
        assert read(connection).startswith(b"HTTP/1.1 431 ")


def test_an_offer_to_change_the_protocol_is_not_taken(collector: Line) -> None:
    upgrade = b"Connection: upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    key = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    assert ask(collector, b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + upgrade + key).startswith(b"HTTP/1.1 200 ")


def bare_deflate(data: bytes) -> bytes:
    """Pack without zlib's frame."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


MANY = bytes(200 * 1024 * 1024)
BOMBS = {
    "gzip": (gzip.compress(MANY), "gzip"),
    "members": (gzip.compress(bytes(1024 * 1024)) * 100, "gzip"),
    "empty members": (gzip.compress(b"") * 200_000, "gzip"),
    "zstd": (zstandard.compress(MANY, 19), "zstd"),
    "deflate": (zlib.compress(MANY), "deflate"),
    "bare deflate": (bare_deflate(MANY), "deflate"),
    "nested": (gzip.compress(gzip.compress(MANY)), "gzip"),
    "said twice": (gzip.compress(gzip.compress(MANY)), "gzip, gzip"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_without_being_unpacked(collector: Line, project: ProjectKeys, name: str) -> None:
    body, encoding = BOMBS[name]
    headers = basic(project.write_key) | {"content-encoding": encoding}
    started = time.monotonic()
    answer = httpx.post(f"{collector.collector.url}/v1/track", content=body, headers=headers)
    assert answer.status_code in {400, 413, 415}
    assert time.monotonic() - started < 5


def test_many_bombs_at_once_neither_fill_memory_nor_stop_the_others(collector: Line, project: ProjectKeys) -> None:
    body = BOMBS["gzip"][0]
    request = POST + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    connections: list[socket.socket] = []
    for _ in range(20):
        connections.append(connect(collector))
        connections[-1].sendall(request)
    answer = Sender(collector.collector.url, project.write_key).batch({})
    assert answer.status_code == 200
    assert answer.elapsed.total_seconds() < 10
    for connection in connections:
        connection.close()
    process = collector.collector.process
    assert process is not None
    status = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    peak_kib = next(int(row.split()[1]) for row in status if row.startswith("VmHWM"))
    assert peak_kib < 600 * 1024
