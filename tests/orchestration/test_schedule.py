from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from orchestration.defs.refresh.schedules import build_refresh_schedule
from orchestration.settings import OrchestrationSettings


@pytest.fixture(autouse=True)
def addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Name engines, as every process under the supervisor has them; none of them is asked."""
    monkeypatch.setenv("CLICKHOUSE_URL", "http://nowhere.invalid/")
    monkeypatch.setenv("DATABASE_URL", "postgresql://nowhere.invalid/")


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """Keep runs in a directory of the test's own; a schedule cannot be given an instance in memory."""
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield instance


def tick(definitions: dg.Definitions, instance: dg.DagsterInstance) -> object:
    schedule = definitions.resolve_schedule_def("refresh_schedule")
    return schedule(dg.build_schedule_context(instance=instance))


def begin(definitions: dg.Definitions, instance: dg.DagsterInstance, status: dg.DagsterRunStatus) -> None:
    instance.create_run_for_job(definitions.resolve_job_def("refresh"), status=status)


def test_the_refresh_is_due_every_five_minutes_without_being_switched_on(definitions: dg.Definitions) -> None:
    schedule = definitions.resolve_schedule_def("refresh_schedule")
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("*/5 * * * *", "UTC")
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING


def test_it_can_be_left_off() -> None:
    schedule = build_refresh_schedule(OrchestrationSettings(refresh_enabled=False))
    assert schedule.default_status is dg.DefaultScheduleStatus.STOPPED


def test_a_tick_requests_a_run_that_says_who_asked(definitions: dg.Definitions, instance: dg.DagsterInstance) -> None:
    request = tick(definitions, instance)
    assert isinstance(request, dg.RunRequest)
    assert request.tags["radixinsight/trigger"] == "schedule"


@pytest.mark.parametrize("name", ["refresh", "reconcile", "materialise"])
def test_a_run_of_some_assets_of_a_job_says_what_it_is_for(definitions: dg.Definitions, name: str) -> None:
    job = definitions.resolve_job_def(name)
    # Dagster's page names all assets, and gives a run the tags of the job over them.
    named = job.get_subset(asset_selection=job.asset_layer.asset_graph.materializable_asset_keys)
    assert named.tags["radixinsight/pipeline"] == name
    assert named.tags["dagster/max_runtime"] == "3600"


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED])
def test_a_tick_waits_for_the_last_refresh_to_end(
    definitions: dg.Definitions, instance: dg.DagsterInstance, status: dg.DagsterRunStatus
) -> None:
    begin(definitions, instance, status)
    assert isinstance(tick(definitions, instance), dg.SkipReason)


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE])
def test_a_refresh_that_ended_holds_nobody_up(
    definitions: dg.Definitions, instance: dg.DagsterInstance, status: dg.DagsterRunStatus
) -> None:
    begin(definitions, instance, status)
    assert isinstance(tick(definitions, instance), dg.RunRequest)
