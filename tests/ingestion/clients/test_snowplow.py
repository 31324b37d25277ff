"""Snowplow's own trackers, unmodified, against the collector."""
# pyright: reportPrivateImportUsage=false
# The package is marked as typed and re-exports its classes without saying so.

import json
import subprocess
from pathlib import Path
from typing import Any, Literal, TypeAlias

import httpx
import pytest
from clickhouse_connect.driver.client import Client
from snowplow_tracker import AsyncEmitter, Emitter, SelfDescribingJson, Subject, Tracker
from snowplow_tracker.events import PagePing, PageView, ScreenView, SelfDescribing, StructuredEvent

from runtime.project_keys import ProjectKeys
from tests.ingestion.harness import Line, landed_events, rejects

NODE = Path(__file__).parent / "node" / "snowplow"
Method: TypeAlias = Literal["get", "post"]
Failures: TypeAlias = list[tuple[int, list[dict[str, Any]]]]

METHODS: list[Method] = ["get", "post"]
IDENTIFY = "iglu:com.snowplowanalytics.snowplow/identify/jsonschema/1-0-0"
BOUGHT = "iglu:com.acme/bought/jsonschema/1-0-0"


def subject() -> Subject:
    """Return ada on her device."""
    ada = Subject().set_platform("web").set_user_id("ada").set_domain_user_id("device-1")
    return ada.set_domain_session_id("session-1").set_lang("en-GB").set_screen_resolution(1920, 1080)


def track_all(tracker: Tracker) -> list[str | None]:
    """Track one event of each kind; return their ids."""
    cart = SelfDescribingJson("iglu:com.acme/cart/jsonschema/1-0-0", {"items": 2, "note": "é 😀"})
    events = [
        PageView("https://shop.example/p/1?utm_source=mail", "Product", "https://search.example/", context=[cart]),
        PagePing("https://shop.example/p/1", min_y=0, max_y=300),
        StructuredEvent("shop", "add", "A-17", "pcs", 2.5),
        SelfDescribing(SelfDescribingJson(BOUGHT, {"sku": "A-17", "price": 12.5}), true_timestamp=1_700_000_000_123),
        ScreenView("5b7a6b1e-0000-4000-8000-000000000001", "Settings"),
        SelfDescribing(SelfDescribingJson(IDENTIFY, {"id": "ada", "email": "ada@example.org"})),
    ]
    return [tracker.track(event) for event in events]


def by_message(client: Client, project: ProjectKeys) -> dict[str, dict[str, Any]]:
    """Return a project's landed events by their message ids."""
    return {row["message_id"]: row for row in landed_events(client, project.id)}


