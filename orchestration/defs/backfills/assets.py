"""Days whose events are made anew although nothing tells that they changed."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

import dagster as dg
from clickhouse_connect.driver.client import Client

from core.clock import utc_now
from orchestration.resources import WarehouseResource
from orchestration.retries import ENGINE_RESTARTS
from orchestration.settings import OrchestrationSettings

BACKFILLS = dg.AssetKey(["raw", "backfills"])

# Clients' clocks say anything; who wants days before these makes everything anew.
_FIRST_DAY = "2010-01-01"

# All ids of their events are held in memory by one refresh.
_MOST_DAYS = 92


@dg.asset(
    key=BACKFILLS,
    group_name="landing",
    tags={"layer": "raw"},
    kinds={"clickhouse"},
    partitions_def=dg.DailyPartitionsDefinition(start_date=_FIRST_DAY, end_offset=1),
    # One run for a whole range.
    backfill_policy=dg.BackfillPolicy.single_run(),
    retry_policy=ENGINE_RESTARTS,
    description=(
        "One row per UTC day whose events are to be made anew. To backfill a range, materialize its partitions: the "
        "next refresh makes the events of these days, and all that is built of fct_events for them, again."
    ),
)
def backfills(
    context: dg.AssetExecutionContext, warehouse: WarehouseResource, settings: dg.ResourceParam[OrchestrationSettings]
) -> dg.MaterializeResult[Any]:
    """Ask for the days of the partitions."""
    window = context.partition_time_window
    days = [
        window.start.date() + timedelta(days=number)
        for number in range((window.end - window.start) // timedelta(days=1))
    ]
    if len(days) > _MOST_DAYS:
        raise dg.Failure(
            f"{len(days)} days at once are too many: ask for at most {_MOST_DAYS}, or make everything anew with"
            " dbt build --full-refresh.",
            allow_retries=False,
        )
    with warehouse.connect() as client:
        request_backfill(client, settings.landing_database, days)
    return dg.MaterializeResult(metadata={"days": len(days), "first": str(days[0]), "last": str(days[-1])})


def request_backfill(client: Client, database: str, days: Iterable[date]) -> None:
    """Write down that the events of these UTC days are to be made anew by the next refresh."""
    asked_at = utc_now()
    client.insert("backfills", [[day, asked_at] for day in days], ["day", "requested_at"], database=database)
