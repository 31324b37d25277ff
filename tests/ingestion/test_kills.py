"""kill -9 under load: what was acknowledged is stored, and stored once."""

import random
import time
from collections.abc import Generator
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from core import warehouse
from core.warehouse.migrate import migrate
from runtime.instance import Instance
from runtime.project_keys import ProjectKeys
from tests.contract.clickhouse.harness import PASSWORDS, Server
from tests.ingestion.harness import Line, Program, Sender
from tests.ingestion.load import Load, verify

pytestmark = pytest.mark.slow


@pytest.fixture
def line(runtime: Instance, tmp_path: Path) -> Generator[Line]:
    """Return a collector and a shipper that may be killed."""
    line = Line(runtime.variables, tmp_path)
    line.collector.start()
    line.shipper.start()
    yield line
    line.stop()


def storm(line: Line, victim: Program | Server, project: ProjectKeys, kills: int = 3) -> Load:
    """Send while killing the victim again and again, then let everything be shipped."""
    load = Load(Sender(line.collector.url, project.write_key))
    generator = random.Random(7)  # noqa: S311 - a load, not a secret
    for _ in range(kills):
        time.sleep(generator.uniform(0.2, 0.8))
        victim.kill()
        victim.start()
    time.sleep(0.3)
    load.stop()
    line.wait_until_shipped()
    return load


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
