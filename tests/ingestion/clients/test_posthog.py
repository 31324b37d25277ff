"""PostHog's own clients, unmodified: only their host is ours."""

import base64
import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import posthog as contexts
import pytest
from clickhouse_connect.driver.client import Client
from posthog import Posthog

from runtime.project_keys import ProjectKeys
from tests.ingestion.harness import Line, landed_events, rejects

SCRIPTS = Path(__file__).parent / "node" / "posthog"
WHEN = datetime(2026, 5, 6, 7, 8, 9, 123000, tzinfo=UTC)
UUID = "01890a5d-ac96-774b-bcce-b302099a8057"
Rows = dict[str, dict[str, Any]]


def run(script: str, *arguments: str) -> dict[str, Any]:
    """Run a script of the clients for Node and return what it says."""
    done = subprocess.run(
        ["node", script, *arguments], cwd=SCRIPTS, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def by_event(rows: list[dict[str, Any]]) -> Rows:
    """Return landed events by their names, each of which came once."""
    assert len({row["event"] for row in rows}) == len(rows)
    return {row["event"]: row for row in rows}


def ids(row: dict[str, Any]) -> tuple[str, str, str]:
    """Return whom a row names."""
    return row["anonymous_id"], row["user_id"], row["previous_id"]


def python_client(line: Line, write_key: str, errors: list[Exception], **options: Any) -> Posthog:
    """Return posthog-python, which writes its errors down."""

    def on_error(error: Exception, _batch: object) -> None:
        errors.append(error)

    return Posthog(write_key, host=line.collector.url, on_error=on_error, max_retries=1, **options)


MODES: list[dict[str, Any]] = [
    {},
    {"gzip": True},
    {"sync_mode": True},
    {"capture_mode": "v1"},
    {"capture_mode": "v1", "capture_compression": "deflate"},
]


@pytest.mark.parametrize("options", MODES)
def test_posthog_python(line: Line, client: Client, project: ProjectKeys, options: dict[str, Any]) -> None:
    errors: list[Exception] = []
    sender = python_client(line, project.write_key, errors, **options)
    sender.capture(
        "buy",
        distinct_id="ada",
        properties={"price": 12.5, "$set": {"city": "Bern"}},
        groups={"company": "acme"},
        timestamp=WHEN,
        uuid=UUID,
    )
    sender.set(distinct_id="ada", properties={"plan": "pro"})
    sender.alias("ada@example.com", "ada")
    sender.group_identify("company", "acme", {"seats": 3}, distinct_id="ada")
    with contexts.new_context():
        contexts.identify_context("ada")
        contexts.set_context_session("session-1")
        sender.capture("read")
    sender.capture("personless")
    assert sender.evaluate_flags("ada").keys == []
    sender.shutdown()
    assert errors == []
    line.wait_until_shipped()
    rows = by_event(landed_events(client, project.id))
    assert set(rows) == {"buy", "$identify", "$alias", "$group", "read", "personless"}
    buy = rows["buy"]
    assert (buy["message_id"], buy["type"], ids(buy)) == (UUID, "track", ("", "ada", ""))
    assert buy["timestamp"].replace(tzinfo=UTC) == WHEN
    assert json.loads(buy["properties"])["price"] == 12.5
    assert json.loads(buy["traits"]) == {"city": "Bern"}
    assert json.loads(buy["context"])["groups"] == {"company": "acme"}
    assert (buy["protocol"], buy["library"].partition("/")[0]) == ("posthog", "posthog-python")
    assert buy["user_agent"].startswith("posthog-python/")
    assert (ids(rows["$identify"]), json.loads(rows["$identify"]["traits"])) == (("", "ada", ""), {"plan": "pro"})
    assert ids(rows["$alias"]) == ("", "ada", "ada@example.com")
    group = rows["$group"]
    assert (group["group_type"], group["group_id"], json.loads(group["traits"])) == ("company", "acme", {"seats": 3})
    assert (ids(rows["read"]), rows["read"]["session_id"]) == (("", "ada", ""), "session-1")
    assert rows["personless"]["user_id"] == ""


@pytest.mark.parametrize("mode", ["v0", "v1"])
def test_posthog_python_hears_of_what_is_rejected_and_does_not_send_it_again(
    line: Line, client: Client, project: ProjectKeys, mode: str
) -> None:
    errors: list[Exception] = []
    sender = python_client(line, project.write_key, errors, capture_mode=mode)
    sender.capture("good", distinct_id="ada")
    sender.capture("nobody", distinct_id="null", uuid=UUID)
    sender.shutdown()
    line.wait_until_shipped()
    assert [row["event"] for row in landed_events(client, project.id)] == ["good"]
    assert [(reason, uuid) for reason, uuid, _ in rejects(client, project.id)] == [("illegal_id", UUID)]
    drops = [drop for error in errors for drop in getattr(error, "drops", [])]
    # v0 has no way to say so.
    assert [uuid for uuid, _ in drops] == ([UUID] if mode == "v1" else [])


@pytest.mark.parametrize("mode", ["v0", "v1"])
def test_posthog_python_gives_up_at_once_on_an_unknown_key(line: Line, mode: str) -> None:
    errors: list[Exception] = []
    sender = python_client(line, "wk_unknown", errors, capture_mode=mode)
    sender.capture("good", distinct_id="ada")
    sender.shutdown()
    assert [getattr(error, "status", None) for error in errors] == [401]


@pytest.mark.parametrize(("mode", "compression"), [("v0", "gzip"), ("v0", "plain"), ("v1", "gzip"), ("v1", "plain")])
def test_posthog_node(line: Line, client: Client, project: ProjectKeys, mode: str, compression: str) -> None:
    said = run("node.mjs", line.collector.url, project.write_key, mode, compression)
    assert said["flags"] == {}
    assert len(said["errors"]) == (mode == "v1")  # the one about the event that is rejected
    line.wait_until_shipped()
    assert [reason for reason, _, _ in rejects(client, project.id)] == ["illegal_id"]
    rows = by_event(landed_events(client, project.id))
    assert set(rows) == {"$identify", "$alias", "$group", "buy"}
    identify, buy, group = rows["$identify"], rows["buy"], rows["$group"]
    assert ids(identify) == ("device-1", "ada", "")
    assert (json.loads(identify["traits"]), json.loads(identify["traits_once"])) == ({"plan": "pro"}, {"first": "x"})
    assert ids(rows["$alias"]) == ("", "ada", "ada@example.com")
    assert (group["group_type"], group["group_id"], ids(group)) == ("company", "acme", ("", "ada", ""))
    assert (buy["message_id"], ids(buy), buy["session_id"]) == (UUID, ("", "ada", ""), "session-1")
    assert buy["timestamp"].replace(tzinfo=UTC) == WHEN
    assert json.loads(buy["traits"]) == {"city": "Bern"}
    assert (buy["protocol"], buy["library"].partition("/")[0]) == ("posthog", "posthog-node")


def test_a_pixel_a_form_and_a_single_event_land_on_paths_that_others_have_too(
    line: Line, client: Client, project: ProjectKeys
) -> None:
    event = {"event": "pixel", "properties": {"distinct_id": "ada", "token": project.write_key, "$lib": "web"}}
    data = base64.b64encode(json.dumps(event).encode()).decode()
    pixel = httpx.get(f"{line.collector.url}/track/", params={"data": data, "img": "1", "ip": "1"})
    assert (pixel.status_code, pixel.headers["content-type"]) == (200, "image/gif")
    form = base64.b64encode(json.dumps([event | {"event": "form"}]).encode()).decode()
    assert httpx.post(f"{line.collector.url}/e/?compression=base64", data={"data": form}).json() == {"status": "Ok"}
    single = {"event": "single", "distinct_id": "ada", "api_key": project.write_key}
    assert httpx.post(f"{line.collector.url}/capture", json=single).json() == {"status": "Ok"}
    traits = {"api_key": project.write_key, "$distinct_id": "ada", "$set": {"plan": "pro"}}
    assert httpx.post(f"{line.collector.url}/engage", json=traits).json() == {"status": "Ok"}
    line.wait_until_shipped()
    rows = landed_events(client, project.id)
    assert [(row["event"], row["user_id"], row["protocol"]) for row in rows] == [
        (name, "ada", "posthog") for name in ("pixel", "form", "single", "$identify")
    ]


def test_a_bad_event_and_one_with_anothers_key_never_sink_their_batch(
    line: Line, client: Client, project: ProjectKeys
) -> None:
    good = b'{"event":"good","distinct_id":"ada"}'
    other = b'{"event":"buy","distinct_id":"ada","api_key":"wk_other"}'
    body = b'{"api_key":"%b","batch":[%b,{"n":NaN},%b]}' % (project.write_key.encode(), good, other)
    answer = httpx.post(f"{line.collector.url}/batch/", content=body)
    assert (answer.status_code, answer.json()["rejected"]) == (200, 2)
    line.wait_until_shipped()
    assert [row["event"] for row in landed_events(client, project.id)] == ["good"]
    assert [reason for reason, _, _ in rejects(client, project.id)] == ["invalid_json", "other_write_key"]


def test_a_browser_is_refused_without_a_demand_for_a_password(line: Line) -> None:
    body = {"event": "buy", "distinct_id": "ada", "api_key": "wk_unknown"}
    answer = httpx.post(f"{line.collector.url}/e/", json=body, headers={"origin": "https://shop.example"})
    assert (answer.status_code, answer.json()["code"]) == (401, "unknown_write_key")
    assert "www-authenticate" not in answer.headers
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"
