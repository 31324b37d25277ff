"""kill -9 under load: what was acknowledged is stored, and stored once."""

from collections.abc import Generator
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from core import warehouse
from core.warehouse.migrate import migrate
from runtime.instance import Instance
from runtime.project_keys import ProjectKeys
from tests.contract.clickhouse.harness import PASSWORDS, Server
from tests.ingestion.harness import Line
from tests.ingestion.storm import storm, verify

pytestmark = pytest.mark.slow


@pytest.fixture
def line(runtime: Instance, tmp_path: Path) -> Generator[Line]:
    """Return a collector and a shipper that may be killed."""
    line = Line(runtime.variables, tmp_path)
    line.collector.start()
    line.shipper.start()
    yield line
    line.stop()


def test_a_killed_collector_loses_and_doubles_nothing(line: Line, project: ProjectKeys, client: Client) -> None:
    verify(client, project, storm(line, line.collector, project))


def test_a_killed_shipper_loses_and_doubles_nothing(line: Line, project: ProjectKeys, client: Client) -> None:
    verify(client, project, storm(line, line.shipper, project))


@pytest.fixture
def server(tmp_path: Path) -> Generator[Server]:
    """Return a ClickHouse that may be killed."""
    server = Server(tmp_path / "clickhouse").start()
    yield server
    server.stop()


def test_a_killed_clickhouse_loses_and_doubles_nothing(
    runtime: Instance, server: Server, project: ProjectKeys, tmp_path: Path
) -> None:
    url = f"http://radixinsight:{PASSWORDS['radixinsight']}@127.0.0.1:{server.port}/"
    with warehouse.connect(url) as client:
        migrate(client)
    line = Line(runtime.variables | {"CLICKHOUSE_URL": url}, tmp_path)
    line.collector.start()
    line.shipper.start()
    try:
        load = storm(line, server, project)
    finally:
        line.stop()
    with warehouse.connect(url) as client:
        verify(client, project, load)
