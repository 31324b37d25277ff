"""What jobs and schedules have in common."""

import dagster as dg

from orchestration.settings import OrchestrationSettings


def run_tags(pipeline: str) -> dict[str, str]:
    """Return the tags of a job, which its runs take over: what they are for, and that they end after an hour.

    As the tags of runs alone, those that Dagster's page starts would go without them.
    """
    return {
        "radixinsight/pipeline": pipeline,
        "dagster/max_runtime": "3600",
        # Steps retry by themselves; what still fails is a fact. A run whose process died is started again.
        "dagster/retry_on_asset_or_op_failure": "false",
    }


def status_at_first(settings: OrchestrationSettings) -> dg.DefaultScheduleStatus:
    """Return whether a schedule runs before anybody switched it on or off."""
    return dg.DefaultScheduleStatus.RUNNING if settings.refresh_enabled else dg.DefaultScheduleStatus.STOPPED
