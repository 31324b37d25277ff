"""What a stream says while an engine is away, that it goes on afterwards, and what alerts tell."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web
from pydantic import SecretStr

from api.live import alerts, service
from api.settings import ApiSettings
from core import tasks
from core.live import Beat, pack_beat
from engine.forwarding import at_port, forwarding
from engine.streams import Publisher, event_stream, landed
from engine.valkey import Server
from runtime.project_keys import ProjectKeys
from tests.api.live.conftest import Serve, Served


@pytest.fixture
async def valkey(tmp_path: Path) -> AsyncGenerator[Server]:
    """Return a running Valkey of the test's own."""
    server = Server(tmp_path)
    await server.start()
    yield server
    await server.kill()


async def test_a_stream_says_that_valkey_is_away_and_goes_on_when_it_is_back(
    serve: Serve, settings: ApiSettings, project: ProjectKeys, valkey: Server
) -> None:
    async with (
        serve(settings.model_copy(update={"redis_url": SecretStr(valkey.url)})) as api,
        event_stream(api.url, project.id, project.api_key) as stream,
    ):
        await stream.next("hello")
        for message_id in ("m1", "m2"):
            await valkey.kill()
            assert (await stream.next("degraded")).data == {"missing": ["valkey"]}
            assert api.metric("radixinsight_api_live_is_reached") == 0
            await valkey.start()
            await stream.next("restored", timeout_s=60)
            assert api.metric("radixinsight_api_live_is_reached") == 1
            await asyncio.sleep(0.1)
            publisher = Publisher(valkey.url)
            await publisher.publish(project.id, landed(project.id, message_id))
            await publisher.redis.aclose()
            assert (await stream.next("event")).data["message_id"] == message_id
        async with event_stream(api.url, project.id, project.api_key) as another:
            await another.next("hello")


async def test_nobody_is_told_that_valkey_is_away_when_it_is_back(
    serve: Serve, settings: ApiSettings, project: ProjectKeys, valkey: Server
) -> None:
    headers = {"Authorization": f"Bearer {project.api_key}"}
    path = f"/v1/projects/{project.id}/live/tickets"
    async with (
        serve(settings.model_copy(update={"redis_url": SecretStr(valkey.url)})) as api,
        httpx.AsyncClient(base_url=api.url, headers=headers) as client,
    ):
        for _ in range(3):
            answers = await asyncio.gather(*(client.post(path) for _ in range(12)))
            assert {answer.status_code for answer in answers} == {200}
            assert (await client.get("/readyz")).json()["checks"]["valkey"] == "ok"
            await valkey.kill()
            await valkey.start()


async def test_a_stream_that_is_opened_without_valkey_begins_when_it_is_there(
    serve: Serve, settings: ApiSettings, project: ProjectKeys, tmp_path: Path
) -> None:
    valkey = Server(tmp_path)
    publisher = Publisher(valkey.url)
    async with (
        serve(settings.model_copy(update={"redis_url": SecretStr(valkey.url)})) as api,
        event_stream(api.url, project.id, project.api_key) as stream,
    ):
        assert (await stream.next("degraded")).data == {"missing": ["valkey"]}
        async with event_stream(api.url, project.id, project.api_key) as another:
            assert (await another.next("degraded")).data == {"missing": ["valkey"]}
        await valkey.start()
        await stream.next("hello", timeout_s=60)
        await publisher.publish(project.id, landed(project.id, "m1"))
        await stream.next("event")
    await publisher.redis.aclose()
    await valkey.kill()


