"""What a project's rules leave of its events: nothing else may be on the disk, not even before it is shipped."""

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from sqlalchemy.orm import Session

from core import metadata
from core.metadata.collection_rules import InvalidRulesError, parse_rules, read_rules, set_rules
from runtime.instance import Instance
from runtime.project_keys import ProjectKeys
from tests.ingestion.harness import Line, Sender, landed_events

SECRET = "ada.lovelace@example.org"
ADDRESS = "203.0.113.77"
RULES = {
    "addresses": "drop",
    "properties": [
        {"path": "traits.email", "action": "hash"},
        {"path": "userId", "action": "hash"},
        {"path": "**", "action": "mask", "value": r"[^\s@\"]+(@|%40)[^\s@\"]+\.[a-z]+"},
    ],
}


@pytest.fixture
def strict(runtime: Instance, project: ProjectKeys) -> ProjectKeys:
    """Return a project that keeps no e-mail address, before any collector has seen it."""
    engine = metadata.connect(runtime.database_url)
    with Session(engine) as session, session.begin():
        assert set_rules(session, project.id, parse_rules(json.dumps(RULES).encode()))
    engine.dispose()
    return project


@pytest.fixture
def unshipped(runtime: Instance, strict: ProjectKeys, tmp_path: Path) -> Generator[Line]:
    """Return a line whose shipper does not run yet; its collector starts when the project has its rules."""
    assert strict
    line = Line(runtime.variables, tmp_path)
    line.collector.start()
    yield line
    line.stop()


def _events(key: str) -> list[tuple[str, Any]]:
    """Return requests of several protocols that carry an e-mail address and an IP address wherever these may stand."""
    said = {"email": SECRET, "note": f"ask {SECRET}", "deep": [{"mail": SECRET}]}
    track = {
        "type": "track",
        "event": "buy",
        "userId": SECRET,
        "messageId": "good",
        "properties": said,
        "traits": said,
        "context": {"ip": ADDRESS, "page": {"url": f"https://shop.example/?mail={SECRET}"}},
    }
    broken = track | {"messageId": "x" * 300}
    snowplow = base64.b64encode(json.dumps({"data": {"data": said}}).encode()).decode()
    return [
        ("/v1/batch", {"batch": [track, broken, track | {"event": ""}], "context": {"ip": ADDRESS}}),
        ("/v1/batch", b'{"batch":[{"type":"track","event":"x","userId":"' + SECRET.encode() + b'","a":NaN}]}'),
        (
            "/posthog/batch/",
            {
                "api_key": key,
                "batch": [
                    {"event": "buy", "properties": said | {"distinct_id": "ada", "$ip": ADDRESS, "$set": said}},
                    {"event": "", "properties": said | {"distinct_id": SECRET, "$ip": ADDRESS}},
                ],
            },
        ),
        (
            "/mixpanel/track?ip=1",
            [
                {"event": "buy", "properties": said | {"token": key, "distinct_id": "ada", "ip": ADDRESS}},
                {"event": "", "properties": said | {"token": key, "distinct_id": SECRET, "ip": ADDRESS}},
            ],
        ),
        (
            "/amplitude/2/httpapi",
            {
                "api_key": key,
                "events": [
                    {"event_type": "buy", "user_id": SECRET, "ip": ADDRESS, "event_properties": said},
                    {"event_type": "", "user_id": SECRET, "ip": ADDRESS, "user_properties": said},
                ],
            },
        ),
        (
            "/snowplow/com.snowplowanalytics.snowplow/tp2",
            {
                "schema": "iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4",
                "data": [
                    {"e": "pv", "p": "web", "aid": "shop", "uid": SECRET, "url": f"https://a.b/?m={SECRET}"},
                    {"e": "nothing", "p": "web", "uid": SECRET, "ue_px": snowplow, "ip": ADDRESS},
                ],
            },
        ),
    ]


