"""What dbt says of how old the landing table's latest event is."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from clickhouse_connect.driver.client import Client

from engine.dbt_runs import PROJECT
from engine.event_table import json_instant
from engine.landing import landing
from orchestration.settings import OrchestrationSettings
from runtime.instance import Instance

pytestmark = pytest.mark.slow


def test_dbt_and_the_check_on_landing_data_wait_as_long() -> None:
    file = PROJECT / "models" / "staging" / "collector" / "_sources.yml"
    [source] = yaml.safe_load(file.read_text())["sources"]
    [events] = [table for table in source["tables"] if table["name"] == "events"]
    minutes = OrchestrationSettings().landing_latest_event_age_minutes
    assert events["config"]["freshness"] == {"warn_after": {"count": minutes, "period": "minute"}}


@pytest.mark.parametrize(("age", "status"), [(timedelta(minutes=5), "pass"), (timedelta(hours=2), "warn")])
def test_an_hour_without_any_event_is_a_warning_and_no_failure(
    runtime: Instance, client: Client, age: timedelta, status: str
) -> None:
    with landing(runtime, client) as made:
        received_at = json_instant(datetime.now(UTC) - age)
        made.land({"project_id": 1, "message_id": "m", "event": "a", "received_at": received_at})
        made.dbt("source", "freshness", "--write-json")
        told: dict[str, Any] = json.loads((made.directory / "target" / "sources.json").read_text())
        assert [(each["unique_id"], each["status"]) for each in told["results"]] == [
            ("source.radixinsight.raw.events", status)
        ]
