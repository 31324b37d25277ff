import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.clickhouse.harness import PASSWORDS, Server, target


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Start a server of this test's own."""
    started = Server(tmp_path / "data").start()
    yield started
    started.stop()


def test_a_client_that_breaks_off_leaves_no_row_that_it_did_not_send(server: Server) -> None:
    """RowBinary takes any byte for a row, so whatever the server added to a broken body would be stored."""
    server.query("create table t (x UInt8) engine MergeTree order by x")
    address = target(query="insert into t format RowBinary", user="admin", password=PASSWORDS["admin"])
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(f"POST {address} HTTP/1.1\r\nHost: x\r\nContent-Length: 40000000\r\n\r\n".encode())
        client.sendall(b"\x07" * 3_000_000)
        time.sleep(0.3)
    deadline = time.monotonic() + 10
    while server.value("select count() from system.processes where query like 'insert into t%'") != "0":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert server.value("select count() from t where x != 7") == "0"
