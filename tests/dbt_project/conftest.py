"""The engine, and a table of modelled events on it."""

from collections.abc import Iterator

import pytest
from clickhouse_connect.driver.client import Client

from core.warehouse.client import connect
from engine.event_table import EventTable, event_table
from runtime.instance import Instance


@pytest.fixture(scope="session")
def client(runtime: Instance) -> Iterator[Client]:
    """Connect as the services do."""
    with connect(runtime.clickhouse_url) as connected:
        yield connected


@pytest.fixture(scope="session")
def table(client: Client) -> Iterator[EventTable]:
    """Create an empty table of modelled events."""
    with event_table(client) as created:
        yield created
