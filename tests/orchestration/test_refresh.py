"""The whole job, for real: embedded engines, real dbt, real checks."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import dagster as dg
import pytest
from clickhouse_connect.driver.client import Client
from sqlalchemy.orm import Session

from core import metadata, warehouse
from core.clock import utc_now
from core.metadata.projects import create_project
from orchestration.dbt_manifest import connection_variables
from orchestration.definitions import build_definitions
from orchestration.defs.backfills.assets import BACKFILLS
from orchestration.defs.insights.assets import RESULTS
from orchestration.defs.reconciliation.assets import RECONCILIATION
from orchestration.settings import OrchestrationSettings
from runtime.instance import Instance

# Three runs of the job; half a minute on an idle machine, minutes on a crowded one.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.xdist_group("refresh")]

# A worker that gets some of these tests without the others makes runs of its own.
PREFIX = f"refresh_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_"
EVENTS = 300
PERSONS = 20
STEPS = ["catalog", "product_view", "add_to_cart", "cart", "purchase"]
TABLES = {
    "raw": ("events", "rejects", "projects", "backfills"),
    "governance": ("pii_findings", "pii_scans", "event_properties", "schema_changes"),
    "enrichment": ("user_agents", "addresses", "custom", "progress"),
}
LAYERS = ("staging", "intermediate", "marts", "test_failures")


@dataclass(frozen=True)
class Pipeline:
    """The job over databases of its own, and what its runs left."""

    client: Client
    project_id: int
    definitions: dg.Definitions
    instance: dg.DagsterInstance

    def run(self) -> dg.ExecuteInProcessResult:
        """Run the refresh as the schedule would, in this process."""
        job = self.definitions.resolve_job_def("refresh")
        return job.execute_in_process(instance=self.instance, raise_on_error=False)

    def land(self, *differences: dict[str, Any]) -> None:
        """Insert sound events with the given differences."""
        rows = [self._event() | difference for difference in differences]
        names = list(rows[0])
        self.client.insert("events", [list(row.values()) for row in rows], column_names=names, database=f"{PREFIX}raw")

    def count(self, table: str) -> int:
        """Count the rows of the project."""
        sql = f"select count() from {PREFIX}{table} where project_id = {{project_id:UInt32}}"
        return self.client.query(sql, parameters={"project_id": self.project_id}).result_rows[0][0]

    def _event(self) -> dict[str, Any]:
        now = utc_now()
        return {
            "project_id": self.project_id,
            "message_id": os.urandom(8).hex(),
            "type": "track",
            "event": "catalog",
            "anonymous_id": "device",
            "timestamp": now,
            "original_timestamp": now,
            "sent_at": now,
            "received_at": now,
            "properties": "{}",
        }


@pytest.fixture(scope="module")
def pipeline(runtime: Instance, settings: OrchestrationSettings) -> Iterator[Pipeline]:
    """Land some hundred events in databases of the test's own."""
    engine = metadata.connect(runtime.database_url)
    with Session(engine) as session:
        project_id = create_project(session, "Refreshed", timezone="Europe/Berlin").id
        session.commit()
    engine.dispose()
    with pytest.MonkeyPatch.context() as environment, warehouse.connect(runtime.clickhouse_url) as client:
        for name, value in {
            "CLICKHOUSE_URL": runtime.clickhouse_url,
            "DATABASE_URL": runtime.database_url,
            "RADIXINSIGHT_DBT_PREFIX": PREFIX,
            "RADIXINSIGHT_DBT_RAW": f"{PREFIX}raw",
            "RADIXINSIGHT_DBT_ENRICHMENT": f"{PREFIX}enrichment",
            # Set by the dbt resource; named here so that they are gone after the test.
            **dict.fromkeys(connection_variables(runtime.clickhouse_url), ""),
        }.items():
            environment.setenv(name, value)
        create_databases(client)
        own = settings.model_copy(
            update={f"{name}_database": f"{PREFIX}{name}" for name in ("governance", "enrichment")}
            | {"landing_database": f"{PREFIX}raw"}
        )
        pipeline = Pipeline(client, project_id, build_definitions(own), dg.DagsterInstance.ephemeral())
        pipeline.land(*events())
        yield pipeline
        for database in (*TABLES, *LAYERS):
            client.command(f"drop database if exists {PREFIX}{database}")


@pytest.fixture(scope="module")
def first(pipeline: Pipeline) -> dg.ExecuteInProcessResult:
    """Run the job once, over sound events."""
    return pipeline.run()


def create_databases(client: Client) -> None:
    for database, tables in TABLES.items():
        client.command(f"create database if not exists {PREFIX}{database}")
        for table in tables:
            client.command(f"create table {PREFIX}{database}.{table} as {database}.{table}")


