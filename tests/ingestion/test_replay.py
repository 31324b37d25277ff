"""Rejected events that are judged anew by `radixinsight rejects`."""

import json
import os
import subprocess
import sys

import pytest
from clickhouse_connect.driver.client import Client

from ingestion.shipper.destination import ClickHouse
from ingestion.shipper.landing import Landing
from ingestion.shipper.metrics import ShipperMetrics
from ingestion.shipper.shipper import Shipper
from runtime.instance import Instance
from runtime.project_keys import ProjectKeys
from tests.ingestion.harness import Line, Sender, landed_events

LARGE = {"properties": {"text": "x" * 40_000}}


@pytest.fixture
def rejected(line: Line, sender: Sender) -> None:
    """Send events of which two are too large, one has no type in its path, and one never will be legal."""
    sender.batch(LARGE | {"messageId": "large"}, {"messageId": "good"}, {"userId": "null"})
    sender.post("/v1/identify", {"userId": "ada", "traits": {"text": "x" * 40_000}})
    line.wait_until_shipped()


def command(runtime: Instance, *arguments: str, **settings: str) -> str:
    """Run `radixinsight rejects` on the session's engines."""
    place = ("--data-dir", str(runtime.data_dir), "--port-base", str(runtime.port_base))
    done = subprocess.run(
        [sys.executable, "-m", "runtime", "rejects", *arguments, *place],
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.usefixtures("rejected")
def test_the_latest_rejects_are_shown_with_their_reasons(runtime: Instance, project: ProjectKeys) -> None:
    lines = command(runtime, "list", str(project.id), "--json").splitlines()
    shown = [json.loads(text) for text in lines]
    assert sorted(row["reason"] for row in shown) == ["event_too_large", "event_too_large", "illegal_id"]
    assert {row["path"] for row in shown} == {"/v1/batch", "/v1/identify"}
    assert command(runtime, "list", str(project.id), "--json", "--reason", "illegal_id").count("\n") == 1
    assert "event_too_large" in command(runtime, "list", str(project.id))


@pytest.mark.usefixtures("rejected")
def test_what_is_accepted_by_the_rules_of_today_lands_once_and_the_rest_stays(
    runtime: Instance, project: ProjectKeys, client: Client
) -> None:
    settings = {
        "RADIXINSIGHT_COLLECTOR_MAX_EVENT_BYTES": "100000",
        "RADIXINSIGHT_COLLECTOR_MAX_TEXT_BYTES": "100000",
    }

    def replay(*flags: str, **more: str) -> list[str]:
        return command(runtime, "replay", str(project.id), *flags, **more).splitlines()

    assert replay() == ["0 accepted", "2 still refused: event_too_large", "1 still refused: illegal_id"]
    assert replay("--dry-run", **settings) == ["2 would be accepted", "1 still refused: illegal_id"]
    assert len(landed_events(client, project.id)) == 1
    assert replay(**settings) == ["2 accepted", "1 still refused: illegal_id"]
    assert replay(**settings) == ["0 accepted", "1 still refused: illegal_id"]
    ship(runtime)
    landed = {row["message_id"]: row for row in landed_events(client, project.id)}
    assert len(landed) == 3
    assert landed["large"]["received_at"] == landed["good"]["received_at"]
    (identify,) = [row for row in landed.values() if row["type"] == "identify"]
    assert identify["message_id"].startswith("replay-")


def ship(runtime: Instance) -> None:
    """Ship what lies in the spool of the session's engines, which no shipper watches."""
    spool = runtime.data_dir / "spool"
    landing = Landing(runtime.clickhouse_url, timeout_s=30)
    metrics = ShipperMetrics(spool)
    destination = ClickHouse(landing, metrics)
    shipper = Shipper(spool, runtime.data_dir / "damaged", destination, metrics, max_backoff_s=0.1)
    while shipper.ship_available():
        pass
    landing.close()


def test_a_reject_that_cannot_be_judged_keeps_no_other_from_it(
    runtime: Instance, line: Line, sender: Sender, project: ProjectKeys, client: Client
) -> None:
    broken = b'{"batch":[,{"type":"track","event":"buy","userId":"ada","properties":{"t":"%b"}}]}' % (b"x" * 40_000)
    assert sender.post("/v1/batch", broken).status_code == 200
    line.wait_until_shipped()
    settings = {
        "RADIXINSIGHT_COLLECTOR_MAX_EVENT_BYTES": "100000",
        "RADIXINSIGHT_COLLECTOR_MAX_TEXT_BYTES": "100000",
    }
    said = command(runtime, "replay", str(project.id), **settings).splitlines()
    assert said == ["1 accepted", "1 still refused: no_payload"]
    ship(runtime)
    assert len(landed_events(client, project.id)) == 1
