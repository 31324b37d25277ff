"""Tables that each run makes anew beside what is there, and what a run that adds rows does with other columns."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from engine.dbt_runs import copy_project, run_dbt
from engine.landing import Landing, landing
from runtime.instance import Instance

pytestmark = pytest.mark.slow

DESCRIBED = """
version: 2
models:
  - name: counted
    description: One row.
    meta: {owner: nobody}
    config:
      contract: {enforced: true}
    columns:
      - {name: number, data_type: UInt8, description: It's a number.}
      - {name: word, data_type: String, description: A word.}
"""


@pytest.fixture
def landed(runtime: Instance, client: Client, tmp_path: Path) -> Iterator[Landing]:
    """Make a landing with a project of its own."""
    project = tmp_path / "project"
    copy_project(project)
    with landing(runtime, client) as made:
        yield dataclasses.replace(made, project=project, directory=tmp_path)


def run(landed: Landing, model: str) -> str:
    for ending, text in ((".sql", model), (".yml", DESCRIBED)):
        (landed.project / "models" / "marts" / f"counted{ending}").write_text(text)
    arguments = ("run", "--select", "counted")
    return run_dbt(arguments, directory=landed.directory, variables=landed.variables, project=landed.project)


def test_a_table_is_whole_from_the_first_and_stays_when_a_run_fails(
    landed: Landing,
) -> None:
    failing = "select toUInt8(throwIf(number = 0)) as number, 'd' as word from numbers(1)"
    assert "throwIf" in run(landed, failing)
    assert landed.rows("select name from system.tables where database = '{marts}' and name = 'counted'") == []
    assert run(landed, "{{ config(materialized='view') }} select toUInt8(1) as number, 'a' as word") == ""
    assert "throwIf" in run(landed, failing)
    assert landed.rows("select number, word from {marts}.counted") == [(1, "a")]
    # In the order of the contract, whatever that of the model.
    assert run(landed, "select 'b' as word, toUInt8(2) as number") == ""
    of_the_table = "database = '{marts}' and table = 'counted' order by position"
    described = landed.rows(f"select name, type, comment from system.columns where {of_the_table}")
    assert described == [("number", "UInt8", "It's a number."), ("word", "String", "A word.")]
    engine = "select engine, comment from system.tables where database = '{marts}' and name = 'counted'"
    assert landed.rows(engine) == [("MergeTree", "One row.")]

    assert "enforced contract that failed" in run(landed, "select toUInt16(3) as number, 'c' as word")
    assert "throwIf" in run(landed, failing)
    indexed = "{{ config(indexes=[{'name': 'i', 'definition': 'number type minmax'}]) }}"
    assert "want materialized='table'" in run(landed, f"{indexed} select toUInt8(4) as number, 'e' as word")
    assert landed.rows("select number, word from {marts}.counted") == [(2, "b")]

    assert run(landed, "select toUInt8(5) as number, 'f' as word") == ""
    assert landed.rows("select name from system.tables where database = '{marts}'") == [("counted",)]


def test_a_column_of_another_type_than_the_table_has_is_an_error(landed: Landing) -> None:
    staged = "stg_collector__events"
    landed.dbt("run", "--select", staged)
    landed.client.command(f"alter table {landed.table(f'staging.{staged}')} modify column sequence Nullable(UInt32)")
    arguments = ("run", "--select", staged)
    said = run_dbt(arguments, directory=landed.directory, variables=landed.variables, project=landed.project)
    assert "a full refresh makes the table anew" in said
