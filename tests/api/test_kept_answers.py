"""Answers are given again from memory, by their ETag, and if somebody likes before they are made anew."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest
from clickhouse_connect.driver.client import Client
from fastapi import FastAPI

from api.insights.unmodelled import UnmodelledEvents
from api.settings import ApiSettings
from api.warehouse import Warehouse
from core import warehouse
from runtime.instance import Instance

NAMES = "event-names?from=2025-03-03&to=2025-04-07"
DOCUMENT = {"kind": "trend", "from": "2025-03-03", "to": "2025-04-07", "series": [{"name": "seen"}]}
PERSONS = {"kind": "events", "from": "2025-03-03", "to": "2025-04-07"}


@pytest.fixture
def admin(runtime: Instance) -> Any:
    client = warehouse.connect(runtime.clickhouse_admin_url)
    yield client
    client.close()


@pytest.fixture
def own_settings(settings: ApiSettings, admin: Client, modelled: Any) -> Any:
    """Give the test events of its own, which it may change; the API believes what it saw of them for long."""
    database = f"{modelled.database}_{id(settings)}"
    admin.command(f"create database {database}")
    admin.command(f"create table {database}.fct_events as {modelled.database}.fct_events")
    admin.command(f"insert into {database}.fct_events select * from {modelled.database}.fct_events")
    admin.command(f"create view {database}.dim_persons as select * from {modelled.database}.dim_persons")
    update = {"marts_database": database, "data_version_seconds": 60, "landing_seconds": 60}
    yield settings.model_copy(update=update)
    admin.command(f"drop database {database}")


@pytest.fixture
async def served(serve: Any, own_settings: ApiSettings) -> AsyncGenerator[tuple[httpx.AsyncClient, FastAPI]]:
    async with serve(own_settings) as running:
        yield running


@pytest.fixture
async def hasty(serve: Any, own_settings: ApiSettings) -> AsyncGenerator[tuple[httpx.AsyncClient, FastAPI]]:
    """Serve what believes nothing for longer than a moment."""
    async with serve(own_settings.model_copy(update={"data_version_seconds": 0})) as running:
        yield running


async def _ask(client: httpx.AsyncClient, project: Any, asked: Any = NAMES, **headers: str) -> httpx.Response:
    path, sent = f"/v1/projects/{project.id}", project.headers | headers
    if isinstance(asked, str):
        return await client.get(f"{path}/{asked}", headers=sent)
    return await client.post(f"{path}/query", json=asked, headers=sent)


def _counted(app: FastAPI, source: str) -> float:
    registry = app.state.resources.metrics.registry
    return registry.get_sample_value("radixinsight_api_results_total", {"source": source}) or 0


@pytest.mark.parametrize("asked", [NAMES, DOCUMENT])
async def test_an_answer_is_given_again_from_memory_and_is_the_same(served: Any, modelled: Any, asked: Any) -> None:
    client, app = served
    first, second = [await _ask(client, modelled.berlin, asked) for _ in range(2)]
    assert _counted(app, "memory") == 1
    assert (first.json()["meta"]["cached"], second.json()["meta"]["cached"]) == (False, True)
    own = {"cached": True, "elapsed_ms": 0}
    assert [answer.json()["data"] for answer in (first, second)] == [first.json()["data"]] * 2
    assert first.json()["meta"] | own == second.json()["meta"] | own
    assert second.headers["etag"] == first.headers["etag"]
    assert second.headers["cache-control"] == "no-store"


async def test_questions_that_are_equal_have_one_answer_however_they_are_written(served: Any, modelled: Any) -> None:
    client, app = served
    await _ask(client, modelled.berlin, DOCUMENT)
    await _ask(client, modelled.berlin, dict(reversed(DOCUMENT.items())) | {"interval": "day"})
    assert _counted(app, "memory") == 1
    for other in (DOCUMENT | {"to": "2025-04-06"}, DOCUMENT | {"interval": "week"}):
        await _ask(client, modelled.berlin, other)
    assert _counted(app, "memory") == 1


async def test_an_answer_in_memory_is_no_other_projects(served: Any, modelled: Any) -> None:
    client, app = served
    answers = [(await _ask(client, project)).json() for project in (modelled.berlin, modelled.new_york)]
    assert _counted(app, "memory") == 0
    assert answers[0]["data"] != answers[1]["data"]
    path = f"/v1/projects/{modelled.berlin.id}/{NAMES}"
    assert (await client.get(path, headers=modelled.new_york.headers)).status_code == 404
    assert (await client.get(path)).status_code == 401


@pytest.mark.parametrize("written", ["{}", '"other", {}', '{},W/"x"', "*"])
async def test_who_has_the_answer_is_not_given_it_again(served: Any, modelled: Any, written: str) -> None:
    client, _ = served
    etag = (await _ask(client, modelled.berlin)).headers["etag"]
    again = await _ask(client, modelled.berlin, **{"if-none-match": written.format(etag)})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    other = await _ask(client, modelled.berlin, **{"if-none-match": '"other"'})
    assert other.status_code == 200


async def test_an_etag_stands_for_no_other_data(hasty: Any, modelled: Any, admin: Client, own_settings: Any) -> None:
    client, _ = hasty
    before = await _ask(client, modelled.berlin)
    admin.command(
        f"alter table {own_settings.marts_database}.fct_events delete where event = 'cart' settings mutations_sync = 2"
    )
    after = await _ask(client, modelled.berlin, **{"if-none-match": before.headers["etag"]})
    assert after.status_code == 200
    assert "cart" not in {row["event"] for row in after.json()["data"]}


async def test_who_takes_a_stale_answer_gets_it_at_once_while_the_next_is_made(
    hasty: Any, modelled: Any, admin: Client, own_settings: Any
) -> None:
    client, app = hasty
    before = (await _ask(client, modelled.berlin)).json()["data"]
    table = f"{own_settings.marts_database}.fct_events"
    admin.command(f"alter table {table} delete where event = 'cart' settings mutations_sync = 2")
    stale = await _ask(client, modelled.berlin, **{"cache-control": "no-transform, max-stale=60"})
    assert (stale.json()["data"], _counted(app, "stale")) == (before, 1)
    await asyncio.gather(*app.state.resources.kept._renewing.values())
    renewed = await _ask(client, modelled.berlin, **{"cache-control": "max-stale=60"})
    assert "cart" not in {row["event"] for row in renewed.json()["data"]}


@pytest.mark.parametrize("header", ["max-stale=0", "max-stale", "max-stale=-1", "max-age=60", "max-stale=" + "9" * 20])
async def test_nobody_gets_a_stale_answer_unasked(hasty: Any, modelled: Any, header: str) -> None:
    client, app = hasty
    for _ in range(2):
        await _ask(client, modelled.berlin, **{"cache-control": header})
    assert _counted(app, "stale") == 0


async def test_a_list_that_shows_persons_is_never_stale(
    hasty: Any, modelled: Any, admin: Client, own_settings: Any
) -> None:
    """Whoever was erased is in it no more."""
    client, app = hasty
    shown = (await _ask(client, modelled.berlin, PERSONS)).json()["data"]["events"]
    erased = shown[0]["person_number"]
    table = f"{own_settings.marts_database}.fct_events"
    admin.command(f"alter table {table} delete where person_number = {erased} settings mutations_sync = 2")
    answer = await _ask(client, modelled.berlin, PERSONS, **{"cache-control": "max-stale=60"})
    assert erased not in {event["person_number"] for event in answer.json()["data"]["events"]}
    assert _counted(app, "stale") == 0


@pytest.mark.parametrize(
    "more",
    [
        {"breakdown": [{"property": "plan"}]},
        {"kind": "paths", "series": None},
    ],
    ids=["breakdown", "paths"],
)
async def test_an_answer_that_holds_values_is_never_stale(hasty: Any, modelled: Any, more: dict[str, Any]) -> None:
    client, app = hasty
    asked = {name: value for name, value in (DOCUMENT | more).items() if value is not None}
    for _ in range(2):
        assert (await _ask(client, modelled.berlin, asked, **{"cache-control": "max-stale=60"})).status_code == 200
    assert _counted(app, "stale") == 0


async def test_memory_for_answers_is_bounded_and_the_latest_stay(
    serve: Any, own_settings: ApiSettings, modelled: Any
) -> None:
    async with serve(own_settings.model_copy(update={"answer_memory_bytes": 60_000})) as (client, app):
        for day in range(10, 30):
            await _ask(client, modelled.berlin, f"event-names?from=2025-03-03&to=2025-03-{day}")
        kept = app.state.resources.kept
        assert 0 < kept._bytes <= 60_000
        assert kept._bytes == sum(len(each.body) + 1_000 for each in kept._kept.values())
        await _ask(client, modelled.berlin, "event-names?from=2025-03-03&to=2025-03-29")
        assert _counted(app, "memory") == 1


async def test_a_query_ends_when_the_client_disconnects(
    served: Any, modelled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, app = served
    asked, ended = asyncio.Event(), asyncio.Event()

    async def never(*_: Any) -> None:
        asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def all_is_modelled(*_: Any) -> None:
        """Ask nothing before."""

    monkeypatch.setattr(Warehouse, "query", never)
    monkeypatch.setattr(UnmodelledEvents, "find", all_is_modelled)
    path, _, query = NAMES.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "path": f"/v1/projects/{modelled.berlin.id}/{path}",
        "raw_path": b"",
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in modelled.berlin.headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("api", 80),
        "scheme": "http",
        "root_path": "",
    }
    sent: list[Any] = []
    messages = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> Any:
        for message in messages:
            return message
        await asked.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await asyncio.wait_for(app(scope, receive, send), 10)
    await asyncio.wait_for(ended.wait(), 1)
    assert sent[0]["status"] == 499
