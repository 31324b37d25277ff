"""The landing tables as assets."""

from typing import Any

import dagster as dg

from core.metadata.projects import list_projects
from orchestration.defs.landing.arrivals import Arrivals, observe_arrivals
from orchestration.defs.landing.projects import copy_projects
from orchestration.resources import MetadataResource, WarehouseResource
from orchestration.retries import ENGINE_RESTARTS
from orchestration.settings import OrchestrationSettings

EVENTS = dg.AssetKey(["raw", "events"])
PROJECTS = dg.AssetKey(["raw", "projects"])


@dg.observable_source_asset(
    key=EVENTS,
    group_name="landing",
    tags={"layer": "raw"},
    description=(
        "One row per accepted event and delivery, as the collector's shipper inserts it all the time. "
        "Not made here, only observed: its data version changes with every insert."
    ),
)
def events(warehouse: WarehouseResource, settings: dg.ResourceParam[OrchestrationSettings]) -> dg.ObserveResult:
    """Observe how much arrived, and when."""
    with warehouse.connect() as client:
        arrivals = observe_arrivals(client, settings.landing_database)
    return dg.ObserveResult(data_version=dg.DataVersion(arrivals.data_version), metadata=_metadata(arrivals))


@dg.asset(
    key=PROJECTS,
    group_name="landing",
    tags={"layer": "raw"},
    kinds={"postgres", "clickhouse"},
    retry_policy=ENGINE_RESTARTS,
    description="One row per project with the settings that shape its figures, copied from the metadata database.",
)
def projects(
    warehouse: WarehouseResource, metadata: MetadataResource, settings: dg.ResourceParam[OrchestrationSettings]
) -> dg.MaterializeResult[Any]:
    """Copy the projects."""
    with metadata.session() as session, warehouse.connect() as client:
        copied = copy_projects(client, settings.landing_database, list_projects(session))
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": copied.projects,
            "rows_written": copied.written,
            "rows_deleted": copied.deleted,
        }
    )


def _metadata(arrivals: Arrivals) -> dict[str, Any]:
    latest = {
        "latest_received_at": arrivals.latest_received_at,
        "latest_inserted_at": arrivals.latest_inserted_at,
    }
    return {
        "dagster/row_count": arrivals.events,
        "events_last_day": arrivals.events_last_day,
        "rejects_last_day": arrivals.rejects_last_day,
        "projects_last_day": arrivals.projects_last_day,
        **{name: dg.MetadataValue.timestamp(instant) for name, instant in latest.items() if instant is not None},
    }
