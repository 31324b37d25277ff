"""`radixinsight schemas` on events that were collected."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from core.clock import utc_now
from core.events.deviations import describe
from runtime.instance import Instance
from runtime.project_keys import ProjectKeys
from tests.ingestion.harness import Line, Sender

SCHEMA: dict[str, Any] = {"type": "object", "required": ["amount"], "properties": {"amount": {"type": "number"}}}


def run(runtime: Instance, *arguments: str) -> subprocess.CompletedProcess[str]:
    place = ("--data-dir", str(runtime.data_dir), "--port-base", str(runtime.port_base))
    command = [sys.executable, "-m", "runtime", "schemas", *arguments, *place]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def said(runtime: Instance, *arguments: str) -> str:
    done = run(runtime, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def document(tmp_path: Path) -> Path:
    """Return a file with a schema."""
    path = tmp_path / "buy.json"
    path.write_text(json.dumps(SCHEMA))
    return path


def test_versions_are_added_compared_shown_and_retired(runtime: Instance, project: ProjectKeys, document: Path) -> None:
    number = str(project.id)
    assert "No schemas." in said(runtime, "list", number)
    assert "Version 1 of the schema of buy holds" in said(runtime, "add", number, "buy", str(document))
    assert "says the same already" in said(runtime, "add", number, "buy", str(document))
    document.write_text(json.dumps(SCHEMA | {"required": ["amount", "currency"]}))
    second = said(runtime, "add", number, "buy", str(document))
    assert "Breaking" in second
    assert '/required: +"currency"' in second
    assert '"schemas": "off"' in second
    assert "Compatible" in said(runtime, "diff", number, "buy", "2", "1")
    assert json.loads(said(runtime, "show", number, "buy", "--version", "1")) == SCHEMA
    assert "version 2" in said(runtime, "retire", number, "buy", "--version", "2")
    assert json.loads(said(runtime, "show", number, "buy")) == SCHEMA
    assert "retired" in said(runtime, "list", number)


def test_what_is_wrong_is_said_in_a_sentence(runtime: Instance, project: ProjectKeys, document: Path) -> None:
    document.write_text('{"properties": {"a": {"type": "text"}}}')
    for arguments, sentence in (
        (("add", str(project.id), "buy", str(document)), "/properties/a/type"),
        (("show", str(project.id), "buy"), "no schema that holds for 'buy'"),
        (("list", "2147483647"), "There is no project"),
        (("infer", str(project.id), "buy"), "No event 'buy'"),
    ):
        done = run(runtime, *arguments)
        assert done.returncode == 1
        assert sentence in done.stderr.replace("\n", " ")


def test_an_inferred_schema_fits_what_it_was_read_from_and_can_be_added(
    runtime: Instance, line: Line, sender: Sender, project: ProjectKeys, document: Path
) -> None:
    sender.batch({"properties": {"amount": 1, "coupon": None}}, {"properties": {"amount": 2.5}})
    line.wait_until_shipped()
    inferred = said(runtime, "infer", str(project.id), "buy", "--days", "1")
    assert json.loads(inferred) == SCHEMA | {"properties": SCHEMA["properties"] | {"coupon": {"type": "null"}}}
    document.write_text(inferred)
    assert "Version 1" in said(runtime, "add", str(project.id), "buy", str(document))


def test_the_report_counts_events_that_do_not_fit_and_shows_what_was_noticed(
    runtime: Instance, project: ProjectKeys, client: Client
) -> None:
    now = utc_now()
    landed = ["project_id", "event", "message_id", "received_at", "schema_version", "schema_deviations"]
    rows = [[project.id, "buy", message, now, 2, ["/items/1/sku type"]] for message in ("a", "a", "b")]
    client.insert("raw.events", rows, column_names=landed)
    refused = ["project_id", "received_at", "reason", "detail"]
    detail = describe(1, "buy", ["/amount required"])
    client.insert("raw.rejects", [[project.id, now, "schema_violation", detail]], column_names=refused)
    noticed = ["project_id", "event", "property", "change", "detail", "schema_version", "noticed_at"]
    changes = [[project.id, "buy", "properties.a", "new_type", "number → string", 2, at] for at in (now, now)]
    client.insert("governance.schema_changes", changes, column_names=noticed)
    lines = [json.loads(text) for text in said(runtime, "report", str(project.id), "--json").splitlines()]
    assert [line.pop("noticed_at")[:10] for line in lines[:1]] == [f"{now:%Y-%m-%d}"]
    assert lines == [
        {"event": "buy", "property": "properties.a", "change": "new_type", "detail": "number → string",
         "schema_version": 2},
        {"event": "buy", "version": 2, "deviation": "/items/*/sku type", "outcome": "landed", "events": 2},
        {"event": "buy", "version": 1, "deviation": "/amount required", "outcome": "refused", "events": 1},
    ]  # fmt: skip
    assert "number → string" in said(runtime, "report", str(project.id))
