"""What is known about the data itself."""

from typing import Any

import dagster as dg

from governance.pii import Scan, scan
from orchestration.defs.landing.assets import EVENTS
from orchestration.resources import WarehouseResource
from orchestration.retries import ENGINE_RESTARTS
from orchestration.settings import OrchestrationSettings

PII_FINDINGS = dg.AssetKey(["governance", "pii_findings"])
_SHOWN_FINDINGS = 100
_SHOWN_COLUMNS = dg.TableSchema(
    [
        dg.TableColumn("project_id", "int"),
        *(dg.TableColumn(name) for name in ("event", "property", "entity", "method", "matched")),
    ]
)


@dg.asset(
    key=PII_FINDINGS,
    deps=[EVENTS],
    group_name="governance",
    tags={"layer": "governance"},
    kinds={"clickhouse", "presidio"},
    retry_policy=ENGINE_RESTARTS,
    description=(
        "One row per project, event, property and kind of personal data that stands in it. "
        "Says where it is, never what it is. Each run looks at the events that are new."
    ),
)
def pii_findings(
    warehouse: WarehouseResource, settings: dg.ResourceParam[OrchestrationSettings]
) -> dg.MaterializeResult[Any]:
    """Scan the new events for personal data."""
    with warehouse.connect() as client:
        done = scan(
            client,
            landing=settings.landing_database,
            governance=settings.governance_database,
            limits=settings.scan_limits,
        )
    return dg.MaterializeResult(
        metadata={
            "events": done.events,
            "sampled_one_in": done.sampled_one_in,
            "values_checked": done.values_checked,
            "findings": dg.MetadataValue.table(records=_table(done), schema=_SHOWN_COLUMNS),
            "findings_count": len(done.findings),
            "duration_ms": done.duration_ms,
        }
    )


def _table(done: Scan) -> list[dg.TableRecord]:
    return [
        dg.TableRecord(
            {
                "project_id": found.project_id,
                "event": found.event,
                "property": found.property,
                "entity": found.entity,
                "method": found.method,
                "matched": f"{found.values_matched} of {found.values_checked}",
            }
        )
        for found in done.findings[:_SHOWN_FINDINGS]
    ]
