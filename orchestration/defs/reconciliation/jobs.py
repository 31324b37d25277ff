"""When it is compared."""

import dagster as dg

from orchestration.defs.reconciliation.assets import RECONCILIATION
from orchestration.runs import run_tags, status_at_first
from orchestration.settings import OrchestrationSettings

reconcile = dg.define_asset_job(
    "reconcile",
    selection=dg.AssetSelection.assets(RECONCILIATION),
    executor_def=dg.in_process_executor,
    description="Compares what collectors acknowledged with what landed and what is modelled; fails on a difference.",
    tags=run_tags("reconcile"),
)


def build_reconcile_schedule(settings: OrchestrationSettings) -> dg.ScheduleDefinition:
    """Return the schedule: once a day, hours after midnight, so that what came late has been modelled."""
    return dg.ScheduleDefinition(
        name="reconcile_schedule",
        job=reconcile,
        cron_schedule=settings.reconcile_cron,
        execution_timezone="UTC",
        default_status=status_at_first(settings),
        tags={"radixinsight/trigger": "schedule"},
        description="Once a night.",
    )
