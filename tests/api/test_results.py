"""Answers carry their origin, are cached until the data changes, and are computed once."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from clickhouse_connect.driver.client import Client

from api.data_state import DataState
from api.insights.meta import Meta
from api.insights.unmodelled import UnmodelledEvents
from api.settings import ApiSettings
from api.warehouse import Warehouse
from core import warehouse
from core.warehouse import ProjectScope
from runtime.instance import Instance

QUESTIONS = [
    "event-names?from=2025-03-03&to=2025-04-07",
    "insights/timeseries?from=2025-03-03&to=2025-04-07&measure=persons",
    "insights/funnel?from=2025-03-03&to=2025-04-07&step=catalog&step=purchase",
    "insights/retention?from=2025-03-03&to=2025-04-07&start_event=catalog",
]
# Whole days and weeks are read off rollups.
SOURCES = [["agg_events_daily"], ["agg_persons_daily"], ["fct_events"], ["agg_events_daily", "agg_persons_daily"]]


@pytest.fixture
def own_settings(settings: ApiSettings, admin: Client, modelled: Any) -> Any:
    """Give the test marts of its own, which it may change."""
    database = f"{modelled.database}_{id(settings)}"
    admin.command(f"create database {database}")
    admin.command(f"create table {database}.fct_events as {modelled.database}.fct_events")
    admin.command(f"insert into {database}.fct_events select * from {modelled.database}.fct_events")
    yield settings.model_copy(update={"marts_database": database})
    admin.command(f"drop database {database}")


@pytest.fixture
def admin(runtime: Instance) -> Any:
    client = warehouse.connect(runtime.clickhouse_admin_url)
    yield client
    client.close()


async def _ask(client: httpx.AsyncClient, project: Any, question: str) -> Any:
    answer = await client.get(f"/v1/projects/{project.id}/{question}", headers=project.headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def _figures(data: Any) -> list[int]:
    """Return what was counted, in the order of the statement's rows."""
    if isinstance(data, list):
        return [row["persons"] for row in data]
    if "buckets" in data:
        return [row["value"] for row in data["buckets"]]
    if "steps" in data:
        return [row["persons"] for row in data["steps"]]
    return [cell["persons"] for row in data["cohorts"] for cell in row["cells"]]


@pytest.mark.parametrize("question", QUESTIONS)
async def test_a_figure_can_be_computed_again_from_its_meta(
    api: httpx.AsyncClient, modelled: Any, runtime: Instance, question: str
) -> None:
    answer = await _ask(api, modelled.berlin, question)
    meta = answer["meta"]
    client = warehouse.connect(runtime.clickhouse_reader_url)
    parameters = {name: value for name, value in meta["parameters"].items() if name != "project_id"}
    rows = list(ProjectScope(meta["parameters"]["project_id"]).run(client, meta["sql"], parameters).named_results())
    client.close()
    assert _figures(answer["data"]) == [row["value" if "value" in row else "persons"] for row in rows]
    assert meta["sources"] == [f"{modelled.database}.{name}" for name in SOURCES[QUESTIONS.index(question)]]


async def test_an_answer_says_what_its_newest_event_is_and_how_it_was_computed(
    api: httpx.AsyncClient, modelled: Any
) -> None:
    meta = (await _ask(api, modelled.berlin, QUESTIONS[0]))["meta"]
    newest = max(event.timestamp_ms for event in modelled.berlin.events)
    assert datetime.fromisoformat(meta["fresh_until"]).timestamp() * 1000 == pytest.approx(newest)
    age = datetime.now(UTC) - datetime.fromisoformat(meta["computed_at"])
    assert 0 <= age.total_seconds() < 600
    assert meta["read_rows"] >= len(modelled.berlin.events) // 2
    assert meta["elapsed_ms"] > 0


