"""Three projects with known events, modelled by the real dbt project in databases of their own, and the API."""

import os
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from fastapi import FastAPI
from filelock import FileLock
from sqlalchemy.orm import Session

from api.app import create_app
from api.settings import ApiSettings
from core import metadata, warehouse
from core.metadata import projects
from engine.dbt_runs import run_dbt
from engine.landing import MODELS
from runtime.instance import Instance

PREFIX = "apitest_"
SEED = 20250301
FIRST = datetime(2025, 2, 24, tzinfo=UTC)
LAST = datetime(2025, 4, 14, tzinfo=UTC)
NAMES = ("catalog", "product_view", "add_to_cart", "cart", "purchase")
ODD_NAME = 'it\'s "odd" {event:String} -- \\ \t\n%20 💶'


class Event(msgspec.Struct, frozen=True, order=True):
    """One event that counts, in the order in which it happened and was sent."""

    timestamp_ms: int
    sequence: int
    person: str
    name: str


class TestProject(msgspec.Struct, frozen=True):
    """A project with its key and the events that count in it, sorted."""

    __test__ = False

    id: int
    api_key: str
    timezone: str
    week_start: int
    events: list[Event]

    @property
    def headers(self) -> dict[str, str]:
        """What a request sends to read it."""
        return {"authorization": f"Bearer {self.api_key}"}


class Modelled(msgspec.Struct, frozen=True):
    """The projects, and the database of their marts."""

    database: str
    berlin: TestProject
    new_york: TestProject
    kathmandu: TestProject


@pytest.fixture(scope="session")
def modelled(runtime: Instance) -> Modelled:
    """Load and model once per session, whichever worker asks first."""
    record = Path(os.environ["RADIXINSIGHT_TEST_ROOT"]) / "api-modelled.json"
    with FileLock(f"{record}.lock"):
        if not record.exists():
            record.write_bytes(msgspec.json.encode(_model(runtime)))
    return msgspec.json.decode(record.read_bytes(), type=Modelled)


@pytest.fixture
def settings(runtime: Instance, modelled: Modelled) -> ApiSettings:
    """Point the API at the session's engines and the test's own marts; it believes keys and versions for no time."""
    return ApiSettings.model_validate(
        {
            "clickhouse_url": runtime.clickhouse_reader_url,
            "database_url": runtime.database_url,
            "redis_url": runtime.redis_url,
            "marts_database": modelled.database,
            "secret_key": "s" * 40,
            "key_cache_seconds": 0,
            "data_version_seconds": 0,
        }
    )


Serve = Callable[[ApiSettings], AbstractAsyncContextManager[tuple[httpx.AsyncClient, FastAPI]]]


@pytest.fixture
def serve() -> Serve:
    """Return a way to run the API with settings of one's own."""

    @asynccontextmanager
    async def serving(settings: ApiSettings) -> AsyncGenerator[tuple[httpx.AsyncClient, FastAPI]]:
        app = create_app(settings)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://api") as client,
        ):
            yield client, app

    return serving


@pytest.fixture
async def api(serve: Serve, settings: ApiSettings) -> AsyncGenerator[httpx.AsyncClient]:
    """Return a client of the running API."""
    async with serve(settings) as (client, _):
        yield client


def _model(runtime: Instance) -> Modelled:
    chance = random.Random(SEED)  # noqa: S311 - reproducible events, no secrets
    engine = metadata.connect(runtime.database_url)
    with Session(engine) as session, session.begin():
        made = [
            _project(session, chance, name, timezone, week_start)
            for name, timezone, week_start in (
                ("Berlin", "Europe/Berlin", 1),
                ("New York", "America/New_York", 7),
                ("Kathmandu", "Asia/Kathmandu", 1),
            )
        ]
    engine.dispose()
    _land(runtime, chance, made)
    _run_dbt(runtime)
    return Modelled(f"{PREFIX}marts", *made)


def _project(session: Session, chance: random.Random, name: str, timezone: str, week_start: int) -> TestProject:
    project = projects.create_project(session, name, timezone=timezone, week_start=week_start)
    key = projects.create_api_key(session, project.id, "test")
    return TestProject(project.id, key, timezone, week_start, sorted(_events(chance)))


def _events(chance: random.Random) -> list[Event]:
    """Make visits of 40 persons; many events share an instant, and one of each name has an odd name beside it."""
    made: list[Event] = []
    span_ms = int((LAST - FIRST) / timedelta(milliseconds=1))
    for number in range(40):
        for _ in range(chance.randint(1, 8)):
            at = int(FIRST.timestamp() * 1000) + chance.randrange(span_ms)
            for position in range(chance.randint(1, 9)):
                name = ODD_NAME if chance.random() < 0.05 else chance.choice(NAMES)
                made.append(Event(at, position, f"person-{number}", name))
                at += chance.choice((0, 0, 1_000, 45_000, 600_000, 1_800_000, 7_200_000, 90_000_000))
    return made


def _land(runtime: Instance, chance: random.Random, made: list[TestProject]) -> None:
    client = warehouse.connect(runtime.clickhouse_url)
    client.command(f"create database if not exists {PREFIX}raw")
    for table in ("events", "rejects", "projects", "backfills"):
        client.command(f"create table if not exists {PREFIX}raw.{table} as raw.{table}")
    names = ["project_id", "message_id", "type", "event", "user_id", "timestamp", "received_at", "sequence"]
    rows: list[list[Any]] = []
    for project in made:
        for number, event in enumerate(project.events):
            at = datetime.fromtimestamp(event.timestamp_ms / 1000, UTC)
            row = [project.id, f"m{number}", "track", event.name, event.person, at, at, event.sequence]
            rows.append(row)
            if chance.random() < 0.1:
                # A replay: later, and telling something else. It must not count.
                later = at + timedelta(hours=1)
                rows.append([project.id, f"m{number}", "track", "purchase", event.person, later, later, 0])
    client.insert("events", rows, names, database=f"{PREFIX}raw")
    columns = ["project_id", "name", "timezone", "week_start", "session_gap_minutes", "updated_at"]
    copied = [[project.id, "", project.timezone, project.week_start, 30, LAST] for project in made]
    client.insert("projects", copied, columns, database=f"{PREFIX}raw")
    client.close()


def _run_dbt(runtime: Instance) -> None:
    own = {"RADIXINSIGHT_DBT_PREFIX": PREFIX, "RADIXINSIGHT_DBT_RAW": f"{PREFIX}raw"}
    directory = Path(os.environ["RADIXINSIGHT_TEST_ROOT"]) / "api-dbt"
    models = (*MODELS, "--select", "+dim_projects", "+funnel_checkout")
    trouble = run_dbt(models, directory=directory, variables=runtime.variables | own)
    assert not trouble, trouble
