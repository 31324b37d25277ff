"""Three projects with known events, modelled by the real dbt project in databases of their own, and the API."""

import json
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
from engine.api_events import TIERS, country_of, group_of, path_of, properties_of, traits_of, type_of
from engine.dbt_runs import run_dbt
from engine.landing import MODELS, Landing
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
    devices: TestProject
    """Its persons have several ids; it has no events that are listed here."""


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
            "staging_database": f"{PREFIX}staging",
            "intermediate_database": f"{PREFIX}intermediate",
            "key_cache_seconds": 0,
            "data_version_seconds": 0,
            # Exports of other tests are none of its business.
            "export_look_seconds": 3600,
        }
    )


Serve = Callable[[ApiSettings], AbstractAsyncContextManager[tuple[httpx.AsyncClient, FastAPI]]]


@pytest.fixture
def settings_over(runtime: Instance) -> Callable[..., ApiSettings]:
    """Return what points the API at the session's engines and at the databases of a landing, with further settings."""

    def over(place: Landing, **others: object) -> ApiSettings:
        layers = {f"{layer}_database": f"{place.prefix}{layer}" for layer in ("marts", "staging", "intermediate")}
        return ApiSettings.model_validate(
            layers
            | {
                "clickhouse_url": runtime.clickhouse_reader_url,
                "database_url": runtime.database_url,
                "redis_url": runtime.redis_url,
                "landing_database": f"{place.prefix}raw",
            }
            | others
        )

    return over


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
    with Session(engine) as session, session.begin():
        made.append(_project(session, None, "Devices", "UTC", 1))
    engine.dispose()
    _land(runtime, chance, made)
    _run_dbt(runtime)
    return Modelled(f"{PREFIX}marts", *made)


def _project(session: Session, chance: random.Random | None, name: str, timezone: str, week_start: int) -> TestProject:
    project = projects.create_project(session, name, timezone=timezone, week_start=week_start)
    key = projects.create_api_key(session, project.id, "test")
    return TestProject(project.id, key, timezone, week_start, sorted(_events(chance)) if chance else [])


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
    names += ["group_type", "group_id", "properties", "traits", "context", "country"]
    rows: list[list[Any]] = []
    for project in made:
        for number, event in enumerate(project.events):
            at = datetime.fromtimestamp(event.timestamp_ms / 1000, UTC)
            told = _told(event)
            row = [project.id, f"m{number}", type_of(event), event.name, event.person, at, at, event.sequence, *told]
            rows.append(row)
            if chance.random() < 0.1:
                # A replay: later, and telling something else. It must not count.
                later = at + timedelta(hours=1)
                rows.append([project.id, f"m{number}", "track", "purchase", event.person, later, later, 0, *told])
        for company, tier in TIERS.items():
            traits = json.dumps({"tier": tier})
            # It names no person and so counts nowhere.
            group = [
                project.id,
                f"g-{company}",
                "group",
                "",
                "",
                FIRST,
                FIRST,
                0,
                "company",
                company,
                "",
                traits,
                "",
                "",
            ]
            rows.append(group)
    client.insert("events", rows, names, database=f"{PREFIX}raw")
    linked = [
        # What it is, the device, the user, the user before.
        ("track", "kiosk", "", ""),
        ("identify", "phone", "ada", ""),
        ("identify", "desk", "ada", ""),
        ("track", "", "ada-old", ""),
        ("alias", "", "ada", "ada-old"),
        ("identify", "desk", "bob", ""),
    ]
    names = ["project_id", "message_id", "type", "event", "timestamp", "received_at"]
    instants = [FIRST + timedelta(minutes=number) for number in range(len(linked))]
    rows = [
        [made[-1].id, f"l{number}", kind, f"${kind}", at, at, *ids]
        for number, (at, (kind, *ids)) in enumerate(zip(instants, linked, strict=True))
    ]
    ids = ["anonymous_id", "user_id", "previous_id"]
    client.insert("events", rows, [*names, *ids], database=f"{PREFIX}raw")
    columns = ["project_id", "name", "timezone", "week_start", "session_gap_minutes", "updated_at"]
    copied = [[project.id, "", project.timezone, project.week_start, 30, LAST] for project in made]
    client.insert("projects", copied, columns, database=f"{PREFIX}raw")
    client.close()


def _told(event: Event) -> list[str]:
    company = group_of(event)
    path = path_of(event)
    context = json.dumps({"page": {"path": path}}) if path else ""
    properties, traits = json.dumps(properties_of(event)), json.dumps(traits_of(event.person))
    return ["company" if company else "", company, properties, traits, context, country_of(event)]


def _run_dbt(runtime: Instance) -> None:
    own = {"RADIXINSIGHT_DBT_PREFIX": PREFIX, "RADIXINSIGHT_DBT_RAW": f"{PREFIX}raw"}
    directory = Path(os.environ["RADIXINSIGHT_TEST_ROOT"]) / "api-dbt"
    models = (
        *MODELS,
        "--select",
        "+dim_projects",
        "+funnel_checkout",
        "+fct_sessions",
        "+dim_persons",
        "+dim_groups",
        "+fct_merges",
        "+dim_events",
        "+dim_properties",
    )
    trouble = run_dbt(models, directory=directory, variables=runtime.variables | own)
    assert not trouble, trouble
