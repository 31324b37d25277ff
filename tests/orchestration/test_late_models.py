"""Files that are added to the dbt project while a refresh begins."""

from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from core import warehouse
from orchestration.dbt_manifest import DBT_EXECUTABLE, connection_variables, prepare
from orchestration.defs.models.assets import build_model_assets
from orchestration.resources import DbtResource
from orchestration.settings import OrchestrationSettings
from runtime.instance import Instance

PROJECT = Path(__file__).parents[2] / "dbt_project"


@pytest.fixture
def project(tmp_path: Path, runtime: Instance, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a dbt project of one model in a database of its own."""
    for name, value in connection_variables(runtime.clickhouse_url).items():
        monkeypatch.setenv(name, value)
    directory = tmp_path / "project"
    (directory / "models").mkdir(parents=True)
    (directory / "dbt_project.yml").write_text("{name: late, version: '1.0.0', profile: radixinsight}")
    (directory / "profiles.yml").write_bytes((PROJECT / "profiles.yml").read_bytes())
    (directory / "models" / "early.sql").write_text("{{ config(materialized='view', schema='late') }} select 1 as one")
    return directory


def test_a_model_that_came_after_the_parse_is_built_and_no_failure(
    runtime: Instance, project: Path, tmp_path: Path
) -> None:
    parsed = prepare(project, tmp_path / "state")
    (project / "models" / "late.sql").write_text("{{ config(materialized='view', schema='late') }} select 2 as two")
    result = dg.materialize(
        [build_model_assets(parsed, stale_after=timedelta(hours=1))],
        resources={
            "dbt": DbtResource(
                project_dir=str(project),
                profiles_dir=str(project),
                dbt_executable=str(DBT_EXECUTABLE),
                clickhouse_url=runtime.clickhouse_url,
            ),
            "settings": OrchestrationSettings(data_dir=tmp_path, column_lineage=False),
        },
    )
    assert result.success
    (told,) = result.get_asset_materialization_events()
    assert told.asset_key is not None
    assert told.asset_key.path[-1] == "early"
    with warehouse.connect(runtime.clickhouse_url) as client:
        found = client.query("select database, name from system.tables where name in ('early', 'late')").result_rows
        assert {name for _, name in found} == {"early", "late"}
        for database, name in found:
            client.command(f"drop view {database}.{name}")
