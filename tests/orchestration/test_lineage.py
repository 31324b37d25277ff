"""Where columns come from, as ClickHouse tells it of real statements."""

import pytest
from clickhouse_connect.driver.client import Client

from core import warehouse
from orchestration.defs.models.lineage import QUERY_TREE, column_lineage
from runtime.instance import Instance

EVENTS, PROJECTS = "lineage.events", "lineage.projects"
COLUMNS = (
    "id UInt32, project_id UInt32, `odd, name` String, tags Array(String), at DateTime, later DateTime alias at + 1"
)


@pytest.fixture(scope="module")
def client(runtime: Instance) -> Client:
    """Make two tables to ask of, and a view."""
    client = warehouse.connect(runtime.clickhouse_url)
    for statement in (
        "create database if not exists lineage",
        f"create or replace table {EVENTS} ({COLUMNS}) engine MergeTree order by id",
        f"create or replace table {PROJECTS} (project_id UInt32, zone String) engine MergeTree order by project_id",
        f"create or replace view lineage.seen as select id as seen_id from {EVENTS}",
    ):
        client.command(statement)
    return client


def lineage(client: Client, sql: str) -> dict[str, set[str]]:
    """Return of each column of a statement where it comes from, as `table.column`."""
    lines = (line for (line,) in client.query(f"{QUERY_TREE} {sql}").result_rows)
    return {name: {".".join(origin) for origin in origins} for name, origins in column_lineage(lines).items()}


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        # Conditions and keys are not what a column is made of.
        (
            f"select id + 1 as next, count() as rows, 'x' as said from {EVENTS} where project_id = 1 group by id",
            {"next": {f"{EVENTS}.id"}, "rows": set(), "said": set()},
        ),
        (
            f"with named as (select id as a, at as b from {EVENTS}) select b as when, a, a as again from named",
            {"when": {f"{EVENTS}.at"}, "a": {f"{EVENTS}.id"}, "again": {f"{EVENTS}.id"}},
        ),
        # By place, whatever the names.
        (
            f"select id as one from {EVENTS} union all select project_id from {PROJECTS}",
            {"one": {f"{EVENTS}.id", f"{PROJECTS}.project_id"}},
        ),
        (
            f"select e.id as id, zone, project_id from {EVENTS} as e inner join {PROJECTS} as p using (project_id)",
            {
                "id": {f"{EVENTS}.id"},
                "zone": {f"{PROJECTS}.zone"},
                "project_id": {f"{EVENTS}.project_id"},
            },
        ),
        (
            f"select tag, upper(other) as big from {EVENTS} array join tags as tag, arrayMap(x -> x, tags) as other",
            {"tag": {f"{EVENTS}.tags"}, "big": {f"{EVENTS}.tags"}},
        ),
        (
            f"select arrayMap(t -> concat(t, `odd, name`), tags) as said from {EVENTS}",
            {"said": {f"{EVENTS}.tags", f"{EVENTS}.odd, name"}},
        ),
        (
            f"select id in (select project_id from {PROJECTS}) as a, (select max(at) from {EVENTS}) as b from {EVENTS}",
            {"a": {f"{EVENTS}.id", f"{PROJECTS}.project_id"}, "b": {f"{EVENTS}.at"}},
        ),
        (
            f"select sum(id) over (partition by project_id order by at) as so_far from {EVENTS}",
            {"so_far": {f"{EVENTS}.id"}},
        ),
        (
            f"select length(tags) as some, `odd, name` != '' as is_odd, count(at) as times from {EVENTS} group by all",
            {"some": {f"{EVENTS}.tags"}, "is_odd": {f"{EVENTS}.odd, name"}, "times": {f"{EVENTS}.at"}},
        ),
        (
            f"select `odd, name` as said, toDate(at, 'UTC') from (select `odd, name`, at from {EVENTS})",
            {"said": {f"{EVENTS}.odd, name"}, "toDate(at, 'UTC')": {f"{EVENTS}.at"}},
        ),
        # A view is a table of its own.
        ("select seen_id from lineage.seen", {"seen_id": {"lineage.seen.seen_id"}}),
        (f"select later from {EVENTS}", {"later": {f"{EVENTS}.later"}}),
        ("select number as n from numbers(3)", {"n": set()}),
        (
            f"with recursive up as (select id as n from {EVENTS} union all select n + 1 from up) select n from up",
            {"n": {f"{EVENTS}.id"}},
        ),
    ],
)
def test_a_column_comes_from_those_in_its_expression(client: Client, sql: str, expected: dict[str, set[str]]) -> None:
    found = lineage(client, sql)
    assert {
        name: {origin for origin in origins if not origin.startswith("_temporary")} for name, origins in found.items()
    } == expected
