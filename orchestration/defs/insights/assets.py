"""Answers of saved insights as an asset, with the job and the schedule that make them."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from orchestration.defs.insights.answers import failures, make_results
from orchestration.resources import MetadataResource, WarehouseResource
from orchestration.retries import ENGINE_RESTARTS
from orchestration.settings import OrchestrationSettings

RESULTS = dg.AssetKey(["insights", "results"])
_SHOWN = 100
_SCHEMA = dg.TableSchema(
    [dg.TableColumn("project_id", "int"), dg.TableColumn("insight_id", "int"), dg.TableColumn("error")]
)


@dg.asset(
    key=RESULTS,
    deps=[dg.AssetKey(["marts", "fct_events"])],
    group_name="insights",
    tags={"layer": "insights"},
    kinds={"clickhouse"},
    retry_policy=ENGINE_RESTARTS,
    check_specs=[
        dg.AssetCheckSpec(
            "all_insights_are_answered", asset=RESULTS, description="Every insight that is to be made is answered."
        )
    ],
    description=(
        "One row per saved insight that is to be made beforehand: its latest answer, as the API gives it, or why there "
        "is none."
    ),
)
def insight_results(
    warehouse: WarehouseResource, metadata: MetadataResource, settings: dg.ResourceParam[OrchestrationSettings]
) -> Iterator[dg.MaterializeResult[Any]]:
    """Ask the API for each of them; one that cannot be answered fails the check and stops no other."""
    with warehouse.connect() as client, metadata.session() as session:
        made = make_results(client, session, settings.api_url)
    failed = failures(made)
    shown = dg.MetadataValue.table(records=[dg.TableRecord(each) for each in failed[:_SHOWN]], schema=_SCHEMA)
    yield dg.MaterializeResult(
        metadata={"insights": len(made), "failed": len(failed), "failures": shown},
        check_results=[
            dg.AssetCheckResult(
                check_name="all_insights_are_answered",
                passed=not failed,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={"failed": len(failed)},
            )
        ],
    )


materialise = dg.define_asset_job(
    "materialise",
    selection=dg.AssetSelection.assets(RESULTS),
    executor_def=dg.in_process_executor,
    description="Makes the answers of saved insights beforehand.",
    run_tags={
        "radixinsight/pipeline": "materialise",
        "dagster/max_runtime": "3600",
        "dagster/retry_on_asset_or_op_failure": "false",
    },
)


def build_materialise_schedule(settings: OrchestrationSettings) -> dg.ScheduleDefinition:
    """Return the schedule of these answers."""
    return dg.ScheduleDefinition(
        name="materialise_schedule",
        job=materialise,
        cron_schedule=settings.materialise_cron,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING
        if settings.refresh_enabled
        else dg.DefaultScheduleStatus.STOPPED,
        tags={"radixinsight/trigger": "schedule"},
        description="Once an hour.",
    )
