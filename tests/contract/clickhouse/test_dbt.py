import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.contract.clickhouse.harness import PASSWORDS, Server

PROJECT = Path(__file__).parent / "dbt_project"
WINDOW = ["--event-time-start", "2026-01-01", "--event-time-end", "2026-01-04"]


@dataclass(frozen=True)
class Project:
    """A copy of the dbt project beside these tests, and the database it builds in."""

    server: Server
    folder: Path
    schema: str

    def run(self, *arguments: str) -> dict[str, str]:
        """Run dbt as a user would, and return the status of each node by its name."""
        environment = os.environ | {
            "CONTRACT_PORT": str(self.server.port),
            "CONTRACT_PASSWORD": PASSWORDS["radixinsight"],
            "CONTRACT_SCHEMA": self.schema,
            "DBT_PROFILES_DIR": str(self.folder),
            "DO_NOT_TRACK": "1",
        }
        done = subprocess.run(
            [Path(sys.executable).with_name("dbt"), *arguments, "--no-version-check"],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=200,
        )
        assert done.returncode == 0, done.stdout[-5000:] + done.stderr
        results = json.loads((self.folder / "target" / "run_results.json").read_text())["results"]
        return {result["unique_id"].split(".")[2]: result["status"] for result in results}

    def rows(self, sql: str) -> list[list[object]]:
        """Query the built database."""
        answer = self.server.query(f"{sql} format JSONCompactEachRow", database=self.schema)
        assert answer.status == 200, answer.text
        return [json.loads(line) for line in answer.text.splitlines()]


@pytest.fixture(scope="module")
def project(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Build the project twice; the second build sees the second batch of orders."""
    folder = tmp_path_factory.mktemp("dbt") / "project"
    shutil.copytree(PROJECT, folder)
    made = Project(server, folder, "dbt_contract")
    for batch in (1, 2):
        statuses = made.run("build", "--vars", json.dumps({"batch": batch}), *WINDOW)
        assert set(statuses.values()) == {"success", "pass"}
        assert len(statuses) > 20
    yield made
    server.query("drop database dbt_contract sync")


# The first test builds the project twice, with a dozen dbt processes.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_seeds_are_loaded_with_their_types(project: Project) -> None:
    sql = "select count()::UInt8, any(toTypeName(ordered_at)), any(toTypeName(status)) from orders"
    assert project.rows(sql) == [[7, "DateTime('UTC')", "LowCardinality(String)"]]


def test_a_view_and_a_table_show_the_latest_batch(project: Project) -> None:
    assert project.rows("select id::UInt8 from orders_view order by id") == [[3], [5], [6]]
    assert project.rows("select id::UInt8 from orders_table order by id") == [[3], [5], [6]]


def test_a_table_is_built_as_configured(project: Project) -> None:
    built = "from system.tables where database = 'dbt_contract' and name = 'orders_table'"
    sql = f"select engine, sorting_key, partition_key, comment {built}"
    assert project.rows(sql) == [
        ["MergeTree", "customer_id, id", "(toYYYYMM(ordered_at))", "One row per order of the batch"]
    ]
    sql = (
        "select comment from system.columns where database = 'dbt_contract' and table = 'orders_table' and name = 'id'"
    )
    assert project.rows(sql) == [["The order's number"]]


def test_append_adds(project: Project) -> None:
    rows = project.rows("select id::UInt8, amount_cents::UInt16 from orders_append order by id, amount_cents")
    assert rows == [[1, 100], [2, 200], [3, 300], [3, 350], [4, 400], [5, 500], [6, 600]]


@pytest.mark.parametrize("strategy", ["delete_insert", "legacy", "microbatch"])
def test_rows_with_the_same_key_are_replaced(project: Project, strategy: str) -> None:
    rows = project.rows(f"select id::UInt8, amount_cents::UInt16 from orders_{strategy} order by id")
    expected = [[1, 100], [2, 200], [3, 350], [4, 400], [5, 500], [6, 600]]
    assert rows == expected


def test_insert_overwrite_replaces_whole_partitions(project: Project) -> None:
    rows = project.rows("select id::UInt8, amount_cents::UInt16 from orders_insert_overwrite order by id")
    assert rows == [[1, 100], [2, 200], [3, 350], [5, 500], [6, 600]]


def test_a_new_column_is_added_to_an_incremental_table(project: Project) -> None:
    rows = project.rows("select id::UInt8, status from orders_widened order by id")
    assert rows == [[1, ""], [2, ""], [3, "paid"], [4, ""], [5, "open"], [6, "open"]]


def test_a_snapshot_keeps_what_was(project: Project) -> None:
    versions = "from orders_history where id in (1, 3, 5) order by id, amount_cents"
    sql = f"select id::UInt8, amount_cents::UInt16, dbt_valid_to is null {versions}"
    assert project.rows(sql) == [[1, 100, 1], [3, 300, 0], [3, 350, 1], [5, 500, 1]]
    sql = "select id::UInt8, status, dbt_valid_to is null from orders_stamped where id = 3 order by status"
    assert project.rows(sql) == [[3, "open", 0], [3, "paid", 1]]


def test_a_materialized_view_caught_up_and_follows(project: Project) -> None:
    summed = "sum(orders)::UInt8, sum(total_cents)::UInt16"
    sql = f"select customer_id::UInt8, {summed} from totals_by_customer group by customer_id order by customer_id"
    assert project.rows(sql) == [[10, 3, 750], [11, 2, 700], [12, 2, 1000]]


def test_a_refreshable_view_is_refreshed(project: Project) -> None:
    project.server.query("system wait view dbt_contract.totals_refreshed_mv")
    sql = "select sum(total_cents)::UInt16 from totals_refreshed"
    project.server.query("system refresh view dbt_contract.totals_refreshed_mv")
    project.server.query("system wait view dbt_contract.totals_refreshed_mv")
    assert project.rows(sql) == [[2450]]


def test_a_dictionary_is_built_and_used_by_a_model(project: Project) -> None:
    assert project.rows("select id::UInt8, name from orders_named order by id") == [
        [3, "Ada"],
        [5, "Blaise"],
        [6, "Charles"],
    ]


def test_a_contract_gives_the_columns_their_types(project: Project) -> None:
    columns = "from system.columns where database = 'dbt_contract' and table = 'orders_contracted'"
    sql = f"select name, type {columns} order by position"
    assert project.rows(sql) == [["id", "UInt32"], ["amount_cents", "UInt64"]]


def test_the_catalog_is_read_for_the_docs(project: Project) -> None:
    project.run("docs", "generate")
    catalog = json.loads((project.folder / "target" / "catalog.json").read_text())
    assert {"orders_table", "orders_view", "orders_append"} <= {
        node["metadata"]["name"] for node in catalog["nodes"].values()
    }


def test_a_full_refresh_builds_anew(project: Project) -> None:
    project.run("run", "--full-refresh", "--select", "orders_delete_insert", "--vars", json.dumps({"batch": 2}))
    assert project.rows("select id::UInt8 from orders_delete_insert order by id") == [[3], [5], [6]]