def names(rows: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Return type and name of each event, sorted: two pixels may come in the same millisecond."""
    return sorted((row["type"], row["event"]) for row in rows)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("emitter_class", [Emitter, AsyncEmitter])
@pytest.mark.parametrize("encode_base64", [True, False])
def test_the_python_tracker_delivers_every_kind_of_event(
    line: Line,
    client: Client,
    project: ProjectKeys,
    emitter_class: type[Emitter],
    method: Method,
    *,
    encode_base64: bool,
) -> None:
    failures: Failures = []
    sent: list[int] = []
    emitter = emitter_class(
        line.collector.url,
        method=method,
        batch_size=4,
        on_success=lambda events: sent.append(len(events)),
        on_failure=lambda count, events: failures.append((count, events)),
    )
    tracker = Tracker("shop", emitter, subject(), app_id=project.write_key, encode_base64=encode_base64)
    ids = track_all(tracker)
    emitter.sync_flush()
    assert (failures, sum(sent)) == ([], 6)
    line.wait_until_shipped()
    landed = by_message(client, project)
    rows = [landed[str(message_id)] for message_id in ids]
    assert names(rows) == [
        ("identify", "$identify"),
        ("page", "$pageview"),
        ("screen", "$screen"),
        ("track", "add"),
        ("track", "bought"),
        ("track", "page_ping"),
    ]
    common = {(row["user_id"], row["anonymous_id"], row["session_id"], row["library"]) for row in rows}
    assert common == {("ada", "device-1", "session-1", "snowplow-py/1.1.0")}
    view, _, structured, bought, _, identify = rows
    properties = json.loads(view["properties"])
    assert (properties["path"], properties["title"]) == ("/p/1", "Product")
    assert properties["$contexts"][0]["data"] == {"items": 2, "note": "é 😀"}
    assert json.loads(view["context"])["screen"] == {"width": 1920, "height": 1080}
    assert json.loads(structured["properties"])["value"] == 2.5
    assert json.loads(bought["properties"]) == {"sku": "A-17", "price": 12.5, "$schema": BOUGHT}
    assert bought["timestamp"].timestamp() == 1_700_000_000.123
    assert json.loads(identify["traits"]) == {"id": "ada", "email": "ada@example.org"}


@pytest.mark.parametrize("method", METHODS)
def test_the_python_tracker_forgets_what_no_retry_would_save(line: Line, method: Method) -> None:
    failures: Failures = []
    emitter = Emitter(
        line.collector.url,
        method=method,
        batch_size=10,
        on_failure=lambda count, events: failures.append((count, events)),
    )
    Tracker("shop", emitter, subject(), app_id="wk_unknown").track(PageView("https://shop.example/"))
    emitter.sync_flush()
    assert [(count, len(events)) for count, events in failures] == [(0, 1)]
    assert (emitter.retry_timer.is_active(), emitter.event_store.size()) == (False, 0)


def test_the_python_tracker_does_not_send_again_what_is_too_large(line: Line, project: ProjectKeys) -> None:
    emitter = Emitter(line.collector.url, batch_size=2)
    tracker = Tracker("shop", emitter, subject(), app_id=project.write_key)
    tracker.track(PageView("https://shop.example/?" + "x" * 21 * 1024 * 1024))
    emitter.sync_flush()
    assert (emitter.retry_timer.is_active(), emitter.event_store.size()) == (False, 0)


def test_a_rejected_event_costs_the_python_tracker_nothing_else(
    line: Line, client: Client, project: ProjectKeys
) -> None:
    failures: Failures = []
    emitter = Emitter(line.collector.url, on_failure=lambda count, events: failures.append((count, events)))
    Tracker("shop", emitter, app_id=project.write_key).track(PageView("https://nobody.example/"))
    Tracker("shop", emitter, subject(), app_id="wk_other").track(PageView("https://other.example/"))
    Tracker("shop", emitter, subject(), app_id=project.write_key).track(PageView("https://shop.example/"))
    emitter.sync_flush()
    line.wait_until_shipped()
    assert failures == []
    assert [json.loads(row["properties"])["url"] for row in landed_events(client, project.id)] == [
        "https://shop.example/"
    ]
    assert [reason for reason, _, _ in rejects(client, project.id)] == ["missing_id", "other_write_key"]


def test_the_python_tracker_may_use_the_protocols_own_prefix(line: Line, client: Client, project: ProjectKeys) -> None:
    emitter = Emitter(f"{line.collector.url}/snowplow")
    Tracker("shop", emitter, subject(), app_id=project.write_key).track(PageView("https://shop.example/"))
    emitter.sync_flush()
    line.wait_until_shipped()
    assert [row["protocol"] for row in landed_events(client, project.id)] == ["snowplow"]


def run(script: str, *arguments: str) -> Any:
    """Return what a script prints that runs one of the JavaScript trackers."""
    done = subprocess.run(["node", NODE / script, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("method", METHODS)
def test_the_node_tracker_delivers_every_kind_of_event(
    line: Line, client: Client, project: ProjectKeys, method: Method
) -> None:
    assert run("server.mjs", line.collector.url, project.write_key, method) == []
    line.wait_until_shipped()
    rows = landed_events(client, project.id)
    assert names(rows) == [
        ("identify", "$identify"),
        ("page", "$pageview"),
        ("screen", "$screen"),
        ("track", "add"),
        ("track", "bought"),
        ("track", "transaction"),
        ("track", "transaction_item"),
    ]
    common = {(row["user_id"], row["anonymous_id"], row["session_id"], row["library"]) for row in rows}
    assert common == {("ada", "device-1", "session-1", "snowplow-node/4.8.0")}
    bought = next(row for row in rows if row["event"] == "bought")
    assert bought["timestamp"].timestamp() == 1_700_000_000.123
    properties = json.loads(bought["properties"])
    assert (properties["sku"], properties["price"], properties["$schema"]) == ("A-17", 12.5, BOUGHT)
    assert properties["$contexts"][0]["data"]["note"] == "é 😀"


def test_the_write_key_may_stand_in_the_path_beside_an_app_id(line: Line, client: Client, project: ProjectKeys) -> None:
    path = f"/com.snowplowanalytics.snowplow/tp2?aid={project.write_key}"
    run("server.mjs", line.collector.url, "shop", "post", path)
    line.wait_until_shipped()
    rows = landed_events(client, project.id)
    assert rows
    assert {json.loads(row["context"])["app"]["name"] for row in rows} == {"shop"}


@pytest.mark.parametrize("method", METHODS)
def test_the_node_tracker_does_not_send_again_what_is_refused(line: Line, method: Method) -> None:
    failures = run("server.mjs", line.collector.url, "wk_unknown", method)
    assert failures
    assert {(failure["status"], failure["willRetry"]) for failure in failures} == {(401, False)}


def test_a_browser_may_send_with_credentials_from_any_page(line: Line, project: ProjectKeys) -> None:
    """The browser tracker asks for credentials by default, and no cookie ever comes back."""
    url, origin = f"{line.collector.url}/com.snowplowanalytics.snowplow/tp2", {"origin": "https://shop.example"}
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "content-type,sp-anonymous"}
    preflight = httpx.options(url, headers=origin | asked)
    body = {"schema": "iglu:x", "data": [{"e": "pv", "aid": project.write_key, "uid": "ada"}]}
    for answer in (preflight, httpx.post(url, json=body, headers=origin)):
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == "https://shop.example"
        assert answer.headers["access-control-allow-credentials"] == "true"
        assert "set-cookie" not in answer.headers


def test_health_is_answered_as_snowplows_collector_does(line: Line) -> None:
    answer = httpx.get(f"{line.collector.url}/health")
    assert (answer.status_code, answer.text) == (200, "OK")


def test_a_pixel_is_a_picture(line: Line, client: Client, project: ProjectKeys) -> None:
    parameters = {"e": "pv", "aid": project.write_key, "nuid": "n-1", "url": "https://shop.example/?q=a+b&c=%C3%A9"}
    answer = httpx.get(f"{line.collector.url}/i", params=parameters)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/gif")
    assert "no-store" in answer.headers["cache-control"]
    line.wait_until_shipped()
    (row,) = landed_events(client, project.id)
    assert (row["anonymous_id"], json.loads(row["properties"])["url"]) == ("n-1", parameters["url"])
