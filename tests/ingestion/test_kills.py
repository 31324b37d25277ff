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
from tests.ingestion.harness import Line, Program
from tests.ingestion.storm import Load, storm, verify, verify_books

pytestmark = pytest.mark.slow


@pytest.fixture
def line(runtime: Instance, tmp_path: Path) -> Generator[Line]:
    """Return a collector and a shipper that may be killed."""
    line = Line(runtime.variables, tmp_path)
    line.collector.start()
    line.shipper.start()
    yield line
    line.stop()


def reported_storm(line: Line, victim: Program | Server, project: ProjectKeys) -> Load:
    """Send while killing the victim, and wait until ClickHouse has the ledger too."""
    load = storm(line, victim, project)
    line.wait_until_reported()
    return load


def verify_all(client: Client, project: ProjectKeys, load: Load) -> None:
    """Compare what was acknowledged with what is stored, and both with what the reconciliation says."""
    verify(client, project, load)
    verify_books(client, project, load)


def test_a_killed_collector_loses_and_doubles_nothing(line: Line, project: ProjectKeys, client: Client) -> None:
    verify_all(client, project, reported_storm(line, line.collector, project))


def test_a_killed_shipper_loses_and_doubles_nothing(line: Line, project: ProjectKeys, client: Client) -> None:
    verify_all(client, project, reported_storm(line, line.shipper, project))


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
        load = reported_storm(line, server, project)
    finally:
        line.stop()
    with warehouse.connect(url) as client:
        verify_all(client, project, load)
