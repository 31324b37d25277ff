"""Sessions with what landed since the last refresh in them are those that the next refresh makes."""

import asyncio
import os
import random
from collections.abc import Callable, Generator, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from api.insights.macros import InsightMacros
from api.insights.unmodelled import UnmodelledEvents
from api.insights.unmodelled_sql import Unmodelled, UnmodelledSql
from api.settings import ApiSettings
from api.warehouse import Warehouse
from core import warehouse
from core.warehouse import ProjectScope
from engine.landing import MODELS, Landing, landing
from reference.events import Event
from runtime.instance import Instance

FIRST = datetime(2025, 3, 28, 12, tzinfo=UTC)
PROJECTS = 12 if "CI" in os.environ else 60
ZONES = ("Europe/Berlin", "Asia/Kathmandu", "UTC")
ENTRY = ["channel", "utm_source", "country", "browser"]
COLUMNS = (
    "person_number, started_at, ended_at, started_date, duration_ms, events, views, is_bounce, entry_event, exit_event,"
    f" entry_host, entry_path, exit_path, {', '.join(ENTRY)}"
)


def _history(chance: random.Random) -> list[Event]:
    """Return events of few persons, mostly close to each other, and some in sessions of their SDK."""
    events: list[Event] = []
    at = FIRST
    # Pauses about as long as one that ends a session, and stretches about as long as a session may last.
    pauses = chance.choice([(0, 1, 5, 29, 30, 31), (0, 20, 28), (60, 500, 1_430, 1_439, 1_440, 1_441), (0, 5, 2_000)])
    users = ["u0", "u1", "u2"][: chance.randrange(1, 4)]
    # Of the SDK, some with two persons; in few projects one may be as long as a session can be, so that it is split.
    names = chance.choice([["{user} {half}", "{half}"]] * 6 + [["{user}"]])
    if names == ["{user}"]:
        pauses = (0, 5, 2_000)
    for number in range(chance.randrange(4, 90)):
        at += timedelta(minutes=chance.choice(pauses), milliseconds=chance.choice([0, 0, 1]))
        user = chance.choice(users)
        session = "" if chance.random() < 0.7 else chance.choice(names).format(user=user, half=f"{at:%j %p}")
        page = {"context": f'{{"page": {{"url": "https://shop.test/{chance.choice("xyz")}?utm_source=mail"}}}}'}
        kind: dict[str, Any] = chance.choice(
            [{"type": "page", "event": "$pageview"} | page, {"event": "a"}, {"event": "b"}]
        )
        sent = at + timedelta(seconds=chance.randrange(3))
        country = chance.choice(["", "DE", "AT"])
        events.append(
            Event(
                message_id=f"{number} {chance.random()}",
                timestamp=at,
                received_at=sent,
                user_id=user,
                session_id=session,
                country=country,
                user_agent=chance.choice(["fox", ""]),
                **kind,
            )
        )
    return events


def _knows_all(project_id: int) -> bool:
    """Say whether all persons of a project are modelled before the rest lands."""
    return project_id % 4 != 0


def _greetings() -> list[Event]:
    at = FIRST - timedelta(days=10)
    return [
        Event(message_id=f"hello {user}", event="hello", user_id=user, timestamp=at, received_at=at)
        for user in ("u0", "u1", "u2")
    ]


@pytest.fixture(scope="module")
def place(runtime: Instance) -> Generator[tuple[Landing, dict[int, list[Event]]]]:
    """Model a part of each history and land another; return the rest, to land in the midst of a refresh."""
    client: Client = warehouse.connect(runtime.clickhouse_url)
    last: dict[int, list[Event]] = {}
    with landing(runtime, client) as made:
        rest: dict[int, list[Event]] = {}
        for project_id in range(1, PROJECTS + 1):
            chance = random.Random(project_id)  # noqa: S311 - reproducible events, no secrets
            made.set_project(project_id, timezone=ZONES[project_id % 3], session_gap_minutes=chance.choice([30, 5, 0]))
            events = _history(chance)
            # The last ones, or any of them.
            cut, share = chance.randrange(len(events)), chance.choice([0.0, 0.2, 1.0])
            parts: list[list[Event]] = [[], [], []]
            for number, event in enumerate(events):
                is_late = (number >= cut and chance.random() < 0.9) or chance.random() < share
                parts[chance.choice([1, 1, 1, 2]) if is_late else 0].append(event)
            if _knows_all(project_id):
                parts[0] += _greetings()
            made.deliver(project_id, parts[0], inserted_at=datetime.now(UTC))
            rest[project_id], last[project_id] = parts[1:]
        made.look_up("user_agents", {"user_agent": "fox", "browser": "Firefox"})
        made.dbt(*MODELS, "--select", "+fct_sessions", "dim_projects")
        for project_id, events in rest.items():
            made.deliver(project_id, events, inserted_at=datetime.now(UTC))
        yield made, last
    client.close()


