"""Segment's and RudderStack's own libraries, unmodified, against a running collector."""

import itertools
import json
import subprocess
import threading
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import rudderstack.analytics.client as rudderstack
import segment.analytics.client as segment
from clickhouse_connect.driver.client import Client

from runtime.project_keys import ProjectKeys
from tests.ingestion.harness import Line, landed_events

NODE = Path(__file__).parent / "node" / "segment"
KINDS = ["identify", "track", "page", "screen", "group", "alias"]
PAGE = {"name": "Pricing", "url": "https://shop.example/pricing"}


class Python:
    """One of the two Python libraries, with its errors."""

    def __init__(self, module: Any, host: str, key: str, **more: Any) -> None:
        self.errors: list[Exception] = []
        settings = {"host": host, "on_error": self._note, "upload_interval": 0.05} | more
        self.client = module.Client(key, **settings)

    def _note(self, error: Exception, _: list[Any]) -> None:
        self.errors.append(error)

    def send_one_of_each(self) -> None:
        """Send an event of every type by ada on device-1."""
        ada = {"anonymous_id": "device-1", "user_id": "ada"}
        client = self.client
        client.identify(traits={"plan": "pro"}, **ada)
        client.track(event="buy", properties={"price": 12.5}, **ada)
        client.page(name="Pricing", properties={"url": "https://shop.example/pricing"}, **ada)
        client.screen(name="Settings", **ada)
        client.group(group_id="acme", traits={"seats": 12}, **ada)
        client.alias(previous_id="old", user_id="ada")

    def close(self) -> list[Exception]:
        """Send what is left and return what went wrong."""
        if self.client.consumers is not None:
            self.client.shutdown()
        return self.errors


def node(program: str, *arguments: str) -> list[Any]:
    """Run one of the two Node libraries and return what went wrong."""
    command = ["node", str(NODE / program), *arguments]
    return json.loads(subprocess.run(command, capture_output=True, check=True, text=True, timeout=100).stdout)


def check_one_of_each(landed: list[dict[str, Any]]) -> None:
    """Compare what landed, in any order, with what `send_one_of_each` sends: some send their batches side by side."""
    landed = sorted(landed, key=lambda row: KINDS.index(row["type"]))
    assert [row["type"] for row in landed] == KINDS
    identify, track, page, screen, group, alias = landed
    for row in landed[:-1]:
        assert (row["user_id"], row["anonymous_id"]) == ("ada", "device-1")
    assert json.loads(identify["traits"]) == {"plan": "pro"}
    assert (track["event"], json.loads(track["properties"])) == ("buy", {"price": 12.5})
    assert json.loads(page["properties"]) == PAGE
    assert json.loads(screen["properties"]) == {"name": "Settings"}
    assert (group["group_id"], json.loads(group["traits"])) == ("acme", {"seats": 12})
    assert (alias["user_id"], alias["previous_id"]) == ("ada", "old")
    for row in landed:
        assert "analytics-" in row["library"]
        assert row["protocol"] == "segment"
        assert row["sent_at"] is not None


@pytest.mark.parametrize("module", [segment, rudderstack])
@pytest.mark.parametrize("more", [{}, {"gzip": True}, {"gzip": False}, {"sync_mode": True}])
@pytest.mark.parametrize("prefix", ["", "/rudderstack"])
def test_all_that_the_python_libraries_send_lands(
    line: Line, client: Client, project: ProjectKeys, *, module: Any, more: dict[str, Any], prefix: str
) -> None:
    sender = Python(module, line.collector.url + prefix, project.write_key, **more)
    sender.send_one_of_each()
    assert sender.close() == []
    line.wait_until_shipped()
    check_one_of_each(landed_events(client, project.id))


@pytest.mark.parametrize("module", [segment, rudderstack])
def test_python_sends_many_in_several_batches_in_their_order(
    line: Line, client: Client, project: ProjectKeys, module: Any
) -> None:
    sender = Python(module, line.collector.url, project.write_key, gzip=True)
    when = datetime(2024, 1, 2, 3, 4, 5, 678000, UTC)
    for n in range(250):
        sender.client.track("ada", "look", {"n": n}, timestamp=when, message_id=f"m{n}")
    assert sender.close() == []
    line.wait_until_shipped()
    landed = landed_events(client, project.id)
    assert [json.loads(row["properties"])["n"] for row in landed] == list(range(250))
    assert {row["timestamp"].isoformat() for row in landed} == {"2024-01-02T03:04:05.678000+00:00"}
    assert [row["message_id"] for row in landed] == [f"m{n}" for n in range(250)]


