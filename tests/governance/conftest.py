"""Landing and governance tables of a test's own, in the embedded warehouse."""

import json
import os
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from core import warehouse
from core.clock import utc_now
from runtime.instance import Instance

LandEvents = Callable[..., None]


@pytest.fixture(scope="session")
def client(runtime: Instance) -> Iterator[Client]:
    """Connect as the services do."""
    with warehouse.connect(runtime.clickhouse_url) as connected:
        yield connected


@pytest.fixture
def landing(client: Client) -> Iterator[str]:
    """Create a database with empty landing tables and return its name."""
    name = f"landing_{os.urandom(6).hex()}"
    client.command(f"create database {name}")
    for table in ("events", "rejects"):
        client.command(f"create table {name}.{table} as raw.{table}")
    yield name
    client.command(f"drop database {name}")


@pytest.fixture
def governance(client: Client) -> Iterator[str]:
    """Create a database with empty governance tables and return its name."""
    name = f"governance_{os.urandom(6).hex()}"
    client.command(f"create database {name}")
    for table in ("pii_findings", "pii_scans", "event_properties", "schema_changes"):
        client.command(f"create table {name}.{table} as governance.{table}")
    yield name
    client.command(f"drop database {name}")


@pytest.fixture
def land(client: Client, landing: str) -> LandEvents:
    """Return a function that inserts sound events, each with the given differences."""

    def insert(*differences: dict[str, Any]) -> None:
        rows = [_event() | difference for difference in differences]
        client.insert("events", [list(row.values()) for row in rows], column_names=list(rows[0]), database=landing)

    return insert


def _event() -> dict[str, Any]:
    now: datetime = utc_now()
    return {
        "project_id": 1,
        "message_id": os.urandom(8).hex(),
        "type": "track",
        "event": "signup",
        "anonymous_id": "device",
        "user_id": "",
        "group_id": "",
        "timestamp": now,
        "sent_at": now,
        "received_at": now,
        "properties": json.dumps({"plan": "pro"}),
        "traits": "",
        "context": "",
    }
