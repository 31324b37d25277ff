"""Days are asked for anew by materializing their partitions."""

import os
from collections.abc import Iterator
from datetime import date

import dagster as dg
import pytest
from clickhouse_connect.driver.client import Client

from core import warehouse
from orchestration.defs.backfills.assets import backfills
from orchestration.resources import WarehouseResource
from orchestration.settings import OrchestrationSettings
from runtime.instance import Instance


@pytest.fixture
def requested(runtime: Instance, settings: OrchestrationSettings) -> Iterator[tuple[Client, OrchestrationSettings]]:
    """Create an empty table of requests."""
    name = f"backfills_{os.urandom(6).hex()}"
    with warehouse.connect(runtime.clickhouse_url) as client:
        client.command(f"create database {name}")
        client.command(f"create table {name}.backfills as raw.backfills")
        yield client, settings.model_copy(update={"landing_database": name})
        client.command(f"drop database {name}")


def _days(client: Client, settings: OrchestrationSettings) -> list[date]:
    rows = client.query(f"select day from {settings.landing_database}.backfills final order by day").result_rows
    return [row[0] for row in rows]


def test_a_range_of_days_is_asked_for_in_one_run(
    runtime: Instance, requested: tuple[Client, OrchestrationSettings]
) -> None:
    client, settings = requested
    result = dg.materialize(
        [backfills],
        resources={"settings": settings, "warehouse": WarehouseResource(url=runtime.clickhouse_url)},
        tags={
            "dagster/asset_partition_range_start": "2024-02-28",
            "dagster/asset_partition_range_end": "2024-03-01",
        },
    )
    assert result.success
    assert _days(client, settings) == [date(2024, 2, 28), date(2024, 2, 29), date(2024, 3, 1)]
    assert {made.partition for made in result.get_asset_materialization_events()} == {
        "2024-02-28",
        "2024-02-29",
        "2024-03-01",
    }


def test_one_day_is_asked_for(runtime: Instance, requested: tuple[Client, OrchestrationSettings]) -> None:
    client, settings = requested
    for _ in range(2):
        dg.materialize(
            [backfills],
            resources={"settings": settings, "warehouse": WarehouseResource(url=runtime.clickhouse_url)},
            partition_key="2024-02-29",
        )
    assert _days(client, settings) == [date(2024, 2, 29)]
