"""Days begin, end and are labelled by one set of time zones: ClickHouse's, which also cuts them."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest
from clickhouse_connect.driver.client import Client
from sqlalchemy.orm import Session

from api.data_state import DataState
from api.settings import ApiSettings
from api.warehouse import Warehouse
from core import metadata, warehouse
from core.metadata import projects
from runtime.instance import Instance


@pytest.fixture
def admin(runtime: Instance) -> Any:
    client = warehouse.connect(runtime.clickhouse_admin_url)
    yield client
    client.close()


@pytest.fixture
async def engine_days(settings: ApiSettings) -> AsyncIterator[DataState]:
    opened = Warehouse(settings)
    yield DataState(settings, opened)
    await opened.close()


def _project(runtime: Instance, timezone: str) -> tuple[int, dict[str, str]]:
    engine = metadata.connect(runtime.database_url)
    with Session(engine) as session, session.begin():
        made = projects.create_project(session, timezone, timezone=timezone)
        project_id, key = made.id, projects.create_api_key(session, made.id, "test")
    engine.dispose()
    return project_id, {"authorization": f"Bearer {key}"}


@pytest.mark.parametrize(
    ("timezone", "day", "start"),
    [
        ("Europe/Berlin", "2026-07-01", "2026-06-30T22:00:00"),
        # Midnight was skipped; midnight came twice; the whole day was skipped.
        ("Asia/Beirut", "2022-03-27", "2022-03-26T22:00:00"),
        ("America/Havana", "2022-11-06", "2022-11-06T04:00:00"),
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00"),
        ("America/New_York", "1970-01-01", "1970-01-01T05:00:00"),
        ("Europe/Berlin", "1970-01-01", "1969-12-31T23:00:00"),
    ],
)
async def test_a_day_begins_at_its_first_instant(engine_days: DataState, timezone: str, day: str, start: str) -> None:
    asked = date.fromisoformat(day)
    for _ in ("from ClickHouse", "as it is known from before"):
        found = await engine_days.day_starts([asked, date(2026, 1, 1)], timezone)
        assert found[asked] == datetime.fromisoformat(start).replace(tzinfo=UTC)


async def test_one_day_in_two_zones_begins_twice(engine_days: DataState) -> None:
    day = date(2026, 3, 1)
    found = [(await engine_days.day_starts([day], zone))[day] for zone in ("Asia/Kathmandu", "America/New_York")]
    assert found == [datetime(2026, 2, 28, 18, 15, tzinfo=UTC), datetime(2026, 3, 1, 5, tzinfo=UTC)]


@pytest.mark.parametrize(
    ("day", "following", "offset"),
    [("2026-11-20", "2026-11-22", "-07:00"), ("2026-02-20", "2026-02-22", "-08:00")],
)
async def test_a_zone_whose_rules_python_may_not_know_has_the_days_that_were_asked_for(
    api: httpx.AsyncClient, runtime: Instance, day: str, following: str, offset: str
) -> None:
    """British Columbia gave up the change of its clocks in 2026; a system of 2025 does not know."""
    project, headers = _project(runtime, "America/Vancouver")
    question = {"from": day, "to": following, "interval": "day"}
    answer = await api.get(f"/v1/projects/{project}/insights/timeseries", params=question, headers=headers)
    starts = [bucket["start"] for bucket in answer.json()["data"]["buckets"]]
    second = day[:-2] + f"{int(day[-2:]) + 1}"
    assert starts == [f"{day}T00:00:00{offset}", f"{second}T00:00:00{offset}"]
    grid = await api.get(
        f"/v1/projects/{project}/insights/retention",
        params={"from": day, "to": following, "period": "day", "periods": 1},
        headers=headers,
    )
    assert [cohort["start"] for cohort in grid.json()["data"]["cohorts"]] == starts


async def test_a_zone_that_differs_from_pythons_is_answered_by_the_engines_rules(
    api: httpx.AsyncClient, runtime: Instance, admin: Client
) -> None:
    """Over a year to come, every day that was asked for is there once, whole, and begins at midnight."""
    project, headers = _project(runtime, "America/Vancouver")
    question = {"from": "2027-01-01", "to": "2028-01-01", "interval": "day"}
    answer = await api.get(f"/v1/projects/{project}/insights/timeseries", params=question, headers=headers)
    starts = [bucket["start"] for bucket in answer.json()["data"]["buckets"]]
    text = (
        "arrayMap(n -> formatDateTime(toDateTime(toDate('2027-01-01') + n, 'America/Vancouver'), '%FT%T'), range(365))"
    )
    assert [start[:19] for start in starts] == admin.query(f"select {text}").result_rows[0][0]


async def test_the_first_visit_of_a_client_whose_clock_says_0_is_in_the_week_of_1969(
    serve: Any, settings: ApiSettings, modelled: Any, admin: Client
) -> None:
    database = f"{modelled.database}_1970"
    own = settings.model_copy(update={"marts_database": database})
    project = modelled.new_york
    admin.command(f"create database {database}")
    try:
        admin.command(f"create table {database}.fct_events as {modelled.database}.fct_events")
        admin.command(
            f"insert into {database}.fct_events select * replace (toDateTime64('1970-01-01 00:00:05', 3) as timestamp)"
            f" from {modelled.database}.fct_events where project_id = {project.id} limit 1"
        )
        question = {"from": "1970-01-01T00:00:00Z", "to": "1970-02-01", "period": "week", "interval": "week"}
        async with serve(own) as (client, _):
            grid, series = [
                (
                    await client.get(
                        f"/v1/projects/{project.id}/insights/{path}",
                        params={name: value for name, value in question.items() if name != other},
                        headers=project.headers,
                    )
                ).json()["data"]
                for path, other in (("retention", "interval"), ("timeseries", "period"))
            ]
    finally:
        admin.command(f"drop database {database}")
    # Weeks of this project begin on Sunday.
    first = "1969-12-28T00:00:00-05:00"
    assert (grid["cohorts"][0]["start"], grid["cohorts"][0]["size"]) == (first, 1)
    assert {cohort["size"] for cohort in grid["cohorts"][1:]} == {0}
    assert (series["buckets"][0]["start"], series["buckets"][0]["value"]) == (first, 1)
