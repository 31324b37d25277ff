"""Rollups answer only while they are as the events are."""

from collections.abc import Generator
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from api.settings import ApiSettings
from core import warehouse
from runtime.instance import Instance

ROLLUPS = ("breakdowns_daily", "events_daily", "events_hourly", "persons_daily", "sessions_daily")
TABLES = [
    *("fct_events", "fct_events_touched", "dim_projects"),
    *(f"agg_{name}{end}" for name in ROLLUPS for end in ("", "_repaired")),
]
QUESTION = "event-names?from=2025-03-03&to=2025-04-07"


@pytest.fixture
def marts(runtime: Instance, modelled: Any) -> Generator[tuple[Client, str]]:
    """Copy the marts, so that a test may change them."""
    client = warehouse.connect(runtime.clickhouse_admin_url)
    database = f"{modelled.database}_rollups"
    client.command(f"create database {database}")
    for table in TABLES:
        client.command(f"create table {database}.{table} clone as {modelled.database}.{table}")
    yield client, database
    client.command(f"drop database {database}")
    client.close()


async def _sources(serve: Any, settings: ApiSettings, project: Any, database: str) -> list[str]:
    async with serve(settings.model_copy(update={"marts_database": database})) as (client, _):
        answer = await client.get(f"/v1/projects/{project.id}/{QUESTION}", headers=project.headers)
        return [source.partition(".")[2] for source in answer.json()["meta"]["sources"]]


async def test_a_rollup_answers_while_it_is_repaired_up_to_the_last_change(
    serve: Any, settings: ApiSettings, modelled: Any, marts: tuple[Client, str]
) -> None:
    client, database = marts
    assert await _sources(serve, settings, modelled.berlin, database) == ["agg_events_daily"]
    client.command(
        f"insert into {database}.fct_events_touched (run) select max(run) + 1 from {database}.fct_events_touched"
    )
    assert await _sources(serve, settings, modelled.berlin, database) == ["fct_events"]
    for table in TABLES:
        if table.endswith("_repaired"):
            assert await _sources(serve, settings, modelled.berlin, database) == ["fct_events"]
            client.command(f"insert into {database}.{table} (run) select max(run) from {database}.fct_events_touched")
    assert await _sources(serve, settings, modelled.berlin, database) == ["agg_events_daily"]


async def test_days_of_another_zone_than_the_projects_are_not_read_off_a_rollup(
    serve: Any, settings: ApiSettings, modelled: Any, marts: tuple[Client, str]
) -> None:
    client, database = marts
    client.command(
        f"alter table {database}.dim_projects update timezone = 'Asia/Tokyo' where project_id = {modelled.berlin.id}"
    )
    assert await _sources(serve, settings, modelled.berlin, database) == ["fct_events"]
    assert await _sources(serve, settings, modelled.kathmandu, database) == ["agg_events_daily"]


async def test_a_project_that_no_refresh_has_seen_is_asked_of_the_events(
    serve: Any, settings: ApiSettings, modelled: Any, marts: tuple[Client, str]
) -> None:
    client, database = marts
    client.command(f"truncate table {database}.dim_projects")
    assert await _sources(serve, settings, modelled.berlin, database) == ["fct_events"]


@pytest.mark.parametrize(
    ("asked", "sources"),
    [
        (
            {
                "kind": "trend",
                "interval": "week",
                "breakdown": [{"column": "country"}],
                "series": [
                    {"name": "done", "measure": "events"},
                    {"name": "buyers", "measure": "persons", "event": "purchase"},
                    {"name": "frequency", "measure": "events_per_person", "event": "catalog"},
                ],
                "top": 2,
                "compare": "previous",
            },
            ["agg_breakdowns_daily", "fct_events"],
        ),
        (
            {
                "kind": "trend",
                "total": True,
                "breakdown": [{"column": "country"}],
                "series": [{"name": "done", "measure": "persons"}],
            },
            ["agg_breakdowns_daily", "fct_events"],
        ),
        ({"kind": "property_values", "column": "country"}, ["agg_breakdowns_daily", "fct_events"]),
        (
            {"kind": "property_values", "column": "country", "events": "catalog", "search": "d"},
            ["agg_breakdowns_daily", "fct_events"],
        ),
        ({"kind": "web", "interval": "month", "compare": "previous"}, ["agg_sessions_daily", "fct_sessions"]),
        ({"kind": "web", "breakdown": ["country"], "top": 2}, ["agg_sessions_daily", "fct_sessions"]),
        ({"kind": "web", "breakdown": ["country"], "total": True}, ["agg_sessions_daily", "fct_sessions"]),
    ],
)
async def test_rollups_of_days_answer_as_what_they_are_made_of(
    serve: Any, settings: ApiSettings, modelled: Any, asked: dict[str, Any], sources: list[str]
) -> None:
    project = modelled.kathmandu
    midnights = {"from": "2025-03-03T00:00:00+05:45", "to": "2025-04-07T00:00:00+05:45"}
    answers: list[Any] = []
    async with serve(settings) as (client, _):
        for bounds in ({"from": "2025-03-03", "to": "2025-04-07"}, midnights):
            answer = await client.post(f"/v1/projects/{project.id}/query", headers=project.headers, json=asked | bounds)
            assert answer.status_code == 200, answer.text
            answers.append(answer.json())
    assert [answer["meta"]["sources"][0].partition(".")[2] for answer in answers] == sources
    assert answers[0]["data"] == answers[1]["data"]
    assert answers[0]["data"].get("values") != []


@pytest.mark.parametrize("more", [{"where": [{"column": "country", "value": "DE"}]}, {"measure": "sessions"}])
async def test_what_the_rollup_of_a_breakdown_does_not_know_is_asked_of_the_events(
    serve: Any, settings: ApiSettings, modelled: Any, more: dict[str, Any]
) -> None:
    series = {"name": "done", "measure": "events"} | more
    asked = {"kind": "trend", "last": 30, "breakdown": [{"column": "country"}], "series": [series]}
    async with serve(settings) as (client, _):
        answer = await client.post(
            f"/v1/projects/{modelled.berlin.id}/query", headers=modelled.berlin.headers, json=asked
        )
    assert answer.status_code == 200, answer.text
    assert [source.partition(".")[2] for source in answer.json()["meta"]["sources"]] == ["fct_events"]
