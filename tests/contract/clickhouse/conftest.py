import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.contract.clickhouse.harness import Server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests of this process; a test that harms a server starts one of its own."""
    started = Server(tmp_path_factory.mktemp("clickhouse") / "data").start()
    yield started
    started.stop()


@pytest.fixture
def new_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Make servers that a test may kill; what still runs afterwards is ended."""
    made: list[Server] = []

    def make(**environment: str) -> Server:
        made.append(Server(tmp_path / f"data-{len(made)}", environment=environment))
        return made[-1]

    yield make
    for server in made:
        server.kill()


@pytest.fixture
def database(server: Server) -> Iterator[str]:
    """Make an empty database; it is dropped afterwards."""
    name = f"t_{uuid.uuid4().hex[:12]}"
    assert server.query(f"create database {name}").status == 200
    yield name
    server.query(f"drop database {name} sync")


@pytest.fixture
def stocked(server: Server, database: str) -> str:
    """Make a database with one table `t` of ten rows, 0 to 9, in the column `x`."""
    server.query("create table t (x UInt64) engine MergeTree order by x", database=database)
    server.query("insert into t select number from numbers(10)", database=database)
    return database
