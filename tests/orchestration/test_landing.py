import os
from collections.abc import Iterator
from datetime import timedelta

import pytest
from clickhouse_connect.driver.client import Client

from core import warehouse
from core.clock import utc_now
from core.metadata import Project
from orchestration.defs.landing.arrivals import observe_arrivals
from orchestration.defs.landing.projects import Copied, copy_projects
from runtime.instance import Instance


@pytest.fixture(scope="module")
def client(runtime: Instance) -> Iterator[Client]:
    """Connect as the services do."""
    with warehouse.connect(runtime.clickhouse_url) as connected:
        yield connected


@pytest.fixture
def landing(client: Client) -> Iterator[str]:
    """Create a database with empty landing tables and return its name."""
    name = f"landing_{os.urandom(6).hex()}"
    client.command(f"create database {name}")
    for table in ("events", "rejects", "projects"):
        client.command(f"create table {name}.{table} as raw.{table}")
    yield name
    client.command(f"drop database {name}")


def shop(**changes: object) -> Project:
    values = {"id": 1, "name": "Shop", "timezone": "Europe/Berlin", "week_start": 1, "session_gap_minutes": 30}
    return Project(**values | changes)


def copied(client: Client, landing: str) -> list[tuple[object, ...]]:
    rows = client.query(f"select project_id, name, timezone from {landing}.projects final order by project_id")
    return [tuple(row) for row in rows.result_rows]


def test_projects_are_copied(client: Client, landing: str) -> None:
    assert copy_projects(client, landing, [shop(), shop(id=2, name="Blog")]) == Copied(2, written=2, deleted=0)
    assert copied(client, landing) == [(1, "Shop", "Europe/Berlin"), (2, "Blog", "Europe/Berlin")]


def test_a_rerun_writes_nothing(client: Client, landing: str) -> None:
    copy_projects(client, landing, [shop()])
    assert copy_projects(client, landing, [shop()]) == Copied(1, written=0, deleted=0)
    assert client.command(f"select count() from {landing}.projects") == 1


def test_a_changed_project_replaces_its_row_and_a_deleted_one_goes(client: Client, landing: str) -> None:
    copy_projects(client, landing, [shop(), shop(id=2)])
    assert copy_projects(client, landing, [shop(timezone="UTC")]) == Copied(1, written=1, deleted=1)
    assert copied(client, landing) == [(1, "Shop", "UTC")]


def test_an_empty_landing_table_has_no_instants(client: Client, landing: str) -> None:
    arrivals = observe_arrivals(client, landing)
    assert (arrivals.events, arrivals.latest_received_at, arrivals.data_version) == (0, None, "0-0")


def test_arrivals_tell_how_much_and_when(client: Client, landing: str) -> None:
    now = utc_now()
    rows = [[1, "a", now], [1, "b", now - timedelta(hours=1)], [2, "c", now - timedelta(days=3)]]
    client.insert("events", rows, column_names=["project_id", "message_id", "received_at"], database=landing)
    client.insert("rejects", [[1, now]], column_names=["project_id", "received_at"], database=landing)
    arrivals = observe_arrivals(client, landing)
    assert (arrivals.events, arrivals.events_last_day, arrivals.rejects_last_day) == (3, 2, 1)
    assert (arrivals.projects_last_day, arrivals.latest_received_at) == (1, now)


def test_every_change_of_the_landing_table_changes_its_data_version(client: Client, landing: str) -> None:
    versions = [observe_arrivals(client, landing).data_version]
    for n in range(2):
        row = [[1, str(n), utc_now()]]
        client.insert("events", row, column_names=["project_id", "message_id", "received_at"], database=landing)
        versions.append(observe_arrivals(client, landing).data_version)
    client.command(f"delete from {landing}.events where message_id = '0'")
    versions.append(observe_arrivals(client, landing).data_version)
    assert len(set(versions)) == 4
