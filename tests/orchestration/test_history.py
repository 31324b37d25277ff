from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from core.clock import utc_now
from orchestration.defs.refresh.history import forget_runs


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """Keep runs and logs in a directory of the test's own."""
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield instance


@dg.op
def speak() -> None:
    print("hello")  # noqa: T201 - what the run's log keeps


@dg.job(executor_def=dg.in_process_executor)
def spoken() -> None:
    speak()


def logs(directory: Path) -> list[Path]:
    return [file for file in directory.rglob("*.out") if file.is_file()]


def test_an_old_run_is_forgotten_with_its_events_and_logs(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    run_id = spoken.execute_in_process(instance=instance).run_id
    assert logs(tmp_path)
    assert forget_runs(instance, utc_now() + timedelta(seconds=1)) == 1
    assert instance.get_run_by_id(run_id) is None
    assert not instance.all_logs(run_id)
    assert not logs(tmp_path)


def test_younger_runs_and_runs_that_go_on_are_kept(instance: dg.DagsterInstance) -> None:
    young = spoken.execute_in_process(instance=instance).run_id
    assert forget_runs(instance, utc_now() - timedelta(hours=1)) == 0
    going_on = instance.create_run_for_job(spoken, status=dg.DagsterRunStatus.STARTED).run_id
    assert forget_runs(instance, utc_now() + timedelta(seconds=1)) == 1
    assert [run.run_id for run in instance.get_runs()] == [going_on]
    assert young != going_on
