import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_migrations.migrator import Migrator
from clickhouse_migrations.substitution import substitute

from core import warehouse
from core.warehouse.migrate import MIGRATIONS, Layout, MigrationError, migrate
from runtime.instance import Instance

FIRST = "create table if not exists {db}.one ${{on_cluster}} (x UInt8) engine = ${{replicated}}MergeTree order by x;"
SECOND = "-- a comment; with a semicolon\ninsert into {db}.one values (1);\ninsert into {db}.one values (2);"


@pytest.fixture
def client(runtime: Instance) -> Generator[Client]:
    """Return a client of the embedded server."""
    with warehouse.connect(runtime.clickhouse_url) as client:
        yield client


@pytest.fixture
def database(client: Client) -> Generator[str]:
    """Return the name of a database that no other test uses; it need not exist."""
    name = f"migrations_{os.urandom(4).hex()}"
    yield name
    client.command(f"drop database if exists {name}")


def write(directory: Path, name: str, sql: str, database: str) -> None:
    """Write a migration."""
    (directory / name).write_text(sql.format(db=database))


def test_files_are_applied_once_and_in_order(client: Client, database: str, tmp_path: Path) -> None:
    write(tmp_path, "0001_one.sql", FIRST, database)
    write(tmp_path, "0002_two.sql", SECOND, database)
    assert migrate(client, directory=tmp_path, database=database) == ["0001_one.sql", "0002_two.sql"]
    assert migrate(client, directory=tmp_path, database=database) == []
    assert client.query(f"select x from {database}.one order by x").result_rows == [(1,), (2,)]


def test_a_new_file_is_applied_later(client: Client, database: str, tmp_path: Path) -> None:
    write(tmp_path, "0001_one.sql", FIRST, database)
    migrate(client, directory=tmp_path, database=database)
    write(tmp_path, "0002_two.sql", SECOND, database)
    assert migrate(client, directory=tmp_path, database=database) == ["0002_two.sql"]


def test_an_applied_file_that_was_changed_is_named_and_nothing_is_run(
    client: Client, database: str, tmp_path: Path
) -> None:
    write(tmp_path, "0001_one.sql", FIRST, database)
    migrate(client, directory=tmp_path, database=database)
    write(tmp_path, "0001_one.sql", FIRST + "\n", database)
    write(tmp_path, "0002_two.sql", SECOND, database)
    with pytest.raises(MigrationError, match=r"0001_one\.sql was changed after it was applied"):
        migrate(client, directory=tmp_path, database=database)
    assert client.query(f"select x from {database}.one").result_rows == []


def test_a_database_of_a_newer_version_is_refused(client: Client, database: str, tmp_path: Path) -> None:
    write(tmp_path, "0001_one.sql", FIRST, database)
    write(tmp_path, "0002_two.sql", SECOND, database)
    migrate(client, directory=tmp_path, database=database)
    (tmp_path / "0002_two.sql").unlink()
    with pytest.raises(MigrationError, match="newer version"):
        migrate(client, directory=tmp_path, database=database)


@pytest.mark.parametrize("path", sorted(MIGRATIONS.glob("*.sql")), ids=lambda path: path.name)
def test_every_table_of_ours_can_live_on_a_cluster(path: Path) -> None:
    for statement in Migrator.script_to_statements(path.read_text(), multi_statement=True):
        rendered = substitute(statement, Layout("main").variables, path.name)
        assert 'on cluster "main"' in rendered
        assert "engine = Replicated" in rendered or "create database" in rendered or "alter table" in rendered


def test_a_cluster_name_that_is_none_is_refused() -> None:
    with pytest.raises(MigrationError):
        Layout("main; drop table x")


def test_many_processes_may_migrate_at_once(runtime: Instance) -> None:
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "core.migrate"],
            env=os.environ | runtime.variables,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for process in started:
        _, errors = process.communicate(timeout=200)
        assert process.returncode == 0, errors
        assert "applied=[]" in errors


def test_what_insights_were_answered_with_outlives_the_place_for_failures(
    client: Client, database: str, tmp_path: Path
) -> None:
    made, place = (
        (MIGRATIONS / f"{name}.sql").read_text() for name in ("0108_insight_results", "0109_insight_failures")
    )
    of_test = f"{database}.results"
    (tmp_path / "0001_made.sql").write_text(
        made.replace("exists insights ", f"exists {database} ").replace("insights.results", of_test)
    )
    migrate(client, directory=tmp_path, database=database)
    said = f"insert into {of_test} (project_id, insight_id, made_at"
    client.command(f"{said}, answer) values (1, 2, now64(3), 'answer')")
    (tmp_path / "0002_place.sql").write_text(place.replace("insights.results", of_test))
    migrate(client, directory=tmp_path, database=database)
    client.command(f"{said}, error, is_failure) values (1, 2, now64(3) + 1, 'away', true)")
    rows = f"select answer, error, is_failure from {of_test} final order by made_at"
    assert client.query(rows).result_rows == [("answer", "", False), ("", "away", True)]
    client.command(f"{said}, answer) values (1, 2, now64(3) + 2, 'next')")
    assert client.query(rows).result_rows == [("", "away", True), ("next", "", False)]
