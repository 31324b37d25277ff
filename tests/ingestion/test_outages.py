"""What the collector does while something that it needs is missing."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec import Raw

from ingestion import lenient_json
from ingestion.app import create_app
from ingestion.settings import CollectorSettings
from ingestion.spool.directory import usage, writers
from runtime.instance import Instance
from runtime.project_keys import ProjectKeys
from tests.ingestion.harness import basic, free_port

EVENT = {"event": "buy", "userId": "ada", "properties": {"text": "x" * 700}}
Collector = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def collector(runtime: Instance, tmp_path: Path) -> Collector:
    """Return a maker of collectors in this process, with settings of their own."""

    @asynccontextmanager
    async def run(**settings: Any) -> AsyncGenerator[httpx.AsyncClient]:
        given: dict[str, Any] = {"database_url": runtime.database_url, "data_dir": tmp_path, "canary_interval_s": 0}
        app = create_app(CollectorSettings(**(given | settings)))
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://collector") as client,
        ):
            yield client

    return run


async def test_without_postgresql_nobody_is_told_that_his_key_is_wrong(collector: Collector) -> None:
    """A 401 is final for most SDKs: they would throw their events away."""
    async with collector(database_url=f"postgresql://u:p@127.0.0.1:{free_port()}/d") as client:
        answer = await client.post("/v1/track", json=EVENT, headers=basic("wk_any"))
        assert (answer.status_code, answer.json()["code"]) == (503, "write_keys_unavailable")
        assert int(answer.headers["retry-after"]) > 0
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["checks"]["spool"]) == (503, "ok")
        assert (await client.get("/healthz")).status_code == 200


async def test_a_database_that_is_not_migrated_yet_is_waited_for(collector: Collector, runtime: Instance) -> None:
    async with collector(database_url=runtime.database_url.rpartition("/")[0] + "/template1") as client:
        answer = await client.post("/v1/track", json=EVENT, headers=basic("wk_any"))
        assert (answer.status_code, answer.json()["code"]) == (503, "write_keys_unavailable")
        assert (await client.get("/readyz")).status_code == 503


async def test_a_stranger_cannot_make_the_collector_look_for_events_in_what_is_not_json(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, project: ProjectKeys
) -> None:
    """That takes seconds for a large body, in which nobody else is answered."""
    looked_into: list[bytes] = []
    split = lenient_json.split_list

    def count(body: bytes, member: str, error: str) -> tuple[list[Raw], bytes]:
        looked_into.append(body)
        return split(body, member, error)

    monkeypatch.setattr(lenient_json, "split_list", count)
    async with collector() as client:
        stranger = await client.post("/v1/batch", content=b'{"writeKey":"wk_stranger","batch":[NaN]}')
        assert (stranger.status_code, looked_into) == (401, [])
        known = await client.post("/v1/batch", content=b'{"writeKey":"%b","batch":[NaN]}' % project.write_key.encode())
        assert (known.status_code, known.json()["rejected"], len(looked_into)) == (200, 1, 1)


async def test_a_spool_that_fills_slows_senders_down_and_then_stops_them(
    collector: Collector, tmp_path: Path, project: ProjectKeys
) -> None:
    async with collector(spool_max_bytes=20_000) as client:

        async def send() -> httpx.Response:
            return await client.post("/v1/track", json=EVENT, headers=basic(project.write_key))

        answers = [await send() for _ in range(30)]
        statuses = [answer.status_code for answer in answers]
        assert statuses == sorted(statuses)
        assert set(statuses) == {200, 429}
        assert int(answers[-1].headers["retry-after"]) > 0
        assert 10_000 < usage(tmp_path / "spool").size < 20_000
        flood = writers(tmp_path / "spool")[0] / "1-flood.sealed"
        flood.write_bytes(bytes(20_000))
        await asyncio.sleep(0.8)
        stopped = await send()
        assert (stopped.status_code, stopped.json()["code"]) == (503, "spool_unavailable")
        assert (await client.get("/readyz")).status_code == 503
        flood.unlink()


async def test_bodies_of_all_requests_together_are_bounded_and_their_bytes_given_back(
    collector: Collector, project: ProjectKeys
) -> None:
    async with collector(max_reading_bytes=2000) as client:

        async def send() -> httpx.Response:
            return await client.post("/v1/track", json=EVENT, headers=basic(project.write_key))

        answers = await asyncio.gather(*(send() for _ in range(10)))
        assert {answer.status_code for answer in answers} == {200, 429}
        busy = next(answer for answer in answers if answer.status_code == 429)
        assert (busy.json()["code"], int(busy.headers["retry-after"]) > 0) == ("collector_busy", True)
        assert [(await send()).status_code for _ in range(5)] == [200] * 5


async def test_a_body_that_never_comes_is_not_waited_for_forever(collector: Collector, project: ProjectKeys) -> None:
    async def body() -> AsyncGenerator[bytes]:
        yield b"{"
        await asyncio.sleep(60)

    async with collector(body_timeout_s=0.1) as client:
        answer = await client.post("/v1/track", content=body(), headers=basic(project.write_key))
        assert (answer.status_code, answer.json()["code"]) == (503, "request_too_slow")


async def test_a_disk_that_refuses_a_request_is_answered_with_503(
    collector: Collector, project: ProjectKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with collector() as client:

        def fail(*_: object) -> int:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr("os.pwrite", fail)
            answer = await client.post("/v1/track", json=EVENT, headers=basic(project.write_key))
        assert (answer.status_code, answer.json()["code"]) == (503, "spool_unavailable")
        assert int(answer.headers["retry-after"]) > 0
        assert (await client.post("/v1/track", json=EVENT, headers=basic(project.write_key))).status_code == 200
