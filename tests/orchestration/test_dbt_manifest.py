import json
import os
import shutil
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from core.insights.lists import LISTS
from engine.dbt_runs import copy_project
from orchestration import dbt_manifest
from orchestration.dbt_manifest import REFUSED, DbtProjectError, connection_variables, prepare, run_directory
from orchestration.defs.models.assets import build_model_assets
from orchestration.defs.models.checks import insight_definitions
from orchestration.settings import OrchestrationSettings
from runtime.directory import DataDirectory


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Write the smallest dbt project there is."""
    directory = tmp_path / "project"
    (directory / "models").mkdir(parents=True)
    (directory / "dbt_project.yml").write_text("name: tiny\nversion: '1.0.0'\nprofile: tiny\n")
    (directory / "profiles.yml").write_text(
        "tiny: {target: t, outputs: {t: {type: clickhouse, schema: tiny, host: nowhere.invalid}}}\n"
    )
    (directory / "models" / "one.sql").write_text("select 1 as one")
    return directory


def test_a_project_is_parsed_once_and_anew_when_it_changes(project: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    first = prepare(project, state)
    assert {"manifest.json", "partial_parse.msgpack"} <= {entry.name for entry in first.iterdir()}
    before = (first / "manifest.json").stat().st_mtime_ns
    assert prepare(project, state) == first
    assert (first / "manifest.json").stat().st_mtime_ns == before
    (project / "models" / "two.sql").write_text("select 2 as two")
    assert prepare(project, state) != first


def test_what_dbt_writes_into_a_project_does_not_change_it(project: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    first = prepare(project, state)
    for made in ("target", "logs"):
        (project / made).mkdir(exist_ok=True)
        (project / made / "something").write_text("new")
    assert prepare(project, state) == first


def test_other_databases_need_another_parse(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = prepare(project, tmp_path / "state")
    monkeypatch.setenv("RADIXINSIGHT_DBT_PREFIX", "other_")
    assert prepare(project, tmp_path / "state") != before


def test_an_invalid_project_says_what_dbt_said_and_leaves_nothing(project: Path, tmp_path: Path) -> None:
    (project / "models" / "one.sql").write_text("select * from {{ ref('missing') }}")
    with pytest.raises(DbtProjectError, match="missing"):
        prepare(project, tmp_path / "state")
    assert [entry.name for entry in (tmp_path / "state").iterdir()] == ["lock"]


def test_a_project_that_became_invalid_is_taken_as_it_was_until_it_is_mended(project: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    before = prepare(project, state)
    slip = project / "models" / "two.sql"
    slip.write_text("select * from {{ ref('missing') }}")
    assert prepare(project, state) == before
    said = (state / REFUSED).read_text()
    assert "two.sql" in said
    assert "'missing'" in said
    written = (state / REFUSED).stat().st_mtime_ns
    assert prepare(project, state) == before
    assert (state / REFUSED).stat().st_mtime_ns == written
    # Not the files may have been why: dbt is asked again after a while.
    os.utime(state / REFUSED, (0, 0))
    assert prepare(project, state) == before
    assert (state / REFUSED).stat().st_mtime_ns > written
    slip.write_text("select 2 as two")
    assert prepare(project, state) != before
    assert not (state / REFUSED).exists()


def test_the_runtime_looks_for_what_dbt_refused_where_it_is_written(settings: OrchestrationSettings) -> None:
    assert DataDirectory.at(settings.data_dir).refused_models.absolute() == settings.dbt_state_dir / REFUSED


FUNNEL = "kind: funnel\ndescription: d\nsteps: [a, b]\n"


def test_the_models_of_definitions_are_written_before_a_project_is_parsed(tmp_path: Path) -> None:
    project = tmp_path / "project"
    copy_project(project)
    (project / "insights" / "funnel_mine.yml").write_text(FUNNEL)
    (project / "insights" / "cohort_mine.yml").write_text("kind: cohort\ndescription: d\nwho: [{listed: chosen}]\n")
    (project / LISTS / "chosen.csv").write_text("project_id,user_id\n")
    parsed = prepare(project, tmp_path / "state")
    assert "model.radixinsight.funnel_mine" in json.loads((parsed / "manifest.json").read_bytes())["nodes"]
    # A list is an asset like another, made before what is made of it.
    assets = build_model_assets(parsed, stale_after=timedelta(hours=1))
    chosen, cohort = dg.AssetKey(["marts", "chosen"]), dg.AssetKey(["marts", "cohort_mine"])
    assert chosen in assets.keys
    assert assets.asset_deps[cohort] == {
        chosen,
        *(dg.AssetKey(["marts", name]) for name in ("dim_persons", "fct_merges")),
    }
    assert assets.group_names_by_key[chosen] == "lists"
    assert assets.descriptions_by_key[chosen].startswith("One row per ")


def test_a_wrong_definition_leaves_the_models_as_they_were_and_is_named_by_a_check(
    project: Path, tmp_path: Path
) -> None:
    definitions, models = project / "insights", project / "models" / "marts" / "insights"
    definitions.mkdir()
    (definitions / "funnel_mine.yml").write_text(FUNNEL)
    dbt_manifest.write_marts(project)
    before = {file: file.read_text() for file in models.iterdir()}
    (definitions / "funnel_mine.yml").write_text(FUNNEL + "windw: 3d\n")
    for file in before:
        # The tiny project has no macros, and there is nothing to parse for it.
        file.rename(file.with_name(f"{file.name}.kept"))
    prepare(project, tmp_path / "state")
    assert {file: file.with_name(f"{file.name}.kept").read_text() for file in before} == before
    assert not any(file.exists() for file in before)
    settings = OrchestrationSettings(data_dir=tmp_path, dbt_project_dir=project)
    result = insight_definitions(settings=settings)
    assert isinstance(result, dg.AssetCheckResult)
    assert not result.passed
    problems = ["insights/funnel_mine.yml:4: windw: there is no such key here"]
    assert result.metadata["problems"] == dg.JsonMetadataValue(problems)
    assert result.metadata["unwritten"] == dg.JsonMetadataValue([])


def test_only_the_latest_run_directories_are_kept(tmp_path: Path) -> None:
    parsed = tmp_path / "parsed-1"
    parsed.mkdir()
    (parsed / "partial_parse.msgpack").write_bytes(b"parse")
    for n in range(25):
        with run_directory(parsed, f"{n:08}") as directory:
            assert (directory / "partial_parse.msgpack").read_bytes() == b"parse"
            os.utime(directory, (n, n))
        os.utime(directory, (n, n))
    kept = {entry.name[:8] for entry in (tmp_path / "runs").iterdir()}
    assert kept == {f"{n:08}" for n in range(5, 25)}
    assert not list((tmp_path / "runs").glob("*/partial_parse.msgpack"))


def test_the_connection_of_dbt_follows_from_the_address() -> None:
    assert connection_variables("https://me:p%40ss%2F@db.example/") == {
        "RADIXINSIGHT_DBT_HOST": "db.example",
        "RADIXINSIGHT_DBT_PORT": "8443",
        "RADIXINSIGHT_DBT_USER": "me",
        "RADIXINSIGHT_DBT_PASSWORD": "p@ss/",
    }


def test_dbt_is_the_one_of_this_environment() -> None:
    assert shutil.which(str(dbt_manifest.DBT_EXECUTABLE))
