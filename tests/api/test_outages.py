"""What the API says when an engine is away, and that it mends by itself; and the limits of one query."""

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import text

from api.settings import ApiSettings
from api.warehouse import PLANNING, Warehouse
from core import metadata
from core.warehouse import ProjectScope
from engine.forwarding import at_port, forwarding
from runtime.instance import Instance

QUESTION = "insights/funnel?from=2025-03-03&to=2025-04-07&step=catalog&step=purchase"


async def _ask(client: httpx.AsyncClient, project: Any, question: str = QUESTION) -> httpx.Response:
    return await client.get(f"/v1/projects/{project.id}/{question}", headers=project.headers)


async def test_without_valkey_answers_are_slower_and_right(
    serve: Any, settings: ApiSettings, modelled: Any, free_port: int
) -> None:
    away = settings.model_copy(update={"redis_url": at_port(settings.redis_url, free_port)})
    async with serve(settings) as (client, _):
        expected = (await _ask(client, modelled.berlin)).json()
    async with serve(away) as (client, _):
        answer = (await _ask(client, modelled.berlin)).json()
        ready = await client.get("/readyz")
    assert answer["data"] == expected["data"]
    assert not answer["meta"]["cached"]
    assert (ready.status_code, ready.json()["checks"]["valkey"]) == (200, "away")


@pytest.mark.parametrize(("setting", "missing"), [("clickhouse_url", "clickhouse"), ("database_url", "postgresql")])
async def test_an_engine_that_is_away_is_named_and_its_return_is_noticed(
    *, serve: Any, settings: ApiSettings, modelled: Any, free_port: int, setting: str, missing: str
) -> None:
    real: SecretStr = getattr(settings, setting)
    behind = settings.model_copy(update={setting: at_port(real, free_port)})
    async with serve(behind) as (client, _):
        away, unready = await _ask(client, modelled.berlin), await client.get("/readyz")
        async with forwarding(free_port, real):
            back, ready = await _ask(client, modelled.berlin), await client.get("/readyz")
        gone = await _ask(client, modelled.berlin, QUESTION + "&window=1d")
        alive = await client.get("/healthz")
        async with forwarding(free_port, real):
            again = await _ask(client, modelled.berlin, QUESTION + "&window=2d")
    for answer in (away, unready, gone):
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable"), answer.text
        assert answer.json()["missing"] == [missing]
        assert answer.headers["retry-after"] == "5"
    assert [answer.status_code for answer in (back, ready, alive, again)] == [200, 200, 200, 200]


