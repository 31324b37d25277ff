"""Answers of saved insights as an asset."""

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
        "One row per saved insight that is to be made beforehand and outcome: its latest answer, as the API gives it, "
        "and the latest try that failed, with its reason."
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
