import socket
from collections.abc import Iterator

import pytest

from runtime.clickhouse.errors import ClickHouseError
from runtime.clickhouse.http import Reader
from runtime.clickhouse.incoming import BadRequestError, ConnectionEndedError
from runtime.clickhouse.settings import ClickHouseServerSettings

SETTINGS = ClickHouseServerSettings.model_validate(
    {
        "admin_password": "a",
        "radixinsight_password": "b",
        "reader_password": "c",
        "max_header_bytes": 2_000,
        "max_headers": 10,
        "max_body_bytes": 100,
        "header_timeout_s": 0.2,
        "body_timeout_s": 0.2,
        "keep_alive_timeout_s": 0.2,
    }
)


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, Reader]]:
    """Connect the client's end, and a reader at the server's."""
    client, server = socket.socketpair()
    with client, server:
        yield client, Reader(server, SETTINGS)


def test_a_request_is_taken_apart(ends: tuple[socket.socket, Reader]) -> None:
    client, reader = ends
    client.sendall(b"\r\nPOST /a?x=1&y=%C3%A4+b&x=2&z HTTP/1.1\r\nX-Some:  Thing \r\nContent-Length: 3\r\n\r\nabc")
    request = reader.read_request()
    assert (request.method, request.path, request.keep_alive) == ("POST", "/a", True)
    assert request.parameters == [("x", "1"), ("y", "ä b"), ("x", "2"), ("z", "")]
    assert request.headers["x-some"] == "Thing"
    assert b"".join(request.body) == b"abc"


def test_a_chunked_body_is_put_together(ends: tuple[socket.socket, Reader]) -> None:
    client, reader = ends
    client.sendall(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
    body = reader.read_request().body
    client.sendall(b"3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: 1\r\n\r\nGET /next HTTP/1.1\r\n\r\n")
    assert b"".join(body) == b"abcde"
    assert body.is_done
    assert reader.read_request().path == "/next"


def test_a_client_that_waits_is_told_to_go_on_only_when_its_body_is_wanted(
    ends: tuple[socket.socket, Reader],
) -> None:
    client, reader = ends
    client.sendall(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    body = reader.read_request().body
    client.settimeout(0)
    with pytest.raises(BlockingIOError):
        client.recv(1)
    client.settimeout(None)
    client.sendall(b"ab")
    assert b"".join(body) == b"ab"
    assert client.recv(100).startswith(b"HTTP/1.1 100 ")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"GET /" + b"a" * 3_000, 414),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 3_000, 431),
        (b"GET / HTTP/1.1\r\n" + b"X: 1\r\n" * 20 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nX: 1", 408),
        (b"GET /?" + b"&a" * 900 + b" HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
    ],
)
def test_what_is_broken_too_long_or_too_slow_is_refused(
    ends: tuple[socket.socket, Reader], sent: bytes, status: int
) -> None:
    client, reader = ends
    client.sendall(sent)
    with pytest.raises(BadRequestError) as caught:
        reader.read_request()
    assert caught.value.status == status


def test_a_body_over_the_limit_is_refused(ends: tuple[socket.socket, Reader]) -> None:
    client, reader = ends
    client.sendall(b"POST / HTTP/1.1\r\nContent-Length: 101\r\n\r\n")
    with pytest.raises(ClickHouseError, match="100 bytes"):
        list(reader.read_request().body)


def test_a_body_that_stops_coming_is_given_up(ends: tuple[socket.socket, Reader]) -> None:
    client, reader = ends
    client.sendall(b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc")
    with pytest.raises(ClickHouseError, match="Timeout") as caught:
        list(reader.read_request().body)
    assert caught.value.code == 209


def test_a_client_that_goes_away_within_a_body_is_noticed(ends: tuple[socket.socket, Reader]) -> None:
    client, reader = ends
    client.sendall(b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc")
    body = reader.read_request().body
    client.close()
    with pytest.raises(ConnectionEndedError):
        list(body)


def test_an_idle_connection_ends(ends: tuple[socket.socket, Reader]) -> None:
    with pytest.raises(ConnectionEndedError):
        ends[1].read_request()


def test_what_is_left_of_a_short_body_is_stepped_over(ends: tuple[socket.socket, Reader]) -> None:
    client, reader = ends
    client.sendall(b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET /next HTTP/1.1\r\n\r\n")
    assert reader.read_request().body.drain()
    assert reader.read_request().path == "/next"