@pytest.mark.parametrize("module", [segment, rudderstack])
def test_what_python_sends_again_after_an_outage_lands_once(
    line: Line, client: Client, project: ProjectKeys, module: Any
) -> None:
    with outage(line.collector.url) as url:
        sender = Python(module, url, project.write_key)
        sender.client.track("ada", "buy")
        assert sender.close() == []
    line.wait_until_shipped()
    landed = landed_events(client, project.id)
    assert [row["event"] for row in landed] == ["buy", "buy"]
    assert len(once(landed)) == 1


@pytest.mark.parametrize("module", [segment, rudderstack])
def test_python_gives_up_at_once_on_an_unknown_key(line: Line, module: Any) -> None:
    """RudderStack's used to try 11 times, since it found no `message` in the answer."""
    counter = 'radixinsight_collector_requests_refused_total{code="unknown_write_key"}'
    before = line.collector.metrics().get(counter, 0)
    sender = Python(module, line.collector.url, "wk_unknown")
    sender.client.track("ada", "buy")
    (error,) = sender.close()
    assert getattr(error, "status", 0) == 401
    assert "unknown or revoked" in str(error)
    assert line.collector.metrics()[counter] == before + 1


def test_all_that_segments_node_library_sends_lands(line: Line, client: Client, project: ProjectKeys) -> None:
    assert node("segment.mjs", line.collector.url, project.write_key, "44") == []
    line.wait_until_shipped()
    landed = landed_events(client, project.id)
    check_one_of_each([row for row in landed if row["event"] != "look"])
    (when,) = [row["timestamp"] for row in landed if row["event"] == "buy"]
    assert when.isoformat() == "2024-01-02T03:04:05.678000+00:00"
    assert sorted(json.loads(row["properties"])["n"] for row in landed if row["event"] == "look") == list(range(44))


def test_what_segments_node_library_sends_again_lands(line: Line, client: Client, project: ProjectKeys) -> None:
    with outage(line.collector.url) as url:
        assert node("segment.mjs", url, project.write_key, "0") == []
    line.wait_until_shipped()
    check_one_of_each(once(landed_events(client, project.id)))


def test_segments_node_library_gives_up_at_once_on_an_unknown_key(line: Line) -> None:
    assert set(node("segment.mjs", line.collector.url, "wk_unknown", "0")) == {"Error: [401] Unauthorized"}


@pytest.mark.parametrize("packing", ["gzip", "plain"])
def test_all_that_rudderstacks_node_library_sends_lands(
    line: Line, client: Client, project: ProjectKeys, packing: str
) -> None:
    """Its packed JSON is labelled as a form."""
    assert node("rudderstack.mjs", line.collector.url, project.write_key, packing) == []
    line.wait_until_shipped()
    check_one_of_each(landed_events(client, project.id))


def test_what_rudderstacks_node_library_sends_again_lands(line: Line, client: Client, project: ProjectKeys) -> None:
    with outage(line.collector.url) as url:
        assert node("rudderstack.mjs", url, project.write_key, "gzip") == []
    line.wait_until_shipped()
    check_one_of_each(once(landed_events(client, project.id)))


def test_rudderstacks_node_library_gives_up_at_once_on_an_unknown_key(line: Line) -> None:
    assert set(node("rudderstack.mjs", line.collector.url, "wk_unknown", "gzip")) == {401}


@contextmanager
def outage(collector: str) -> Generator[str]:
    """Yield the address of a proxy that loses the answer to the first request, refuses the second and then works."""
    requests = itertools.count(1)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            number = next(requests)
            body = self.rfile.read(int(self.headers["content-length"]))
            self.close_connection = True
            if number == 2:
                self.send_error(503)
                return
            answer = httpx.post(collector + self.path, content=body, headers=dict(self.headers.items()))
            if number > 2:
                self.send_response(answer.status_code)
                self.send_header("content-length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
            """Be silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def once(landed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out what was sent again under the same id."""
    return list({row["message_id"]: row for row in reversed(landed)}.values())[::-1]
