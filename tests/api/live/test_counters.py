"""Live counters: exact, and of what is known before any model is made."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from clickhouse_connect.driver.client import Client

from api.live import counters
from api.settings import ApiSettings
from core import warehouse
from engine.streams import event_stream
from runtime.instance import Instance
from runtime.project_keys import ProjectKeys, create_project
from tests.api.live.conftest import Serve, Served

COLUMNS = [
    "project_id",
    "message_id",
    "type",
    "event",
    "user_id",
    "anonymous_id",
    "timestamp",
    "received_at",
    "protocol",
]


@pytest.fixture
def client(runtime: Instance) -> Any:
    """Return a client of ClickHouse."""
    with warehouse.connect(runtime.clickhouse_url) as client:
        yield client


def _land(client: Client, project_id: int, *events: dict[str, Any]) -> None:
    now = datetime.now(UTC)
    rows: list[list[Any]] = []
    for event in events:
        happened, received = (now - timedelta(seconds=event.get(name, 0)) for name in ("ago_s", "received_ago_s"))
        ids = [event.get("user", ""), event.get("device", "")]
        protocol = event.get("protocol", "segment")
        rows.append([project_id, event["id"], "track", "buy", *ids, happened, received, protocol])
    client.insert("events", rows, COLUMNS, database="raw")


async def _counters(api: Served, project: ProjectKeys) -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=api.url, timeout=30) as client:
        headers = {"authorization": f"Bearer {project.api_key}"}
        answer = await client.get(f"/v1/projects/{project.id}/live/counters", headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("most_exact", [1_000_000, 0])
async def test_the_counters_count_each_event_and_each_id_once(
    *,
    api: Served,
    client: Client,
    runtime: Instance,
    project: ProjectKeys,
    monkeypatch: pytest.MonkeyPatch,
    most_exact: int,
) -> None:
    monkeypatch.setattr(counters, "_MOST_EXACT", most_exact)
    other = create_project(runtime.database_url, "other", key_name="test")
    _land(
        client,
        project.id,
        {"id": "now", "user": "ada", "device": "d1"},
        {"id": "now", "user": "ada", "device": "d1"},  # sent again
        {"id": "device", "device": "d1", "ago_s": 30},
        {"id": "same text", "device": "ada", "ago_s": 61},
        {"id": "recent", "user": "bob", "ago_s": 4 * 60},
        {"id": "earlier", "user": "cleo", "ago_s": 20 * 60, "received_ago_s": 20 * 60},
        {"id": "too early", "user": "dan", "ago_s": 31 * 60, "received_ago_s": 31 * 60},
        {"id": "history", "user": "eve", "ago_s": 3 * 86400},
        {"id": "future", "user": "fay", "ago_s": -3600},
        {"id": "canary", "device": "canary", "protocol": "canary"},
    )
    _land(client, other.id, {"id": "theirs", "user": "gus"})
    found = await _counters(api, project)
    assert found["active_5_minutes"] == 4
    assert found["active_30_minutes"] == 5
    assert found["events_last_minute"] == found["events_per_minute"][-1] == 2
    assert len(found["events_per_minute"]) == 30
    assert [index for index, events in enumerate(found["events_per_minute"]) if events] == [9, 25, 28, 29]
    assert sum(found["events_per_minute"]) == 5
    assert (found["counted"], found["is_exact"]) == ("distinct_ids", most_exact > 0)


async def test_of_several_deliveries_the_first_counts(api: Served, client: Client, project: ProjectKeys) -> None:
    _land(
        client,
        project.id,
        {"id": "m", "user": "ada", "ago_s": 20 * 60, "received_ago_s": 20 * 60},
        {"id": "m", "user": "bob"},
    )
    found = await _counters(api, project)
    assert (found["active_5_minutes"], found["active_30_minutes"], sum(found["events_per_minute"])) == (0, 1, 1)


async def test_many_who_ask_at_once_are_one_question(
    serve: Serve, settings: ApiSettings, client: Client, project: ProjectKeys
) -> None:
    async with serve(settings.model_copy(update={"live_counters_seconds": 60})) as api:
        found = await asyncio.gather(*(_counters(api, project) for _ in range(10)))
        _land(client, project.id, {"id": "later", "user": "ada"})
        assert await _counters(api, project) == found[0]
        assert len({answer["until"] for answer in found}) == 1


async def test_a_stream_tells_the_counters_again_when_they_are_counted_anew(
    serve: Serve, settings: ApiSettings, client: Client, project: ProjectKeys
) -> None:
    async with (
        serve(settings.model_copy(update={"live_counters_seconds": 0.5})) as api,
        event_stream(api.url, project.id, project.api_key) as stream,
    ):
        assert (await stream.next("counters")).data["active_5_minutes"] == 0
        _land(client, project.id, {"id": "m", "user": "ada"})
        async with asyncio.timeout(60):
            while (await stream.next("counters")).data["active_5_minutes"] != 1:
                pass