def events() -> list[dict[str, Any]]:
    """Make persons walk through the shop, ten seconds a step; one of them says who she is."""
    start = utc_now() - timedelta(hours=2)
    return [
        {
            "event": STEPS[n % len(STEPS)],
            "anonymous_id": f"device-{n % PERSONS}",
            "timestamp": start + timedelta(seconds=10 * n),
            "original_timestamp": start + timedelta(seconds=10 * n),
            "properties": json.dumps({"price": n, "mail": "anna@example.org"} if n == 0 else {"price": n}),
        }
        for n in range(EVENTS)
    ]


def evaluations(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {
        f"{evaluation.asset_key.to_user_string()}:{evaluation.check_name}": evaluation
        for evaluation in result.get_asset_check_evaluations()
    }


def latest_metadata(pipeline: Pipeline, key: str) -> dict[str, Any]:
    event = pipeline.instance.get_latest_materialization_event(dg.AssetKey(key.split("/")))
    assert event is not None
    assert event.asset_materialization is not None
    return dict(event.asset_materialization.metadata)


def test_a_run_makes_every_asset(first: dg.ExecuteInProcessResult, pipeline: Pipeline) -> None:
    assert first.success
    made = {event.asset_key for event in first.get_asset_materialization_events()}
    assert made == set(pipeline.definitions.resolve_asset_graph().materializable_asset_keys) - {
        RECONCILIATION,
        BACKFILLS,
        RESULTS,
    }
    assert [event.asset_key.to_user_string() for event in first.get_asset_observation_events() if event.asset_key] == [
        "raw/events"
    ]


@pytest.mark.usefixtures("first")
def test_every_landed_event_is_modelled(pipeline: Pipeline) -> None:
    assert pipeline.count("marts.fct_events") == EVENTS
    assert pipeline.count("marts.dim_persons") == PERSONS
    assert latest_metadata(pipeline, "marts/fct_events")["dagster/row_count"].value == EVENTS


def test_every_check_of_sound_data_passes(first: dg.ExecuteInProcessResult, pipeline: Pipeline) -> None:
    checks = evaluations(first)
    refresh = pipeline.definitions.resolve_job_def("refresh").asset_layer.asset_graph
    assert len(checks) == len(refresh.asset_check_keys)
    assert [name for name, evaluation in checks.items() if not evaluation.passed] == []


@pytest.mark.usefixtures("first")
def test_the_address_in_one_property_is_found(pipeline: Pipeline) -> None:
    sql = f"select event, property, entity from {PREFIX}governance.pii_findings final"
    assert pipeline.client.query(sql).result_rows == [("catalog", "properties.mail", "EMAIL_ADDRESS")]


@pytest.mark.usefixtures("first")
def test_columns_can_be_followed_to_where_they_come_from(pipeline: Pipeline) -> None:
    lineage = latest_metadata(pipeline, "marts/fct_events")["dagster/column_lineage"].value
    origins = {(dep.asset_key.to_user_string(), dep.column_name) for dep in lineage.deps_by_column["timestamp"]}
    assert {column for _, column in origins} == {"timestamp"}
    models = {
        key.to_user_string()
        for key in pipeline.definitions.resolve_asset_graph().materializable_asset_keys
        if key.path[0] in LAYERS and key.path[-1] != "traffic_sources"
    }
    assert len(models) > 40
    assert {model for model in models if "dagster/column_lineage" not in latest_metadata(pipeline, model)} == set()
    steps = latest_metadata(pipeline, "marts/funnel_checkout")["dagster/column_lineage"].value.deps_by_column["persons"]
    assert {(dep.asset_key.to_user_string(), dep.column_name) for dep in steps} == {
        ("marts/fct_events", "event"),
        ("marts/fct_events", "timestamp"),
    }


def test_bad_landing_data_fails_its_check_and_stops_nobody(
    first: dg.ExecuteInProcessResult, pipeline: Pipeline
) -> None:
    assert first.success
    pipeline.land({"properties": "[1]", "message_id": "bad"})
    second = pipeline.run()
    assert second.success
    checks = evaluations(second)
    assert {name for name, evaluation in checks.items() if not evaluation.passed} == {
        "raw/events:properties_are_objects"
    }
    failed = checks["raw/events:properties_are_objects"]
    assert failed.severity is dg.AssetCheckSeverity.ERROR
    assert failed.metadata["unexpected_count"].value == 1
    # Everything else stayed as it was, columns included: they are kept, not worked out again.
    assert pipeline.count("marts.fct_events") == EVENTS + 1
    assert "dagster/column_lineage" in latest_metadata(pipeline, "marts/fct_events")


def test_a_model_that_contradicts_its_test_fails_the_run_at_once(
    first: dg.ExecuteInProcessResult, pipeline: Pipeline
) -> None:
    assert first.success
    pipeline.land({"message_id": "of no known type", "type": "rumour"})
    third = pipeline.run()
    assert not third.success
    assert [event.step_key for event in third.get_step_failure_events()] == ["dbt_models"]
    assert third.retry_attempts_for_node("dbt_models") == 0
    failed = {name for name, evaluation in evaluations(third).items() if not evaluation.passed}
    assert any(name.startswith(("marts/", "staging/")) for name in failed)
