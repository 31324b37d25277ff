"""When the refresh runs."""

import dagster as dg

from orchestration.defs.refresh.jobs import refresh
from orchestration.runs import status_at_first
from orchestration.settings import OrchestrationSettings


def build_refresh_schedule(settings: OrchestrationSettings) -> dg.ScheduleDefinition:
    """Return the schedule of the refresh; a tick that finds one still going or waiting is skipped."""

    @dg.schedule(
        job=refresh,
        name="refresh_schedule",
        cron_schedule=settings.refresh_cron,
        execution_timezone="UTC",
        default_status=status_at_first(settings),
        description="Runs the refresh, unless the last one has not ended yet.",
    )
    def refresh_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        unfinished = context.instance.get_run_records(
            dg.RunsFilter(job_name=refresh.name, statuses=_UNFINISHED), limit=1
        )
        if unfinished:
            return dg.SkipReason(f"Run {unfinished[0].dagster_run.run_id} has not ended yet.")
        return dg.RunRequest(tags={"radixinsight/trigger": "schedule"})

    return refresh_schedule


_UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
