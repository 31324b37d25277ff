"""A canary goes the whole way, and its age tells how far the way is open."""

import os
import time
from collections.abc import Callable, Generator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from core import metadata, warehouse
from core.clock import utc_now
from core.metadata.migrate import migrate as migrate_metadata
from core.warehouse.migrate import migrate
from ingestion.shipper.watch import WarehouseWatch
from runtime.credentials import load_credentials
from runtime.directory import DataDirectory
from runtime.instance import Instance
from runtime.project_keys import ProjectKeys, create_project
from tests.contract.clickhouse.harness import PASSWORDS, Server
from tests.ingestion.harness import Line, landed_events


def wait_for(condition: Callable[[], bool]) -> None:
    """Return when it holds; fail when it doesn't in time."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.fixture
def server(tmp_path: Path) -> Generator[Server]:
    """Return a ClickHouse that may be stopped."""
    server = Server(tmp_path / "clickhouse").start()
    yield server
    server.stop()


@pytest.fixture
def database_url(runtime: Instance) -> Generator[str]:
    """Return a metadata database of this test's own: with the other tests' projects a round is hundreds of canaries."""
    name = f"canary_{os.urandom(6).hex()}"
    address = make_url(runtime.database_url)
    password = load_credentials(DataDirectory.at(runtime.data_dir)).postgres_superuser
    admin = address.set(username="postgres", password=password, database="postgres")
    own = metadata.connect(address.set(database=name).render_as_string(hide_password=False))
    with psycopg.connect(admin.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute(
            sql.SQL("create database {} owner {}").format(*map(sql.Identifier, (name, address.username or "")))
        )
        migrate_metadata(own)
        own.dispose()
        yield own.url.set(drivername=address.drivername).render_as_string(hide_password=False)
        connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture
def project(database_url: str) -> ProjectKeys:
    """Return the only project there is."""
    return create_project(database_url, "Shop", key_name="test")


@pytest.fixture
def line(runtime: Instance, database_url: str, server: Server, tmp_path: Path) -> Generator[Line]:
    """Return a collector that sends a canary each half second, and a shipper that looks as often."""
    url = f"http://radixinsight:{PASSWORDS['radixinsight']}@127.0.0.1:{server.port}/"
    with warehouse.connect(url) as client:
        migrate(client)
    line = Line(
        runtime.variables | {"CLICKHOUSE_URL": url, "DATABASE_URL": database_url},
        tmp_path,
        RADIXINSIGHT_COLLECTOR_CANARY_INTERVAL_S="0.5",
        RADIXINSIGHT_SHIPPER_WATCH_INTERVAL_S="0.2",
    )
    yield line
    line.stop()


@pytest.mark.slow
def test_the_age_of_the_canary_grows_while_clickhouse_is_away_and_falls_when_it_is_back(
    line: Line, server: Server, project: ProjectKeys
) -> None:
    line.collector.start()
    line.shipper.start()

    def age() -> float:
        return line.shipper.metrics().get(f'radixinsight_canary_age_seconds{{project="{project.id}"}}', 1e9)

    wait_for(lambda: age() < 3)
    server.kill()
    wait_for(lambda: age() > 6)
    assert line.collector.metrics()["radixinsight_collector_canaries_sent_total"] > 0
    server.start()
    wait_for(lambda: age() < 3)


@pytest.mark.slow
def test_each_project_gets_canaries_that_tell_themselves_apart(
    line: Line, server: Server, project: ProjectKeys
) -> None:
    line.collector.start()
    line.shipper.start()
    with warehouse.connect(f"http://radixinsight:{PASSWORDS['radixinsight']}@127.0.0.1:{server.port}/") as client:
        wait_for(lambda: len(landed_events(client, project.id)) > 1)
        rows = landed_events(client, project.id)
    assert {(row["protocol"], row["type"], row["event"]) for row in rows} == {("canary", "track", "$canary")}
    assert len({row["message_id"] for row in rows}) == len(rows)


def test_the_watch_shows_what_the_last_reconciliation_found(server: Server) -> None:
    url = f"http://radixinsight:{PASSWORDS['radixinsight']}@127.0.0.1:{server.port}/"
    with warehouse.connect(url) as client:
        migrate(client)
    now = utc_now()
    names = ["day", "project_id", "lost", "doubled", "reconciled_at"]
    with warehouse.connect(url) as client:
        for lost, at in ((9, now - timedelta(hours=1)), (3, now)):
            row = [now.date() - timedelta(days=1), 1, lost, 1, at]
            client.insert("reconciliation", [row], column_names=names, database="governance")
    watch = WarehouseWatch(url)
    watch.look()
    seen = {family.name: family.samples[0].value for family in watch.collect() if family.samples}
    assert seen["radixinsight_reconciliation_lost_events"] == 3
    assert seen["radixinsight_reconciliation_surplus_events"] == 1
    assert 0 <= seen["radixinsight_reconciliation_age_seconds"] < 60