async def test_accesses_while_postgresql_is_away_are_written_when_it_is_back(
    *,
    serve: Any,
    settings: ApiSettings,
    modelled: Any,
    free_port: int,
    runtime: Instance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = settings.database_url
    update = {"database_url": at_port(real, free_port), "key_cache_seconds": 60}
    reader = f"reader {free_port}"
    headers = modelled.berlin.headers | {"user-agent": reader}
    path = f"/v1/projects/{modelled.berlin.id}/insights/defined"
    async with serve(settings.model_copy(update=update)) as (client, app):
        async with forwarding(free_port, real):
            assert (await client.get(path, headers=headers)).status_code == 200
        assert (await client.get(path, headers=headers)).status_code == 200
        monkeypatch.setattr("api.audit.trail._MOST_WAITING", 1)
        refused = await client.get(path, headers=headers)
        assert (refused.status_code, refused.json()["missing"]) == (503, ["postgresql"])
        signing_in = {"email": "ada@example.com", "password": "correct horse battery staple"}
        assert (await client.post("/v1/sign-in", json=signing_in)).json()["missing"] == ["postgresql"]
        async with forwarding(free_port, real):
            await app.state.resources.trail.flush()
            assert (await client.post("/v1/sign-in", json=signing_in)).json()["code"] == "sign_in_failed"
    engine = metadata.connect(runtime.database_url)
    with engine.connect() as connection:
        written = text("select count(*) from audit_log where user_agent = :reader")
        assert connection.execute(written, {"reader": reader}).scalar_one() == 2
    engine.dispose()


async def test_all_who_ask_while_clickhouse_hangs_are_answered_together(
    serve: Any, settings: ApiSettings, modelled: Any, free_port: int
) -> None:
    """It takes connections and says nothing: one wait for everybody, not one after the other."""

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    hanging = settings.model_copy(
        update={"clickhouse_url": at_port(settings.clickhouse_url, free_port), "connect_seconds": 1.0}
    )
    server = await asyncio.start_server(hold, "127.0.0.1", free_port)
    async with serve(hanging) as (client, _):
        began = asyncio.get_running_loop().time()
        answers = await asyncio.gather(*(_ask(client, modelled.berlin) for _ in range(6)))
        took = asyncio.get_running_loop().time() - began
    server.close()
    assert {answer.status_code for answer in answers} == {503}
    assert took < 3


async def test_no_answer_about_an_outage_gives_away_an_address_or_a_password(
    serve: Any, settings: ApiSettings, modelled: Any, free_port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    for setting in ("clickhouse_url", "database_url", "redis_url"):
        real: SecretStr = getattr(settings, setting)
        async with serve(settings.model_copy(update={setting: at_port(real, free_port)})) as (client, _):
            answer = await _ask(client, modelled.berlin)
        logged = "".join(capsys.readouterr())
        password = urlsplit(real.get_secret_value()).password
        assert password
        assert str(free_port) not in answer.text
        assert password not in answer.text + logged


async def test_before_the_first_model_run_the_answer_says_so(serve: Any, settings: ApiSettings, modelled: Any) -> None:
    async with serve(settings.model_copy(update={"marts_database": "never_built"})) as (client, _):
        answer = await _ask(client, modelled.berlin)
    assert (answer.status_code, answer.json()["code"]) == (503, "not_modelled_yet")


async def test_without_macros_the_api_starts_and_its_answers_say_what_is_missing(
    serve: Any, settings: ApiSettings, modelled: Any, tmp_path: Path
) -> None:
    async with serve(settings.model_copy(update={"macros_dir": tmp_path})) as (client, _):
        assert (await client.get("/v1/projects", headers=modelled.berlin.headers)).status_code == 200
        answer = await _ask(client, modelled.berlin)
    assert (answer.status_code, answer.json()["code"]) == (500, "macros_missing")


@pytest.mark.parametrize(
    ("limit", "value"),
    [("query_max_rows_to_read", 1), ("query_max_result_rows", 1), ("query_max_memory_bytes", 100_000)],
)
async def test_a_query_over_its_limit_is_ended_and_names_the_limit(
    serve: Any, settings: ApiSettings, modelled: Any, limit: str, value: int
) -> None:
    tight = settings.model_copy(update={limit: value, "result_cache_seconds": 0})
    async with serve(tight) as (client, _):
        answer = await _ask(client, modelled.berlin)
    assert (answer.status_code, answer.json()["code"]) == (422, "query_too_large"), answer.text
    assert (answer.json()["limit"], answer.json()["allowed"]) == (limit, value)


@pytest.mark.parametrize("refused", [{}, {"no_such_setting_of_clickhouse": 1}], ids=["taken", "refused"])
async def test_how_statements_are_planned_is_said_where_it_may_be_and_limits_hold_where_not(
    settings: ApiSettings, modelled: Any, monkeypatch: pytest.MonkeyPatch, refused: dict[str, int]
) -> None:
    monkeypatch.setattr("api.warehouse.PLANNING", PLANNING | refused)
    asked = Warehouse(settings)
    names = ["max_rows_to_read", *PLANNING]
    columns = ", ".join(f"toInt64(getSetting('{name}'))" for name in names)
    found = await asked.result(
        ProjectScope(modelled.berlin.id), f"select {columns} where {{project_id:UInt32}} > 0", {}
    )
    await asked.close()
    assert list(found.result_rows[0]) == [settings.query_max_rows_to_read, *([1] * 4 if refused else [0] * 4)]


async def test_a_query_that_runs_too_long_is_ended(serve: Any, settings: ApiSettings, modelled: Any) -> None:
    hasty = settings.model_copy(update={"query_max_seconds": 0.001, "result_cache_seconds": 0})
    async with serve(hasty) as (client, _):
        answer = await _ask(client, modelled.berlin)
    assert (answer.status_code, answer.json()["code"]) == (504, "query_timeout"), answer.text


async def test_a_query_in_whose_midst_clickhouse_begins_to_hang_says_so(
    serve: Any, settings: ApiSettings, modelled: Any, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    update = {
        "clickhouse_url": at_port(settings.clickhouse_url, free_port),
        "connect_seconds": 1.0,
        "query_max_seconds": 1.0,
        "result_cache_seconds": 0,
    }
    run = ProjectScope.run_async
    async with (
        forwarding(free_port, settings.clickhouse_url) as answers,
        serve(settings.model_copy(update=update)) as (client, _),
    ):

        async def hang(*arguments: Any, **named: Any) -> Any:
            answers.clear()
            return await run(*arguments, **named)

        monkeypatch.setattr(ProjectScope, "run_async", hang)
        answer = await _ask(client, modelled.berlin)
        answers.set()
    assert (answer.status_code, answer.json()["missing"]) == (503, ["clickhouse"]), answer.text


async def test_metrics_count_requests_without_naming_anybody(api: httpx.AsyncClient, modelled: Any) -> None:
    await _ask(api, modelled.berlin)
    text = (await api.get("/metrics")).text
    route = "/v1/projects/{project_id}/insights/funnel"
    assert f'radixinsight_api_requests_total{{method="GET",route="{route}",status="200"}} 1.0' in text
    assert modelled.berlin.api_key not in text
    assert "Berlin" not in text


@pytest.mark.parametrize(
    ("setting", "engine"),
    [("clickhouse_url", "clickhouse"), ("database_url", "postgresql"), ("redis_url", "valkey")],
)
async def test_an_engine_that_stays_away_is_not_asked_by_everybody_and_comes_back(
    *, serve: Any, settings: ApiSettings, modelled: Any, free_port: int, setting: str, engine: str
) -> None:
    real: SecretStr = getattr(settings, setting)

    async def is_open(client: httpx.AsyncClient) -> bool:
        return f'radixinsight_api_breaker_open{{engine="{engine}"}} 1.0' in (await client.get("/metrics")).text

    async with serve(settings.model_copy(update={setting: at_port(real, free_port)})) as (client, _):
        assert not await is_open(client)
        for number in range(10):
            answer = await _ask(client, modelled.berlin, f"{QUESTION}&window={number + 1}d")
            assert (answer.status_code == 200) == (engine == "valkey")
        assert await is_open(client)
        began = asyncio.get_running_loop().time()
        assert (await client.get("/healthz")).status_code == 200
        async with forwarding(free_port, real):
            for _ in range(40):
                if (await _ask(client, modelled.berlin)).status_code == 200 and not await is_open(client):
                    break
                await asyncio.sleep(0.1)
            assert (await _ask(client, modelled.berlin)).status_code == 200
            assert not await is_open(client)
        assert asyncio.get_running_loop().time() - began < 5
