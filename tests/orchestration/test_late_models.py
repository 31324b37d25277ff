"""Files that are added to the dbt project after it was parsed, or after a run was asked for."""

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run
from dagster._core.execution.execution_result import ExecutionResult

from core import warehouse
from orchestration.dbt_manifest import DBT_EXECUTABLE, connection_variables, prepare
from orchestration.defs.models.assets import build_model_assets
from orchestration.resources import DbtResource, WarehouseResource
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
    add(directory, "early")
    return directory


@pytest.fixture
def built(runtime: Instance) -> Iterator[Callable[[], set[str]]]:
    """Say which models were built; they go after the test."""
    with warehouse.connect(runtime.clickhouse_url) as client:

        def views() -> list[tuple[str, str]]:
            sql = "select database, name from system.tables where name in ('early', 'other', 'late', 'latest')"
            return [(database, name) for database, name in client.query(sql).result_rows]

        yield lambda: {name for _, name in views()}
        for database, name in views():
            client.command(f"drop view {database}.{name}")


def add(project: Path, model: str) -> None:
    (project / "models" / f"{model}.sql").write_text("{{ config(materialized='view', schema='late') }} select 1 as one")


def job_over(project: Path, runtime: Instance, tmp_path: Path) -> dg.JobDefinition:
    """Return the job over all models that the project has now, as a process that starts now loads it."""
    parsed = prepare(project, tmp_path / "state")
    return dg.Definitions(
        assets=[build_model_assets(parsed, stale_after=timedelta(hours=1))],
        jobs=[dg.define_asset_job("all_models", executor_def=dg.in_process_executor)],
        resources={
            "dbt": DbtResource(
                project_dir=str(project),
                profiles_dir=str(project),
                dbt_executable=str(DBT_EXECUTABLE),
                clickhouse_url=runtime.clickhouse_url,
            ),
            "warehouse": WarehouseResource(url=runtime.clickhouse_url),
            "settings": OrchestrationSettings(data_dir=tmp_path, column_lineage=False),
        },
    ).resolve_job_def("all_models")


def keys_of(job: dg.JobDefinition) -> frozenset[dg.AssetKey]:
    return frozenset(job.asset_layer.asset_graph.materializable_asset_keys)


def run_as_asked(
    asked: dg.JobDefinition, selection: Iterable[dg.AssetKey], loaded: dg.JobDefinition
) -> ExecutionResult:
    """Run a selection of the assets that Dagster's page knows, in a process that has `loaded` its own since."""
    selected = frozenset(selection)
    with dg.DagsterInstance.ephemeral() as instance:
        run = instance.create_run_for_job(asked.get_subset(asset_selection=selected), asset_selection=selected)
        return execute_run(InMemoryJob(loaded), run, instance)


def materialized(result: ExecutionResult) -> set[str]:
    return {
        event.asset_key.path[-1]
        for event in result.filter_events(lambda event: event.is_step_materialization)
        if event.asset_key is not None
    }


def test_models_that_came_since_are_built_where_all_are_asked_for_and_are_no_failure(
    runtime: Instance, project: Path, tmp_path: Path, built: Callable[[], set[str]]
) -> None:
    add(project, "other")
    asked = job_over(project, runtime, tmp_path)
    known = keys_of(asked)
    add(project, "late")
    # By a process that has parsed the project before.
    result = asked.execute_in_process()
    assert result.success
    assert materialized(result) == {"early", "other"}
    assert built() == {"early", "other", "late"}

    add(project, "latest")
    loaded = job_over(project, runtime, tmp_path)
    # By one that has parsed it since: whoever asks for one model gets that one.
    result = run_as_asked(asked, [key for key in known if key.path[-1] == "early"], loaded)
    assert result.success
    assert materialized(result) == {"early"}
    assert built() == {"early", "other", "late"}

    result = run_as_asked(asked, known, loaded)
    assert result.success
    assert materialized(result) == {"early", "other"}
    assert built() == {"early", "other", "late", "latest"}
