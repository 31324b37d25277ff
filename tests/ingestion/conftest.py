"""A collector and a shipper that run for all tests of a worker."""

from collections.abc import Generator

import pytest
from clickhouse_connect.driver.client import Client

from core import warehouse
from runtime.instance import Instance
from runtime.project_keys import ProjectKeys
from tests.ingestion.harness import Line, Sender


@pytest.fixture(scope="session")
def line(runtime: Instance, tmp_path_factory: pytest.TempPathFactory) -> Generator[Line]:
    """Return a running collector and shipper with a spool of their own."""
    line = Line(runtime.variables, tmp_path_factory.mktemp("line"))
    line.collector.start()
    line.shipper.start()
    yield line
    line.stop()


@pytest.fixture
def sender(line: Line, project: ProjectKeys) -> Sender:
    """Return a client that writes to a project of its own."""
    return Sender(line.collector.url, project.write_key)


@pytest.fixture(scope="session")
def client(runtime: Instance) -> Generator[Client]:
    """Return a client of ClickHouse."""
    with warehouse.connect(runtime.clickhouse_url) as client:
        yield client
