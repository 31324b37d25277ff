import threading
import time
from collections.abc import Callable

import pytest

from tests.contract.clickhouse.harness import Server, basic, target

CONNECTIONS = 200
FIVE_GB = 5_000_000_000


@pytest.mark.slow
def test_two_hundred_connections_are_served_at_once(new_server: Callable[..., Server]) -> None:
    server = new_server().start()
    server.query("create table t (x UInt64) engine MergeTree order by x")
    together = threading.Barrier(CONNECTIONS)
    answers: list[tuple[int, bytes]] = []

    def work(number: int) -> None:
        connection = server.connection()
        connection.connect()
        together.wait(timeout=60)
        for sql, body in (
            (f"select {number} + 1", b""),
            ("select sum(number) from numbers(10000)", b""),
            ("insert into t format TSV", b"%d\n" % number),
        ):
            connection.request("POST", target(query=sql), body, basic("radixinsight", "r-secret"))
            response = connection.getresponse()
            answers.append((response.status, response.read()))
        connection.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert [status for status, _ in answers] == [200] * (3 * CONNECTIONS)
    assert {body for _, body in answers} >= {b"%d\n" % (number + 1) for number in range(CONNECTIONS)}
    assert server.value("select count(), uniqExact(x) from t") == f"{CONNECTIONS}\t{CONNECTIONS}"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["RowBinary", "JSON"])
def test_a_huge_result_streams_without_growing_the_server(new_server: Callable[..., Server], name: str) -> None:
    """5 GB in a format that streams by itself, 1 GB in one with a footer."""
    server = new_server().start()
    server.query("select repeat('x', 1000) from numbers(100000) format RowBinary")
    size = FIVE_GB if name == "RowBinary" else FIVE_GB // 5
    before = peak = server.rss_bytes()
    connection = server.connection()
    connection.request(
        "POST",
        target(user="admin", password="a-secret"),
        f"select repeat('x', 1000) as x from numbers({size // 1002}) format {name}",
    )
    response = connection.getresponse()
    received, checked = 0, time.monotonic()
    buffer = bytearray(1 << 20)
    while got := response.readinto(buffer):
        received += got
        if time.monotonic() - checked > 0.2:
            peak, checked = max(peak, server.rss_bytes()), time.monotonic()
    connection.close()
    assert received >= size // 1002 * 1002
    assert peak - before < 200 * 1024 * 1024