async def test_an_event_that_lands_late_counts_without_being_the_newest(
    serve: Any, own_settings: ApiSettings, modelled: Any, admin: Client
) -> None:
    table = f"{own_settings.marts_database}.fct_events"
    async with serve(own_settings) as (client, _):
        before = await _ask(client, modelled.berlin, QUESTIONS[0])
        admin.command(
            f"insert into {table} select * replace (concat(message_id, '-late') as message_id)"
            f" from {table} where project_id = {modelled.berlin.id} and timestamp >= '2025-03-04'"
            " order by received_at limit 9"
        )
        after = await _ask(client, modelled.berlin, QUESTIONS[0])
    assert sum(row["events"] for row in after["data"]) > sum(row["events"] for row in before["data"])
    assert after["meta"]["fresh_until"] == before["meta"]["fresh_until"]
    described = Meta.model_fields["fresh_until"].description or ""
    assert "newest" in described
    assert "out of order" in described


@pytest.mark.parametrize("question", QUESTIONS)
async def test_the_second_answer_comes_from_the_cache_and_is_the_same(
    serve: Any, own_settings: ApiSettings, modelled: Any, question: str
) -> None:
    async with serve(own_settings) as (client, _):
        first = await _ask(client, modelled.berlin, question)
        second = await _ask(client, modelled.berlin, question)
    assert (first["meta"]["cached"], second["meta"]["cached"]) == (False, True)
    assert second["data"] == first["data"]
    own = ("cached", "elapsed_ms")
    assert {name: value for name, value in second["meta"].items() if name not in own} == {
        name: value for name, value in first["meta"].items() if name not in own
    }


async def test_the_cache_outlives_the_process(serve: Any, own_settings: ApiSettings, modelled: Any) -> None:
    async with serve(own_settings) as (client, _):
        await _ask(client, modelled.berlin, QUESTIONS[0])
    async with serve(own_settings) as (client, _):
        assert (await _ask(client, modelled.berlin, QUESTIONS[0]))["meta"]["cached"]


async def test_new_data_makes_a_new_answer(serve: Any, own_settings: ApiSettings, modelled: Any, admin: Client) -> None:
    table = f"{own_settings.marts_database}.fct_events"
    async with serve(own_settings) as (client, _):
        before = await _ask(client, modelled.berlin, QUESTIONS[0])
        admin.command(
            f"insert into {table} select * replace (concat(message_id, '-again') as message_id) "
            f"from {table} where project_id = {modelled.berlin.id}"
        )
        after = await _ask(client, modelled.berlin, QUESTIONS[0])
    assert not after["meta"]["cached"]
    assert after["meta"]["data_version"] != before["meta"]["data_version"]
    assert [row["events"] for row in after["data"]] == [2 * row["events"] for row in before["data"]]


async def test_a_table_that_was_built_anew_and_exchanged_makes_a_new_answer(
    serve: Any, own_settings: ApiSettings, modelled: Any, admin: Client
) -> None:
    """As dbt replaces a table."""
    database = own_settings.marts_database
    async with serve(own_settings) as (client, _):
        before = await _ask(client, modelled.berlin, QUESTIONS[0])
        admin.command(f"create table {database}.built as {database}.fct_events")
        admin.command(f"insert into {database}.built select * from {database}.fct_events where event = 'cart'")
        admin.command(f"exchange tables {database}.built and {database}.fct_events")
        after = await _ask(client, modelled.berlin, QUESTIONS[0])
    assert [row["event"] for row in after["data"]] == ["cart"]
    assert len(before["data"]) > 1


async def test_erased_data_leaves_the_answers(
    serve: Any, own_settings: ApiSettings, modelled: Any, admin: Client
) -> None:
    database = own_settings.marts_database
    async with serve(own_settings) as (client, _):
        await _ask(client, modelled.berlin, QUESTIONS[0])
        admin.command(f"alter table {database}.fct_events delete where event = 'cart' settings mutations_sync = 2")
        after = await _ask(client, modelled.berlin, QUESTIONS[0])
    assert "cart" not in {row["event"] for row in after["data"]}