@pytest.fixture
def own_settings(settings_over: Callable[..., ApiSettings], place: Any) -> ApiSettings:
    made, _ = place
    return settings_over(made, landing_seconds=0.001, project_max_waiting_queries=1000)


async def _sessions(settings: ApiSettings, project_id: int) -> list[tuple[Any, ...]] | None:
    """Return a project's sessions with what landed since in them; None where that is not known."""
    sql = UnmodelledSql(InsightMacros(settings.macros_dir / "events", settings.macros_dir / "insights"), settings)
    asked = Warehouse(settings)
    try:
        events, zone = UnmodelledEvents(settings, asked, sql), ZONES[project_id % 3]
        found: Unmodelled | None = await events.find(project_id, zone, "any")
        changed = await events.changed_sessions(project_id, zone, "any", found)
        if changed is None:
            return None
        relation = sql.sessions(found, ["page_host", "page_path", *ENTRY])
        statement = (
            f"select session_id, {COLUMNS} from {relation} where project_id = {{project_id:UInt32}} order by all"
        )
        parameters = (found.parameters() if found else {}) | changed.parameters() | {"timezone": zone}
        named = {name: value for name, value in parameters.items() if f"{{{name}:" in statement}
        rows = (await asked.query(ProjectScope(project_id), statement, named)).rows
        of_events = sql.events_with_sessions(found, ["page_path"])
        counted = (
            f"select session_id, count() as events from {of_events} where project_id = {{project_id:UInt32}}"
            " group by session_id order by session_id"
        )
        named = {name: value for name, value in parameters.items() if f"{{{name}:" in counted}
        by_session = (await asked.query(ProjectScope(project_id), counted, named)).rows
    finally:
        await asked.close()
    assert [tuple(row.values()) for row in by_session] == [(row["session_id"], row["events"]) for row in rows]
    return [tuple(row.values()) for row in rows]


async def test_sessions_are_those_of_the_next_refresh_before_it_and_in_the_midst_of_it(
    own_settings: ApiSettings, place: Any
) -> None:
    made, last = place
    few = own_settings.model_copy(update={"landing_listed_events": 3})

    async def found(settings: ApiSettings) -> list[list[tuple[Any, ...]] | None]:
        return [await _sessions(settings, project_id) for project_id in last]

    def modelled() -> list[list[tuple[object, ...]]]:
        by_project = (
            f"select session_id, {COLUMNS} from {{{{marts}}}}.fct_sessions where project_id = {{}} order by all"
        )
        return [made.rows(by_project.format(project_id)) for project_id in last]

    await asyncio.sleep(2.1)
    listed, looked_up = await found(own_settings), await found(few)
    made.dbt(*MODELS, "--select", "+fct_events")
    behind = await found(own_settings)
    for project_id, events in last.items():
        made.deliver(project_id, events, inserted_at=datetime.now(UTC))
    await asyncio.sleep(2.1)
    behind_and_more = await found(own_settings)
    made.dbt(*MODELS, "--select", "fct_sessions")
    assert behind == modelled()
    _compare(last, listed, behind)
    assert looked_up == listed
    made.dbt(*MODELS, "--select", "+fct_sessions")
    _compare(last, behind_and_more, modelled())
    # A session of the SDK that lasts a day is split, which the refresh alone does.
    for known in (listed, behind_and_more):
        assert 0 < sum(rows is None for rows in known) < PROJECTS / 3


def _compare(projects: Iterable[int], known: list[Any], modelled: list[Any]) -> None:
    for project_id, rows, expected in zip(projects, known, modelled, strict=True):
        if rows is not None and _knows_all(project_id):
            assert rows == expected, project_id
        elif rows is not None:
            # Whoever is new has a number of his own until then, and so have his sessions.
            assert sorted(row[2:] for row in rows) == sorted(row[2:] for row in expected), project_id
