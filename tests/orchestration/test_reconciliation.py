"""The nightly comparison as Dagster runs it."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from clickhouse_connect.driver.client import Client

from core import warehouse
from engine.reconciled import Books, books
from orchestration.definitions import build_definitions
from orchestration.defs.reconciliation.assets import RECONCILIATION
from orchestration.settings import OrchestrationSettings
from runtime.instance import Instance

YESTERDAY = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)
BATCH = f"{round(YESTERDAY.timestamp() * 1000):013d}-0123456789abcdef"


@dataclass(frozen=True)
class Night:
    """A segment of two events that landed yesterday, and the job."""

    client: Client
    made: Books
    definitions: dg.Definitions

    def run(self) -> tuple[dg.ExecuteInProcessResult, set[str]]:
        """Run the job, and return which checks failed."""
        job = self.definitions.resolve_job_def("reconcile")
        result = job.execute_in_process(raise_on_error=False)
        checks = result.get_asset_check_evaluations()
        assert len(checks) == 4
        return result, {check.check_name for check in checks if not check.passed}


@pytest.fixture
def night(runtime: Instance, settings: OrchestrationSettings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Night]:
    """Land the segment in databases of the test's own."""
    monkeypatch.setenv("CLICKHOUSE_URL", runtime.clickhouse_url)
    monkeypatch.setenv("DATABASE_URL", runtime.database_url)
    landing = f"night_{os.urandom(6).hex()}"
    with warehouse.connect(runtime.clickhouse_url) as client:
        client.command(f"create database {landing}")
        for table in ("events", "rejects", "acknowledged"):
            client.command(f"create table {landing}.{table} as raw.{table}")
        with books(client, landing) as made:
            names = ["project_id", "batch_id", "message_id", "received_at", "inserted_at"]
            rows = [[1, BATCH, name, YESTERDAY, YESTERDAY] for name in ("a", "b")]
            client.insert("events", rows, column_names=names, database=landing)
            names = ["project_id", "batch_id", "source", "ledger_id", "page", "events", "begun_at"]
            told = [[1, BATCH, "collector", "ledger", 1, 2, YESTERDAY]]
            client.insert("acknowledged", told, column_names=names, database=landing)
            made.model(1)
            own = settings.model_copy(
                update={
                    "landing_database": landing,
                    "staging_database": made.databases.staging,
                    "governance_database": made.databases.governance,
                }
            )
            yield Night(client, made, build_definitions(own))
        client.command(f"drop database {landing}")


@pytest.mark.slow
def test_a_night_without_loss_passes_and_shows_its_numbers(night: Night) -> None:
    result, failed = night.run()
    assert (result.success, failed) == (True, set())
    (event,) = result.get_asset_materialization_events()
    assert event.asset_key == RECONCILIATION
    shown = event.step_materialization_data.materialization.metadata
    assert [shown[name].value for name in ("acknowledged", "landed", "modelled", "lost")] == [2, 2, 2, 0]


@pytest.mark.slow
def test_a_night_with_a_loss_fails_loudly(night: Night) -> None:
    night.client.command(f"delete from {night.made.databases.landing}.events where message_id = 'a'")
    result, failed = night.run()
    assert not result.success
    assert failed == {"nothing_lost", "everything_modelled"}
