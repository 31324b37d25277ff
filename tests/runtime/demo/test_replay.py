"""Sending, against a collector that the test makes behave badly."""

import base64
import json
import threading
from collections.abc import Generator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from runtime.demo import replay as replaying
from runtime.demo.dataset import DemoData
from runtime.demo.replay import replay
from runtime.errors import OperationError

DATA = DemoData(datetime(2026, 3, 1, tzinfo=UTC), 500)


class BadCollector:
    """Gives the statuses that it was told, then 200, and remembers what it took."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.taken: list[dict[str, Any]] = []
        self.keys: set[str] = set()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status = collector.statuses.pop() if collector.statuses else 200
                if status == 200:
                    collector.taken += body["batch"]
                    collector.keys.add(base64.b64decode(self.headers["Authorization"].split()[1]).decode())
                answer = b'{"success": true}' if status == 200 else b"no"
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
                """Stay quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Generator[BadCollector]:
    monkeypatch.setattr(replaying, "_PAUSE_S", 0.01)
    made = BadCollector()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


async def test_every_event_is_sent_once_under_the_write_key(collector: BadCollector) -> None:
    progress: list[int] = []
    await replay(DATA, collector.url, "wk_demo", sent=progress.append)
    assert sorted(event["messageId"] for event in collector.taken) == sorted(
        event.message_id for event in DATA.events()
    )
    assert collector.keys == {"wk_demo:"}
    assert sum(progress) == len(DATA)


async def test_a_users_events_arrive_in_their_order(collector: BadCollector) -> None:
    await replay(DATA, collector.url, "wk_demo", sent=lambda _: None)
    by_user: dict[str, list[str]] = {}
    for event in collector.taken:
        by_user.setdefault(event["userId"], []).append(event["messageId"])
    assert all(messages == sorted(messages) for messages in by_user.values())


async def test_a_full_collector_gets_the_batch_again(collector: BadCollector) -> None:
    collector.statuses = [429, 503, 502, 503]
    await replay(DATA, collector.url, "wk_demo", sent=lambda _: None)
    assert len(collector.taken) == len(DATA)


async def test_a_refused_key_ends_the_replay_with_the_reason(collector: BadCollector) -> None:
    collector.statuses = [401] * 100
    with pytest.raises(OperationError, match="401 no"):
        await replay(DATA, collector.url, "wk_wrong", sent=lambda _: None)


async def test_a_collector_that_stays_away_ends_the_replay(free_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replaying, "_PAUSE_S", 0.01)
    with pytest.raises(OperationError, match="did not take a batch"):
        await replay(DATA, f"http://127.0.0.1:{free_port}", "wk_demo", sent=lambda _: None)
