"""A collector and a shipper that run for all tests of a worker."""

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from clickhouse_connect.driver.client import Client

from core import warehouse
from ingestion.app import create_app
from ingestion.settings import CollectorSettings
from runtime.instance import Instance
from runtime.project_keys import ProjectKeys
from tests.ingestion.harness import Collector, Line, Sender


@pytest.fixture(scope="session")
def line(runtime: Instance, tmp_path_factory: pytest.TempPathFactory) -> Generator[Line]:
    """Return a running collector and shipper with a spool of their own."""
    line = Line(runtime.variables, tmp_path_factory.mktemp("line"))
    line.collector.start()
    line.shipper.start()
    yield line
    line.stop()


@pytest.fixture
def collector(runtime: Instance, tmp_path: Path) -> Collector:
    """Return a maker of collectors in this process, with settings of their own."""

    @asynccontextmanager
    async def run(**settings: Any) -> AsyncGenerator[httpx.AsyncClient]:
        given: dict[str, Any] = {"database_url": runtime.database_url, "data_dir": tmp_path, "canary_interval_s": 0}
        app = create_app(CollectorSettings(**(given | settings)))
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://collector") as client,
        ):
            yield client

    return run


@pytest.fixture
def sender(line: Line, project: ProjectKeys) -> Sender:
    """Return a client that writes to a project of its own."""
    return Sender(line.collector.url, project.write_key)


@pytest.fixture(scope="session")
def client(runtime: Instance) -> Generator[Client]:
    """Return a client of ClickHouse."""
    with warehouse.connect(runtime.clickhouse_url) as client:
        yield client