async def test_a_valkey_that_hangs_is_away(
    serve: Serve, settings: ApiSettings, project: ProjectKeys, valkey: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.live.line._ASK_EVERY_S", 0.2)
    monkeypatch.setattr("api.live.line._DEAD_AFTER_S", 0.6)
    async with (
        serve(settings.model_copy(update={"redis_url": SecretStr(valkey.url)})) as api,
        event_stream(api.url, project.id, project.api_key) as stream,
    ):
        await stream.next("hello")
        valkey.pause()
        assert (await stream.next("degraded")).data == {"missing": ["valkey"]}
        valkey.resume()
        await stream.next("restored", timeout_s=60)


async def test_a_stream_goes_on_without_clickhouse_and_without_postgresql(
    serve: Serve, settings: ApiSettings, project: ProjectKeys, publisher: Publisher, free_port: int
) -> None:
    behind = settings.model_copy(
        update={"database_url": at_port(settings.database_url, free_port), "connect_seconds": 1.0}
    )
    async with serve(behind) as api:
        async with forwarding(free_port, settings.database_url):
            opened = event_stream(api.url, project.id, project.api_key)
            stream = await opened.__aenter__()
            await stream.next("hello")
        assert (await stream.next("degraded")).data == {"missing": ["postgresql"]}
        await publisher.publish(project.id, landed(project.id, "m1"))
        await stream.next("event")
        async with forwarding(free_port, settings.database_url):
            await stream.next("restored", timeout_s=60)
            await opened.__aexit__(None, None, None)
    away = settings.model_copy(
        update={"clickhouse_url": at_port(settings.clickhouse_url, free_port), "connect_seconds": 1.0}
    )
    async with serve(away) as api, event_stream(api.url, project.id, project.api_key) as stream:
        assert (await stream.next("degraded", timeout_s=60)).data == {"missing": ["clickhouse"]}
        await asyncio.sleep(0.5)
        await publisher.publish(project.id, landed(project.id, "m2"))
        await stream.next("event")


async def test_a_clickhouse_that_hangs_is_named(
    serve: Serve, settings: ApiSettings, project: ProjectKeys, free_port: int
) -> None:
    real = settings.clickhouse_url
    update = {"clickhouse_url": at_port(real, free_port), "connect_seconds": 1.0, "live_counters_seconds": 0.1}
    headers = {"Authorization": f"Bearer {project.api_key}"}
    async with (
        forwarding(free_port, real) as answers,
        serve(settings.model_copy(update=update)) as api,
        event_stream(api.url, project.id, project.api_key) as stream,
        httpx.AsyncClient(base_url=api.url, headers=headers, timeout=60) as client,
    ):
        await stream.next("counters")
        answers.clear()
        assert (await stream.next("degraded", timeout_s=10)).data == {"missing": ["clickhouse"]}
        answer = await client.get(f"/v1/projects/{project.id}/live/counters")
        assert (answer.status_code, answer.json()["missing"]) == (503, ["clickhouse"])
        # Whoever asks meanwhile is turned away at once after some of these.
        while not api.metric("radixinsight_api_breaker_open", engine="clickhouse"):  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.1)
        answers.set()
        await stream.next("restored", timeout_s=60)


async def _next_alerts(stream: Any, *codes: str, timeout_s: float = 60) -> list[dict[str, str]]:
    async with asyncio.timeout(timeout_s):
        while True:
            said = (await stream.next("alerts", timeout_s=timeout_s)).data["alerts"]
            if [alert["code"] for alert in said] == list(codes):
                return said


@asynccontextmanager
async def _beating(publisher: Publisher, **oldest_s: float) -> AsyncGenerator[None]:
    """Let collectors say again and again, as they do, for how long their oldest events have waited."""

    async def beat() -> None:
        while True:
            for collector, seconds in oldest_s.items():
                await publisher.redis.publish(service.COLLECTORS, pack_beat(Beat(collector, seconds)))
            await asyncio.sleep(0.2)

    task = asyncio.create_task(beat())
    yield
    await tasks.end([task])


async def test_events_that_do_not_reach_clickhouse_are_an_alert(
    api: Served, project: ProjectKeys, publisher: Publisher
) -> None:
    async with event_stream(api.url, project.id, project.api_key) as stream:
        await _next_alerts(stream)
        async with _beating(publisher, c1=0.5, c2=47.2):
            (lag,) = await _next_alerts(stream, "ingestion_lag")
        assert "more than 40 s" in lag["detail"]
        async with _beating(publisher, c2=0.1):
            await _next_alerts(stream)


async def test_silent_collectors_are_an_alert(
    api: Served, project: ProjectKeys, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "_SILENT_AFTER_S", 1.5)
    async with event_stream(api.url, project.id, project.api_key, include="alerts") as stream:
        await _next_alerts(stream, "collectors_silent")
        async with _beating(publisher, c1=0):
            await _next_alerts(stream)


@asynccontextmanager
async def _dagster(port: int, answer: dict[str, Any]) -> AsyncGenerator[None]:
    async def graphql(request: web.Request) -> web.Response:
        assert "runsOrError" in (await request.json())["query"]
        return web.json_response(answer)

    app = web.Application()
    app.router.add_post("/graphql", graphql)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield
    await runner.cleanup()


async def test_refreshes_that_fail_are_an_alert_until_one_succeeds(
    serve: Serve, settings: ApiSettings, project: ProjectKeys, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "_ASK_EVERY_S", 0.2)
    results = [{"status": status, "endTime": 1764182450.5} for status in ("FAILURE", "FAILURE", "SUCCESS", "FAILURE")]
    url = f"http://127.0.0.1:{free_port}"
    async with (
        serve(settings.model_copy(update={"dagster_url": url})) as api,
        event_stream(api.url, project.id, project.api_key) as stream,
    ):
        await _next_alerts(stream, "pipeline_unreachable")
        async with _dagster(free_port, {"data": {"runsOrError": {"results": results}}}):
            (failing,) = await _next_alerts(stream, "runs_failing")
            assert failing["detail"].startswith("2 refreshes in a row failed, the last one at 2025-11-26 18:40:50 UTC")
        async with _dagster(free_port, {"data": {"runsOrError": {"results": results[2:]}}}):
            await _next_alerts(stream)
        async with _dagster(free_port, {"errors": [{"message": "no"}]}):
            await _next_alerts(stream, "pipeline_unreachable")