def test_what_the_rules_remove_never_touches_the_disk(unshipped: Line, strict: ProjectKeys, client: Client) -> None:
    sender = Sender(unshipped.collector.url, strict.write_key)
    for path, body in _events(strict.write_key):
        answer = sender.post(path, body, **{"x-forwarded-for": ADDRESS})
        assert answer.status_code in {200, 400}, (path, answer.text)
    unshipped.collector.stop()
    files = [path for path in unshipped.data_dir.rglob("*") if path.is_file()]
    held = b"".join(path.read_bytes() for path in files)
    assert b"buy" in held
    assert b"masked" not in held
    for secret in (SECRET.encode(), b"ada.lovelace", ADDRESS.encode(), base64.b64encode(SECRET.encode())[:24]):
        assert secret not in held

    unshipped.shipper.start()
    unshipped.wait_until_shipped()
    (landed,) = (row for row in landed_events(client, strict.id) if row["message_id"] == "good")
    assert landed["user_id"].startswith("hashed:")
    assert json.loads(landed["properties"])["note"] == "ask ***"
    assert json.loads(landed["traits"])["email"] == landed["user_id"]
    assert "ip" not in json.loads(landed["context"])
    assert landed["ip"] == ""

    def rejected() -> list[tuple[str, str]]:
        sql = "select reason, detail from raw.rejects where project_id = {id:UInt32}"
        return client.query(sql, parameters={"id": strict.id}).result_rows  # pyright: ignore[reportReturnType]

    assert {reason for reason, _ in rejected()} >= {"invalid_message_id", "invalid_event_name", "invalid_json"}
    assert any("withheld" in detail for reason, detail in rejected() if reason == "invalid_json")


def test_changed_rules_are_in_force_at_a_running_collector_within_five_seconds(
    line: Line, sender: Sender, runtime: Instance, project: ProjectKeys, client: Client
) -> None:
    assert sender.batch({"messageId": "before", "properties": {"email": SECRET}}).is_success
    _command(runtime, "set", str(project.id), "-", document=RULES)
    time.sleep(5)
    assert sender.batch({"messageId": "after", "properties": {"email": SECRET}}).is_success
    line.wait_until_shipped()
    landed = {row["message_id"]: json.loads(row["properties"]) for row in landed_events(client, project.id)}
    assert landed == {"before": {"email": SECRET}, "after": {"email": "***"}}


def test_a_replay_follows_the_rules_of_today(
    line: Line, sender: Sender, runtime: Instance, project: ProjectKeys, client: Client
) -> None:
    sender.batch({"messageId": "late", "properties": {"email": SECRET, "text": "x" * 17_000}})
    line.wait_until_shipped()
    _command(runtime, "set", str(project.id), "-", document=RULES)
    environment = os.environ | runtime.variables | {"RADIXINSIGHT_DATA_DIR": str(line.data_dir)}
    done = subprocess.run(
        [sys.executable, "-m", "ingestion.replay", str(project.id)],
        env=environment | {"RADIXINSIGHT_COLLECTOR_MAX_TEXT_BYTES": "20000"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["accepted"] == 1
    line.wait_until_shipped()
    (landed,) = landed_events(client, project.id)
    assert json.loads(landed["properties"])["email"] == "***"


def test_the_command_shows_what_it_set(runtime: Instance, project: ProjectKeys) -> None:
    assert json.loads(_command(runtime, "show", str(project.id)))["addresses"] == "truncate"
    _command(runtime, "set", str(project.id), "-", document=RULES)
    assert json.loads(_command(runtime, "show", str(project.id)))["properties"] == RULES["properties"]


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (b'{"addresses":"sell"}', "$.addresses"),
        (b'{"properties":[{"path":"email","action":"drop"}]}', "properties[0].path"),
        (b'{"properties":[{"path":"userId","action":"drop"}]}', "only be hashed"),
        (b'{"properties":[{"path":"traits.a","action":"mask","value":"("}]}', "expression of RE2: missing ): (."),
        (b'{"properties":[{"path":"traits.a","action":"mask","value":"a*"}]}', "every text"),
        (b'{"properties":[{"path":"traits..a","action":"mask"}]}', "empty name"),
        (b'{"events_per_second":0}', "events_per_second"),
        (b'{"colour":"red"}', "colour"),
        (b"[]", "array"),
        (b"no", "JSON"),
    ],
)
def test_rules_that_make_no_sense_are_refused_with_their_place(document: bytes, words: str) -> None:
    with pytest.raises(InvalidRulesError) as caught:
        parse_rules(document)
    assert words in caught.value.detail


def test_a_project_that_is_not_there_has_no_rules(runtime: Instance) -> None:
    engine = metadata.connect(runtime.database_url)
    with Session(engine) as session:
        assert read_rules(session, 2_000_000_000) is None
        assert not set_rules(session, 2_000_000_000, parse_rules(b"{}"))
    engine.dispose()


def _command(runtime: Instance, *arguments: str, document: object = None) -> str:
    """Run `radixinsight rules` on the session's engines."""
    place = ("--data-dir", str(runtime.data_dir), "--port-base", str(runtime.port_base))
    done = subprocess.run(
        [sys.executable, "-m", "runtime", "rules", *arguments, *place],
        input=json.dumps(document),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