async def test_equal_questions_at_the_same_time_are_computed_once(
    serve: Any, own_settings: ApiSettings, modelled: Any
) -> None:
    async with serve(own_settings) as (client, app):
        answers = await asyncio.gather(*(_ask(client, modelled.berlin, QUESTIONS[2]) for _ in range(12)))
        computed = app.state.resources.metrics.registry.get_sample_value("radixinsight_api_query_seconds_count")
    assert computed == 1
    assert all(answer["data"] == answers[0]["data"] for answer in answers)


async def test_one_look_at_the_generation_answers_all_who_asked_before_it(
    settings: ApiSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[asyncio.Future[str]] = []

    async def look(*_: Any) -> str:
        looks.append(asyncio.get_running_loop().create_future())
        return await looks[-1]

    monkeypatch.setattr(DataState, "_unscoped", look)
    asked = DataState(settings, Warehouse(settings))
    first = asyncio.ensure_future(asked.generation())
    await asyncio.sleep(0.01)
    # The look that is under way may see the tables as they were before these ask.
    others = [asyncio.ensure_future(asked.generation()) for _ in range(5)]
    await asyncio.sleep(0.01)
    looks[0].set_result("before")
    await asyncio.sleep(0.01)
    assert await first == "before"
    looks[1].set_result("after")
    assert await asyncio.gather(*others) == ["after"] * 5
    assert len(looks) == 2


async def test_a_generation_is_believed_for_a_time_by_who_begins_and_never_by_who_has_read(
    settings: ApiSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = iter(["before", "after"])

    async def look(*_: Any) -> str:
        return next(looks)

    monkeypatch.setattr(DataState, "_unscoped", look)
    believing = settings.model_copy(update={"data_version_seconds": 60})
    asked = DataState(believing, Warehouse(believing))
    assert [await asked.believed_generation() for _ in range(3)] == ["before"] * 3
    assert await asked.generation() == "after"
    assert await asked.believed_generation() == "after"


async def test_a_caller_that_leaves_does_not_take_the_answer_from_the_others(
    serve: Any, own_settings: ApiSettings, modelled: Any
) -> None:
    async with serve(own_settings) as (client, _):
        leaving = asyncio.create_task(_ask(client, modelled.berlin, QUESTIONS[2]))
        staying = asyncio.create_task(_ask(client, modelled.berlin, QUESTIONS[2]))
        await asyncio.sleep(0.01)
        leaving.cancel()
        assert (await staying)["data"]["steps"][0]["persons"] > 0


async def test_a_query_ends_when_its_last_caller_has_left(
    serve: Any, own_settings: ApiSettings, modelled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = asyncio.Semaphore(0)
    ended: list[bool] = []

    async def never(*_: Any) -> None:
        try:
            waiting.release()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append(True)
            raise

    async def all_is_modelled(*_: Any) -> None:
        """Ask nothing before."""

    async with serve(own_settings) as (client, _):
        with monkeypatch.context() as patched:
            patched.setattr(Warehouse, "query", never)
            patched.setattr(UnmodelledEvents, "find", all_is_modelled)
            callers = [asyncio.create_task(_ask(client, modelled.berlin, QUESTIONS[2])) for _ in range(2)]
            # The figures' query and the one for how fresh they are.
            await waiting.acquire()
            await waiting.acquire()
            await asyncio.sleep(0.1)
            callers[0].cancel()
            await asyncio.sleep(0.1)
            assert not ended
            callers[1].cancel()
            await asyncio.sleep(0.1)
            assert ended == [True, True]
        assert (await _ask(client, modelled.berlin, QUESTIONS[2]))["data"]["steps"][0]["persons"] > 0


async def test_a_question_that_failed_is_asked_again(serve: Any, own_settings: ApiSettings, modelled: Any) -> None:
    tight = own_settings.model_copy(update={"query_max_rows_to_read": 1})
    path = f"/v1/projects/{modelled.berlin.id}/{QUESTIONS[0]}"
    async with serve(tight) as (client, _):
        assert (await client.get(path, headers=modelled.berlin.headers)).status_code == 422
    async with serve(own_settings) as (client, _):
        assert not (await _ask(client, modelled.berlin, QUESTIONS[0]))["meta"]["cached"]
