"""When answers of saved insights are made."""

import dagster as dg

from orchestration.defs.insights.assets import RESULTS
from orchestration.runs import run_tags, status_at_first
from orchestration.settings import OrchestrationSettings

materialise = dg.define_asset_job(
    "materialise",
    selection=dg.AssetSelection.assets(RESULTS),
    executor_def=dg.in_process_executor,
    description="Makes the answers of saved insights beforehand.",
    tags=run_tags("materialise"),
)


def build_materialise_schedule(settings: OrchestrationSettings) -> dg.ScheduleDefinition:
    """Return the schedule of these answers."""
    return dg.ScheduleDefinition(
        name="materialise_schedule",
        job=materialise,
        cron_schedule=settings.materialise_cron,
        execution_timezone="UTC",
        default_status=status_at_first(settings),
        tags={"radixinsight/trigger": "schedule"},
        description="Once an hour.",
    )
