"""Forgets old runs: the refresh leaves 288 of them a day, each with some hundred events and a log of its own."""

from datetime import datetime, timedelta
from typing import Any

import dagster as dg

from core.clock import utc_now
from orchestration.settings import OrchestrationSettings

_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_BATCH = 100


def forget_runs(instance: dg.DagsterInstance, before: datetime) -> int:
    """Delete every run that ended and was created before `before` (UTC), with its events and logs; return how many."""
    forgotten = 0
    while records := instance.get_run_records(
        dg.RunsFilter(statuses=_ENDED, created_before=before), limit=_BATCH, ascending=True
    ):
        for record in records:
            run_id = record.dagster_run.run_id
            instance.compute_log_manager.delete_logs(prefix=[run_id])
            instance.delete_run(run_id)
            forgotten += 1
    return forgotten


@dg.op
def forget_old_runs(
    context: dg.OpExecutionContext, settings: dg.ResourceParam[OrchestrationSettings]
) -> dg.Output[None]:
    """Delete the runs that are older than the settings keep."""
    before = utc_now() - timedelta(days=settings.keep_runs_days)
    metadata: dict[str, Any] = {"runs_forgotten": forget_runs(context.instance, before)}
    return dg.Output(None, metadata=metadata)


@dg.job(
    executor_def=dg.in_process_executor,
    tags={"radixinsight/pipeline": "history"},
    description="Deletes old runs, their events and their logs.",
)
def history() -> None:
    """Keep Dagster's own storage from growing without end."""
    forget_old_runs()


history_schedule = dg.ScheduleDefinition(
    name="history_schedule",
    job=history,
    cron_schedule="17 3 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    tags={"radixinsight/trigger": "schedule"},
    description="Once a night.",
)
