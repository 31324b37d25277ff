import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from tests.contract.clickhouse.harness import Server, basic, target

_PING_AND_CLOSE = b"GET /ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def raw(server: Server, request: bytes, timeout_s: float = 10) -> bytes:
    """Send bytes as they are and return everything that comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=timeout_s) as client:
        client.sendall(request)
        received = b""
        while block := client.recv(65536):
            received += block
        return received


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"this is not http\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /ping HTTP/1.1\r\nContent-Length: abc\r\n\r\n",
        b"GET /ping HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /?user=admin&password=a-secret HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_what_is_not_http_is_answered_400_and_closed(server: Server, request_bytes: bytes) -> None:
    received = raw(server, request_bytes + b"\r\n\r\n")
    assert received == b"" or received.startswith(b"HTTP/1.1 400 ")
    assert server.get("/ping").status == 200


def test_a_header_that_is_too_long_is_refused_clearly(server: Server) -> None:
    received = raw(server, b"GET /ping HTTP/1.1\r\nX-Long: " + b"a" * 2_000_000 + b"\r\n\r\n")
    assert received.startswith(b"HTTP/1.1 431 ")


def test_too_many_headers_are_refused_clearly(server: Server) -> None:
    lines = b"".join(b"X-%d: 1\r\n" % number for number in range(20_000))
    assert raw(server, b"GET /ping HTTP/1.1\r\n" + lines + b"\r\n").startswith(b"HTTP/1.1 431 ")


def test_an_address_that_is_too_long_is_refused_clearly(server: Server) -> None:
    received = raw(server, b"GET /?query=select+1+/*" + b"a" * 3_000_000 + b"*/ HTTP/1.1\r\n\r\n")
    assert received.startswith((b"HTTP/1.1 414 ", b"HTTP/1.1 431 "))


def test_a_long_address_within_the_limit_is_fine(server: Server) -> None:
    answer = server.get(target(query=f"select length('{'a' * 200_000}')"), user="admin")
    assert answer.text == "200000\n"


def test_a_query_text_that_is_too_long_is_refused_clearly(new_server: Callable[..., Server]) -> None:
    server = new_server(RADIXINSIGHT_CLICKHOUSE_MAX_QUERY_BYTES="10000").start()
    answer = server.query(f"select length('{'a' * 20_000}')")
    assert (answer.status, answer.code) == (413, 307)
    assert "10000" in answer.text
    assert server.query(f"select length('{'a' * 9_000}')").text == "9000\n"


def test_max_query_size_is_obeyed_like_the_engine_does(server: Server) -> None:
    answer = server.query(f"select length('{'a' * 2000}')", max_query_size=1000)
    assert answer.status == 400
    assert "max_query_size" in answer.text.lower() or "Max query size" in answer.text


def test_a_body_over_the_limit_is_refused_clearly(new_server: Callable[..., Server]) -> None:
    server = new_server(RADIXINSIGHT_CLICKHOUSE_MAX_BODY_BYTES="1000000").start()
    server.query("create table t (x String) engine MergeTree order by x")

    def rows() -> Iterator[bytes]:
        for _ in range(200):
            yield b"a" * 9999 + b"\n"

    declared = server.insert("insert into t format TSV", b"".join(rows()))
    assert declared.status == 413
    assert "1000000" in declared.text
    streamed = server.insert("insert into t format TSV", rows())
    assert streamed.status == 413
    assert server.value("select count() from t") == "0"


def test_queries_over_the_limit_are_refused_clearly(new_server: Callable[..., Server]) -> None:
    server = new_server(RADIXINSIGHT_CLICKHOUSE_MAX_CONCURRENT_QUERIES="2").start()
    busy = [server.connection() for _ in range(2)]
    for connection in busy:
        connection.request("POST", target(user="admin", password="a-secret"), "select sleep(1.5)")
    time.sleep(0.5)
    answer = server.query("select 1")
    assert answer.code == 202
    assert "2" in answer.text
    for connection in busy:
        assert connection.getresponse().status == 200
        connection.close()
    assert server.query("select 1").status == 200


def test_connections_over_the_limit_get_a_clear_answer(new_server: Callable[..., Server]) -> None:
    server = new_server(RADIXINSIGHT_CLICKHOUSE_MAX_CONNECTIONS="5").start()
    held = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(5)]
    deadline = time.monotonic() + 10
    # Until the server has taken all that are held, there is room for one more.
    while not (received := raw(server, _PING_AND_CLOSE)).startswith(b"HTTP/1.1 503 "):
        assert time.monotonic() < deadline, received
    assert b"5" in received
    for connection in held:
        connection.close()
    deadline = time.monotonic() + 5
    while server.get("/ping").status != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_slow_loris_is_shown_the_door(new_server: Callable[..., Server]) -> None:
    server = new_server(RADIXINSIGHT_CLICKHOUSE_HEADER_TIMEOUT_S="1").start()
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        is_out = False
        for number in range(600):
            try:
                client.sendall(b"a" if number else b"GET /ping HTTP/1.1\r\nX-Slow: ")
                client.settimeout(0.1)
                client.recv(4096)
                is_out = True
            except TimeoutError:
                continue
            except OSError:
                is_out = True
            if is_out:
                break
        assert is_out
    assert server.get("/ping").status == 200


def test_a_body_that_stops_coming_is_given_up(new_server: Callable[..., Server]) -> None:
    server = new_server(RADIXINSIGHT_CLICKHOUSE_BODY_TIMEOUT_S="1").start()
    server.query("create table t (x UInt8) engine MergeTree order by x")
    head = f"POST {target(query='insert into t format TSV')} HTTP/1.1\r\nHost: x\r\n"
    credentials = f"Authorization: {basic('admin', 'a-secret')['Authorization']}\r\n"
    raw(server, f"{head}{credentials}Content-Length: 100\r\n\r\n1\n2\n".encode())
    assert server.value("select count() from t") == "0"
    assert server.value("select count() from system.processes") == "1"


def running(server: Server, marker: str) -> int:
    return int(
        server.value(
            "select count() from system.processes "
            f"where query like '%{marker}%' and query not like '%system.processes%'"
        )
    )


def wait_until(condition: Callable[[], bool], timeout_s: float = 10) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("marker", "sql"),
    [
        ("m_silent", "select /* m_silent */ count() from numbers(1e12) where sipHash64(number) = 1"),
        ("m_stream", "select /* m_stream */ number, repeat('x', 100) from numbers(1e12) format TSV"),
        ("m_document", "select /* m_document */ number, repeat('x', 100) from numbers(1e12) format JSON"),
        ("m_waiting", "select /* m_waiting */ sleepEachRow(1) from numbers(1000) settings max_block_size = 1"),
        (
            "m_insert",
            (
                "insert into function null('x UInt64') select /* m_insert */ sleepEachRow(1) from numbers(1000) "
                "settings max_block_size = 1"
            ),
        ),
        (
            "m_fill",
            (
                "create or replace table default.filled engine MergeTree order by x as select /* m_fill */ "
                "sleepEachRow(1) as x from numbers(1000) settings max_block_size = 1"
            ),
        ),
    ],
)
def test_a_client_that_goes_away_takes_its_query_along(server: Server, marker: str, sql: str) -> None:
    with closing(server.connection()) as connection:
        connection.request("POST", target(user="admin", password="a-secret"), sql)
        wait_until(lambda: running(server, marker) == 1)
        time.sleep(0.3)
        assert running(server, marker) == 1
    wait_until(lambda: running(server, marker) == 0)


def test_a_reader_that_is_slow_is_waited_for(server: Server) -> None:
    connection = server.connection()
    connection.request(
        "POST",
        target(user="admin", password="a-secret"),
        "select repeat('x', 1000) from numbers(20000) format RowBinary",
    )
    response = connection.getresponse()
    response.read(1000)
    time.sleep(1.5)
    assert len(response.read()) == 20000 * 1002 - 1000
    connection.close()


def test_external_tables_over_the_limit_are_refused_by_name(new_server: Callable[..., Server]) -> None:
    server = new_server(RADIXINSIGHT_CLICKHOUSE_MAX_EXTERNAL_TABLE_BYTES="100000").start()
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    address = target(query="select count() from e", e_structure="x UInt8")
    for rows, expected in ((1000, (200, 0)), (100_000, (413, 307))):
        part = b'--b\r\nContent-Disposition: form-data; name="e"; filename="e"\r\n\r\n' + b"1\n" * rows
        answer = server.request("POST", address, part + b"\r\n--b--\r\n", headers, "reader")
        assert (answer.status, answer.code) == expected, answer.text


@pytest.mark.parametrize("name", ["JSONEachRow", "Native"])
def test_results_that_are_held_back_have_a_bound_on_disk(new_server: Callable[..., Server], name: str) -> None:
    server = new_server(RADIXINSIGHT_CLICKHOUSE_MAX_HELD_RESULT_BYTES=str(20 * 1024**2)).start()
    too_large = f"select number, 'endless' as marker from numbers(100000000000) format {name}"
    answer = server.query(too_large, user="reader", wait_end_of_query="1")
    assert answer.status == 413, answer.text
    assert answer.code == 307
    assert "MAX_HELD_RESULT_BYTES" in answer.text
    wait_until(lambda: running(server, "endless") == 0)
    # The space is given back: what fits comes again and again.
    for _ in range(3):
        fits = server.query(f"select number from numbers(1000000) format {name}", user="reader", wait_end_of_query="1")
        assert fits.status == 200, fits.text
