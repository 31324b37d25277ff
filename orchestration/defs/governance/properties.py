"""What is known about the properties of events, and whether they are as agreed."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from core.metadata.event_schemas import current_schemas
from governance.properties import Change, PropertyScan, scan_properties
from governance.properties.alarms import count_alarms
from orchestration.defs.landing.assets import EVENTS
from orchestration.resources import MetadataResource, WarehouseResource
from orchestration.retries import ENGINE_RESTARTS
from orchestration.settings import OrchestrationSettings

EVENT_PROPERTIES = dg.AssetKey(["governance", "event_properties"])
SCHEMA_CHANGES = dg.AssetKey(["governance", "schema_changes"])
_SHOWN_CHANGES = 100
_SHOWN_COLUMNS = dg.TableSchema(
    [
        dg.TableColumn("project_id", "int"),
        *(dg.TableColumn(name) for name in ("event", "property", "change", "detail")),
        dg.TableColumn("schema_version", "int"),
    ]
)


@dg.multi_asset(
    name="event_properties",
    specs=[
        dg.AssetSpec(
            EVENT_PROPERTIES,
            deps=[EVENTS],
            group_name="governance",
            tags={"layer": "governance"},
            kinds={"clickhouse"},
            description=(
                "One row per project, event and property that it carries: which types, since when, how often, and "
                "which version of its schema names it. Each run looks at the events that are new."
            ),
        ),
        dg.AssetSpec(
            SCHEMA_CHANGES,
            deps=[EVENTS, EVENT_PROPERTIES],
            group_name="governance",
            tags={"layer": "governance"},
            kinds={"clickhouse"},
            description=(
                "One row per thing that is new about the events of a project: an event, a property, a type, a property "
                "that is gone, a way in which events did not fit their schema. No value of an event."
            ),
        ),
    ],
    retry_policy=ENGINE_RESTARTS,
)
def event_properties(
    warehouse: WarehouseResource, metadata: MetadataResource, settings: dg.ResourceParam[OrchestrationSettings]
) -> Iterator[dg.MaterializeResult[Any]]:
    """Look at the properties of the new events."""
    with metadata.session() as session:
        schemas = current_schemas(session)
    with warehouse.connect() as client:
        done = scan_properties(
            client, schemas, landing=settings.landing_database, governance=settings.governance_database
        )
    yield dg.MaterializeResult(
        asset_key=EVENT_PROPERTIES,
        metadata={
            "deliveries": done.deliveries,
            "properties": done.properties,
            "scanned_until": dg.MetadataValue.timestamp(done.scanned_until),
            "duration_ms": done.duration_ms,
        },
    )
    yield dg.MaterializeResult(
        asset_key=SCHEMA_CHANGES,
        metadata={
            "changes": dg.MetadataValue.table(records=_table(done), schema=_SHOWN_COLUMNS),
            "changes_count": len(done.changes),
        },
    )


@dg.asset_check(
    asset=SCHEMA_CHANGES,
    name="events_as_agreed",
    retry_policy=ENGINE_RESTARTS,
    description=(
        "In the last 24 hours no event began to deviate from its schema, no property changed its type, vanished or "
        "came without its schema naming it, and no event has more properties than are kept."
    ),
)
def events_as_agreed(
    warehouse: WarehouseResource, settings: dg.ResourceParam[OrchestrationSettings]
) -> dg.AssetCheckResult:
    """Count what somebody should look at."""
    with warehouse.connect() as client:
        alarms = count_alarms(client, settings.governance_database)
    return dg.AssetCheckResult(passed=not alarms, severity=dg.AssetCheckSeverity.WARN, metadata=alarms)


def _table(done: PropertyScan) -> list[dg.TableRecord]:
    return [dg.TableRecord(_record(change)) for change in done.changes[:_SHOWN_CHANGES]]


def _record(change: Change) -> dict[str, str | int | float | bool]:
    return change._asdict()
