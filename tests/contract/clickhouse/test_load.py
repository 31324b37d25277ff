import threading
import time
from collections.abc import Callable

import pytest

from tests.contract.clickhouse.harness import PASSWORDS, Server, basic, target

CONNECTIONS = 200
FIVE_GB, ONE_GB = 5_000_000_000, 1_000_000_000
ROW_BYTES = 101


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
@pytest.mark.parametrize(("name", "size"), [("RowBinary", FIVE_GB), ("Native", ONE_GB), ("JSON", ONE_GB)])
def test_a_huge_result_streams_without_growing_the_server(
    new_server: Callable[..., Server], name: str, size: int
) -> None:
    """The engine works in blocks of 65,409 rows, so the rows are as short as rows are: 100 bytes."""
    server = new_server().start()
    server.query("select repeat('x', 100) from numbers(1000000) format RowBinary")
    before = peak = server.rss_bytes()
    connection = server.connection()
    connection.request(
        "POST",
        target(user="admin", password=PASSWORDS["admin"]),
        f"select repeat('x', 100) as x from numbers({size // ROW_BYTES}) format {name}",
    )
    response = connection.getresponse()
    received, checked = 0, time.monotonic()
    buffer = bytearray(1 << 20)
    while got := response.readinto(buffer):
        received += got
        if time.monotonic() - checked > 0.2:
            peak, checked = max(peak, server.rss_bytes()), time.monotonic()
    connection.close()
    assert received >= size // ROW_BYTES * ROW_BYTES
    assert peak - before < 200 * 1024 * 1024
