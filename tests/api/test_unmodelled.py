"""Events that landed since the last refresh count in answers, as they will after the next one."""

import asyncio
import itertools
import json
import os
import random
from collections.abc import Callable, Generator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from clickhouse_connect.driver.client import Client
from sqlalchemy.orm import Session

from api.data_state import DataState
from api.errors import QueryTooLargeError
from api.insights.macros import InsightMacros
from api.insights.results import Results
from api.insights.statements import Statement
from api.insights.unmodelled import UnmodelledEvents
from api.insights.unmodelled_sql import CONTENT, Unmodelled, UnmodelledSql
from api.settings import ApiSettings
from api.warehouse import Warehouse
from core import metadata, warehouse
from core.metadata import projects
from core.warehouse import ProjectScope
from engine.landing import MODELS, Landing, landing
from reference.events import Event
from runtime.instance import Instance

FIRST = datetime(2025, 3, 3, tzinfo=UTC)
HOUR = timedelta(hours=1)
ZONES = ("Asia/Kathmandu", "America/New_York", "UTC")
AGENTS = ("fox", "chrome", "")
ADDRESSES = ("192.0.2.1", "192.0.2.2", "")
NAMES = ("a", "b", "c", "it's \\ \n\t💶")
RANGE = "from=2025-03-03&to=2025-03-24"
QUESTIONS = [
    f"event-names?{RANGE}",
    "event-names?from=2025-03-04T10:00:00Z&to=2025-03-20T10:30:00Z",
    *(f"insights/timeseries?{RANGE}&interval={interval}&measure=persons" for interval in ("day", "week")),
    f"insights/timeseries?{RANGE}&interval=hour&event=a",
    f"insights/timeseries?{RANGE}&event=b&measure=persons",
    f"insights/timeseries?{RANGE}&measure=sessions",
    f"insights/funnel?{RANGE}&step=a&step=b&step=c&window=2d",
    f"insights/retention?{RANGE}&start_event=a&period=day&periods=5",
    "insights/retention?from=2025-03-03&to=2025-03-17&return_event=b&period=week&periods=2",
    *(
        json.dumps({"from": "2025-03-03", "to": "2025-03-24"} | document)
        for document in (
            {"kind": "trend", "series": [{"name": "who", "event": ["a", "b"], "measure": "persons", "trailing": 3}]},
            {"kind": "trend", "series": [{"name": "all_of_it"}], "interval": "hour", "compare": "previous"},
            {"kind": "funnel", "steps": ["a", "c"], "order": "unordered", "window": "2d"},
            {"kind": "funnel", "steps": ["a", "b"], "exclude": [{"event": "c"}], "attempts": "first"},
            {"kind": "retention", "start": "a", "period": "day", "periods": 5, "cohort": "recurring"},
            {"kind": "retention", "returning": "b", "period": "day", "periods": 5, "clock": "rolling"},
            {"kind": "lifecycle", "interval": "week"},
            {"kind": "lifecycle", "interval": "hour", "events": "a"},
            {"kind": "stickiness", "events": {"event": ["a", "b"]}},
            {"kind": "paths", "window": "12h", "max_steps": 3},
            {
                "kind": "trend",
                "series": [
                    {"name": "paid", "event": "a", "where": [{"property": "plan", "value": "pro"}]},
                    {"name": "sums", "measure": "sum", "of": {"property": "amount"}},
                ],
                "breakdown": [{"property": "plan"}, {"column": "page_path"}],
                "total": True,
            },
            {
                "kind": "trend",
                "series": [{"name": "who", "measure": "persons"}],
                "breakdown": [{"column": "utm_source"}],
                "interval": "week",
            },
            {"kind": "trend", "series": [{"name": "accounts", "measure": "persons"}], "group_type": "company"},
            {
                "kind": "funnel",
                "steps": [{"event": "a", "where": [{"column": "locale", "value": "de-DE"}]}, "b"],
                "breakdown": {"property": "plan"},
                "window": "5d",
            },
            {
                "kind": "funnel",
                "steps": [
                    {"event": "$pageview", "where": [{"column": "page_path", "value": f"/{path}"}]} for path in "xyz"
                ],
                "breakdown": {"column": "utm_source"},
                "attempts": "first",
                "window": "20d",
            },
            {
                "kind": "retention",
                "start": {"where": [{"property": "plan", "operator": "is_not", "value": "pro"}]},
                "period": "day",
                "periods": 5,
                "breakdown": {"column": "utm_source"},
            },
            {"kind": "lifecycle", "interval": "week", "events": {"where": [{"column": "type", "value": "page"}]}},
            {"kind": "stickiness", "group_type": "company"},
            {"kind": "paths", "nodes": "page_path", "window": "2d", "max_steps": 3},
            {
                "kind": "revenue",
                "orders": {"event": ["a", "b"]},
                "amount": {"property": "amount"},
                "breakdown": [{"column": "page_host"}],
            },
            {"kind": "revenue", "interval": "week", "orders": "b"},
            {
                "kind": "trend",
                "series": [{"name": "who", "measure": "persons"}],
                "breakdown": [{"column": "browser"}, {"column": "city"}],
                "interval": "week",
            },
            {
                "kind": "funnel",
                "steps": ["a", {"where": [{"column": "country", "value": "DE"}]}],
                "breakdown": {"column": "channel"},
                "window": "5d",
            },
            {"kind": "stickiness", "events": {"where": [{"column": "referrer_type", "value": "search"}]}},
            {"kind": "trend", "series": [{"name": "all_of_it"}], "breakdown": [{"trait": "plan"}], "total": True},
            {
                "kind": "trend",
                "series": [{"name": "visits", "measure": "sessions"}],
                "breakdown": [{"property": "plan"}],
            },
            {"kind": "paths", "max_steps": 3},
            {"kind": "web"},
            {"kind": "web", "total": True, "breakdown": ["channel"], "compare": "previous"},
            {"kind": "web", "interval": "hour", "breakdown": ["channel"], "compare": "previous"},
            {"kind": "web", "total": True, "breakdown": ["entry_path", "exit_path", "browser"]},
            {"kind": "web", "total": True, "where": [{"column": "country", "value": "DE"}], "breakdown": ["city"]},
            {
                "kind": "web",
                "interval": "week",
                "breakdown": ["page_path"],
                "where": [{"column": "os", "value": "Linux"}],
            },
            {
                "kind": "retention",
                "start": {"where": [{"trait": "plan", "value": "pro"}]},
                "period": "week",
                "periods": 2,
            },
        )
    ),
]


class History:
    """One project's events: those that a refresh models, and those that land after it."""

    def __init__(self, chance: random.Random, *, has_identifies: bool, has_merges: bool) -> None:
        self._chance = chance
        self._made = 0
        users, devices = [f"u{number}" for number in range(5)], [f"d{number}" for number in range(5)]
        self.modelled = [self._track(users, devices) for _ in range(60)]
        # Two devices belong to users; the others are anonymous.
        self.modelled += [self._identify(device, chance.choice(users), FIRST) for device in devices[:2]]
        paid = {"type": "identify", "event": "$identify", "traits": '{"plan": "pro"}'}
        self.modelled += [self._event(user_id=user, **paid) for user in users[:2]]
        if has_merges:
            merge = {"type": "alias", "event": "$alias", "timestamp": FIRST}
            self.modelled.append(self._event(previous_id="u4", user_id="u3", **merge))
        users += ["u8", "u9"]
        self.landed = [self._track(users, ["d0", "d1", "d2", "d8", "d9"]) for _ in range(40)]
        # A device that nobody knew, and one that goes to another user after all that is modelled.
        if has_identifies:
            self.landed.append(self._identify("d8", chance.choice(users), self._instant()))
            self.landed.append(self._identify("d0", "u4", FIRST + timedelta(days=21)))
        self.uncounted = [
            self._event(type="group", event="$group", group_type="company", group_id="c3"),
            *self._first_without_a_person(),
            *(self._repeat(event) for event in chance.sample([*self.modelled, *self.landed], 12)),
        ]

    def _instant(self) -> datetime:
        return FIRST + timedelta(minutes=self._chance.randrange(20 * 24 * 12) * 5)

    def _event(self, **fields: Any) -> Event:
        self._made += 1
        at = fields.pop("timestamp", None) or self._instant()
        return Event(message_id=f"{NAMES[self._made % 4]} {self._made}", timestamp=at, received_at=at + HOUR, **fields)

    def _track(self, users: list[str], devices: list[str]) -> Event:
        who = self._chance.choice(
            [{"user_id": self._chance.choice(users)}, {"anonymous_id": self._chance.choice(devices)}]
        )
        return self._event(**self._content(), **who)

    def _content(self) -> dict[str, str]:
        """Return what else an event says: of itself, of the page where it happened, and of an account."""
        chance = self._chance
        host, path, source = (chance.choice(names) for names in (("shop", "blog"), "xyz", ("google", "mail")))
        page = {
            "url": f"https://{host}.test/{path}/?utm_source={source}&utm_medium={path}&utm_campaign=a%20b",
            "title": path,
            "referrer": f"https://www.{source}.de/",
        }
        said = {
            "locale": chance.choice(("de-DE", "en-GB")),
            "timezone": f"Europe/{host}",
            "campaign": {"term": path, "content": host},
        }
        if chance.random() < 0.3:
            said |= {"location": {"country": "fr", "region": "IDF", "city": "Paris"}}
        sender = {
            "user_agent": chance.choice(AGENTS),
            "ip": chance.choice(ADDRESSES),
            "country": chance.choice(("DE", "AT")),
        }
        of_page = {"context": json.dumps(said | {"page": page}), "library": f"web/{path}"} | sender
        if chance.random() < 0.4:
            # Servers say the page in the properties of its call.
            of_call = {"context": json.dumps(said), "properties": json.dumps(page)}
            return {"type": "page", "event": "$pageview"} | chance.choice((of_page, of_call))
        # The engine reads nothing of an object with a number that no floating point number can hold.
        odd = chance.choice(("1e400", "2"))
        amount, plan = chance.randrange(-3, 30), chance.choice(("free", "pro", "pro"))
        said = f'{{"plan": "{plan}", "amount": {amount}, "revenue": "{amount}", "odd": {odd}}}'
        account = {"group_type": "company", "group_id": chance.choice(("c1", "c2", ""))}
        return {"event": chance.choice(NAMES), "properties": said} | chance.choice((of_page, account))

    def _identify(self, device: str, user: str, at: datetime) -> Event:
        return self._event(type="identify", event="$identify", anonymous_id=device, user_id=user, timestamp=at)

    def _first_without_a_person(self) -> list[Event]:
        """Return two deliveries of one id, of which the one that counts names nobody."""
        first = self._event(type="group", event="$group")
        return [first, replace(first, user_id="u0", type="track", event="a", received_at=first.received_at + HOUR)]

    def _repeat(self, event: Event) -> Event:
        """Return a later delivery, which tells another time now and then."""
        told = event.timestamp + self._chance.choice([timedelta(), HOUR])
        said = self._chance.choice([event.properties, '{"plan": "later", "amount": 1000}'])
        return replace(event, timestamp=told, received_at=event.received_at + HOUR, properties=said)


@pytest.fixture(scope="module")
def landed(runtime: Instance) -> Generator[tuple[Landing, dict[int, History], dict[int, str]]]:
    """Model the first part of each history, and land the second."""
    engine = metadata.connect(runtime.database_url)
    keys: dict[int, str] = {}
    histories: dict[int, History] = {}
    with Session(engine) as session, session.begin():
        for number in range(3):
            project = projects.create_project(session, f"landed {os.urandom(4).hex()}", timezone=ZONES[number % 3])
            keys[project.id] = projects.create_api_key(session, project.id, "test")
            chance = random.Random(number)  # noqa: S311 - reproducible events, no secrets
            histories[project.id] = History(chance, has_identifies=number != 1, has_merges=number != 2)
    engine.dispose()
    client = warehouse.connect(runtime.clickhouse_url)
    with landing(runtime, client) as place:
        for (project_id, history), zone in zip(histories.items(), ZONES, strict=True):
            place.set_project(project_id, timezone=zone)
            # Half of it within the minutes that are looked at again.
            place.deliver(project_id, history.modelled[::2], inserted_at=datetime.now(UTC) - HOUR)
            place.deliver(project_id, history.modelled[1::2], inserted_at=datetime.now(UTC))
        of_fox = {"browser": "Firefox", "browser_version": "1", "os": "Linux", "os_version": "6", "device_brand": "Own"}
        place.look_up("user_agents", {"user_agent": "fox", "device_type": "desktop"} | of_fox, {"user_agent": "chrome"})
        cities = (("Bavaria", "Munich"), ("Vienna", "Wien"))
        for ip, (region, city) in zip(ADDRESSES, cities, strict=False):
            place.look_up("addresses", {"ip": ip, "country": "DE", "region": region, "city": city})
        place.dbt(*MODELS, "--select", "+dim_projects", "+dim_persons")
        for project_id, history in histories.items():
            place.deliver(project_id, [*history.landed, *history.uncounted], inserted_at=datetime.now(UTC))
            canary: dict[str, object] = {
                "project_id": project_id,
                "message_id": "canary",
                "event": "a",
                "user_id": "u0",
            }
            place.land(canary | {"protocol": "canary", "timestamp": "2025-03-05 00:00:00", "type": "track"})
        yield place, histories, keys
    client.close()


@pytest.fixture
def own_settings(settings_over: Callable[..., ApiSettings], landed: Any) -> ApiSettings:
    place, _, _ = landed
    # All questions are asked at once, beside dbt.
    return settings_over(place, key_cache_seconds=0, data_version_seconds=0, landing_seconds=1, connect_seconds=60)


async def _ask(client: httpx.AsyncClient, project_id: int, key: str, question: str) -> Any:
    """Ask what is at an address, or what a document asks."""
    headers = {"authorization": f"Bearer {key}"}
    if question.startswith("{"):
        answer = await client.post(f"/v1/projects/{project_id}/query", headers=headers, content=question)
    else:
        answer = await client.get(f"/v1/projects/{project_id}/{question}", headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def _ask_all(client: httpx.AsyncClient, keys: dict[int, str]) -> dict[tuple[int, str], Any]:
    asked = [
        (project_id, question)
        for row, project_id in enumerate(keys)
        for column, question in enumerate(QUESTIONS)
        # There each question is asked of one of the three projects, or of the two others.
        if ("CI" not in os.environ or (row + column) % 2 == 0 or "trait" in question)
        # Where somebody is identified, traits wait for the refresh.
        and ("trait" not in question or row == 1)
    ]
    answers = await asyncio.gather(
        *(_ask(client, project_id, keys[project_id], question) for project_id, question in asked)
    )
    return dict(zip(asked, answers, strict=True))


async def test_answers_before_a_refresh_and_in_the_midst_of_it_are_those_after_it(
    serve: Any, own_settings: ApiSettings, landed: Any
) -> None:
    place, histories, keys = landed
    # What was inserted in the last two seconds is not looked at yet, and only every second.
    await asyncio.sleep(3.1)
    stages: list[dict[tuple[int, str], Any]] = []
    few = own_settings.model_copy(update={"landing_listed_events": 10})
    async with serve(few) as (client, _):
        looked_up = await _ask_all(client, keys)
    content = [
        {project_id: await _content(settings, project_id) for project_id in keys} for settings in (few, own_settings)
    ]
    async with serve(own_settings) as (client, _):
        stages.append(await _ask_all(client, keys))
        for selected in (("+fct_events",), ("+dim_projects", "+dim_persons")):
            place.dbt(*MODELS, "--select", *selected)
            stages.append(await _ask_all(client, keys))
    content.append({project_id: await _content(own_settings, project_id) for project_id in keys})
    assert content[0] == content[1] == content[2]
    # Each column tells some of them apart.
    assert all(len(set(column)) > 1 for column in zip(*itertools.chain(*content[2].values()), strict=True))
    before, repairing, after = stages
    for (project_id, question), answer in before.items():
        asked = (project_id, question)
        assert answer["data"] == repairing[asked]["data"] == after[asked]["data"], question
        assert looked_up[asked]["data"] == answer["data"], question
        landed_events = histories[project_id].landed
        assert set(answer["meta"]["parameters"]["found_message_id"]) == {event.message_id for event in landed_events}
        assert "found_message_id" not in looked_up[asked]["meta"]["parameters"]
        assert looked_up[asked]["meta"]["fresh_until"] == answer["meta"]["fresh_until"]
        assert answer["meta"]["unmodelled"]["events"] == len(landed_events)
        assert answer["meta"]["unmodelled"]["is_counted"]
        assert answer["meta"]["sources"][-1] == f"{place.prefix}raw.events"
        for late in (repairing[asked], after[asked]):
            assert late["meta"]["unmodelled"] is None
        newest = max(event.received_at for event in [*landed_events, *histories[project_id].modelled])
        assert datetime.fromisoformat(answer["meta"]["fresh_until"]) == newest
    for stage, expected in (
        (
            before,
            {
                *("fct_events", "fct_sessions", "dim_persons"),
                *("agg_events_daily", "agg_events_hourly", "agg_persons_daily", "agg_sessions_daily"),
            },
        ),
        (repairing, {"fct_events", "fct_sessions", "dim_persons"}),
    ):
        sources = {answer["meta"]["sources"][0].partition(".")[2] for answer in stage.values()}
        assert sources == expected


async def _content(settings: ApiSettings, project_id: int) -> list[tuple[Any, ...]]:
    """Return what each event of a project says beside its name, its person and its instant."""
    columns = sorted(CONTENT)
    sql = UnmodelledSql(InsightMacros(settings.macros_dir / "events", settings.macros_dir / "insights"), settings)
    asked = Warehouse(settings)
    try:
        found = await UnmodelledEvents(settings, asked, sql).find(project_id, "UTC", "any")
        relation = f"{settings.marts_database}.fct_events" if found is None else sql.events(found, columns)
        listed = f"select message_id, {', '.join(columns)} from {relation} where project_id = {{project_id:UInt32}}"
        parameters = {} if found is None else found.parameters() | {"timezone": "UTC"}
        answer = await asked.query(ProjectScope(project_id), f"{listed} order by all", parameters)
    finally:
        await asked.close()
    return [tuple(row.values()) for row in answer.rows]


LISTED = pytest.mark.parametrize("listed", [500, 0], ids=["listed", "looked up"])


@LISTED
async def test_what_landed_counts_for_its_own_project_alone(
    serve: Any, own_settings: ApiSettings, landed: Any, listed: int
) -> None:
    place, _, keys = landed
    own_settings = own_settings.model_copy(update={"landing_listed_events": listed})
    (first, key), (second, other_key) = list(keys.items())[:2]
    question = f"insights/timeseries?{RANGE}&measure=persons&event=fresh"
    await _land(place, first, "own", "fresh")
    async with serve(own_settings) as (client, _):
        mine = await _ask(client, first, key, question)
        others = await _ask(client, second, other_key, question)
        assert sum(bucket["value"] for bucket in mine["data"]["buckets"]) == 1
        assert sum(bucket["value"] for bucket in others["data"]["buckets"]) == 0
        sessions = await _ask(client, first, key, question.replace("persons", "sessions"))
    assert sum(bucket["value"] for bucket in sessions["data"]["buckets"]) == 1


async def test_what_is_not_known_of_it_yet_waits_for_the_refresh(
    serve: Any, own_settings: ApiSettings, landed: Any
) -> None:
    place, _, keys = landed
    project_id, key = next(iter(keys.items()))
    series = {"from": "2025-03-03", "to": "2025-03-24", "kind": "trend", "series": [{"name": "all_of_it"}]}
    told_apart = {"browser": "column", "city": "column", "country": "column", "channel": "column", "plan": "trait"}

    async def counted() -> set[str]:
        await asyncio.sleep(3.1)
        async with serve(own_settings) as (client, _):
            return {
                name
                for name, kind in told_apart.items()
                if (await _ask(client, project_id, key, json.dumps(series | {"breakdown": [{kind: name}]})))["meta"][
                    "unmodelled"
                ]["is_counted"]
            }

    at = FIRST + HOUR
    event = Event(message_id="known", event="a", user_id="u0", timestamp=at, received_at=at, user_agent="fox")
    for late, waits in (
        (event, set[str]()),
        (replace(event, message_id="agent", user_agent="new"), {"browser"}),
        (replace(event, message_id="address", ip="192.0.2.9"), {"browser", "city"}),
        (replace(event, message_id="traits", traits='{"plan": "free"}'), {"browser", "city", "plan"}),
    ):
        place.deliver(project_id, [late], inserted_at=datetime.now(UTC))
        assert await counted() == set(told_apart) - waits


@LISTED
async def test_a_refresh_that_exchanges_the_facts_midway_makes_the_question_new(
    serve: Any, own_settings: ApiSettings, landed: Any, monkeypatch: pytest.MonkeyPatch, listed: int
) -> None:
    place, _, keys = landed
    own_settings = own_settings.model_copy(update={"landing_listed_events": listed})
    project_id, key = list(keys.items())[-1]
    event = f"midway {listed}"
    await _land(place, project_id, event, event)
    find, runs = UnmodelledEvents.find, [1]

    async def find_after_the_exchange(self: UnmodelledEvents, *asked: Any) -> Unmodelled | None:
        # By now the question has been promised rollups, which stay behind the facts until the rest of the refresh.
        if runs:
            runs.clear()
            place.dbt(*MODELS, "--select", "+fct_events")
        return await find(self, *asked)

    monkeypatch.setattr(UnmodelledEvents, "find", find_after_the_exchange)
    async with serve(own_settings) as (client, _):
        answer = await _ask(client, project_id, key, f"event-names?{RANGE}")
    assert [row["events"] for row in answer["data"] if row["event"] == event] == [1]
    assert answer["meta"]["sources"] == [f"{own_settings.marts_database}.fct_events"]


async def test_what_becomes_visible_while_it_is_counted_makes_the_question_new(
    serve: Any, own_settings: ApiSettings, landed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, _, keys = landed
    project_id, key = list(keys.items())[-1]
    own_settings = own_settings.model_copy(update={"landing_listed_events": 0})
    await _land(place, project_id, "early", "early")
    find, lands = UnmodelledEvents.find, [1]

    async def find_and_land(self: UnmodelledEvents, *asked: Any) -> Unmodelled | None:
        found = await find(self, *asked)
        if lands and found is not None:
            lands.clear()
            at = FIRST + HOUR
            slow = Event(message_id="slow", event="slow", user_id="u0", timestamp=at, received_at=at)
            place.deliver(project_id, [slow], inserted_at=found.until - timedelta(milliseconds=1))
            await asyncio.sleep(own_settings.landing_seconds)
        return found

    monkeypatch.setattr(UnmodelledEvents, "find", find_and_land)
    async with serve(own_settings) as (client, _):
        answer = await _ask(client, project_id, key, f"event-names?{RANGE}")
    assert {row["event"] for row in answer["data"]} >= {"early", "slow"}
    assert answer["meta"]["unmodelled"]["is_counted"]


@LISTED
async def test_what_is_erased_after_it_was_found_counts_no_more(
    serve: Any, own_settings: ApiSettings, landed: Any, monkeypatch: pytest.MonkeyPatch, listed: int
) -> None:
    place, _, keys = landed
    project_id, key = list(keys.items())[-1]
    own_settings = own_settings.model_copy(update={"landing_listed_events": listed})
    first, again = (
        Event(
            message_id=f"gone {listed}",
            event="gone",
            user_id=f"{user} {listed}",
            timestamp=FIRST + timedelta(days=days),
            received_at=FIRST + timedelta(days=days + 10),
            properties=f'{{"plan": "{user}"}}',
        )
        for user, days in (("erased", 1), ("stays", 2))
    )
    place.deliver(project_id, [first, again], inserted_at=datetime.now(UTC))
    await asyncio.sleep(3.1)
    find, erasures = UnmodelledEvents.find, [1]

    async def find_and_erase(self: UnmodelledEvents, *asked: Any) -> Unmodelled | None:
        found = await find(self, *asked)
        if erasures:
            erasures.clear()
            place.erase(project_id, first.user_id)
            await asyncio.sleep(own_settings.landing_seconds)
        return found

    monkeypatch.setattr(UnmodelledEvents, "find", find_and_erase)
    by_plan = {"kind": "trend", "breakdown": [{"property": "plan"}], "total": True}
    series = {"series": [{"name": "who", "event": "gone"}], "from": "2025-03-05", "to": "2025-03-24"}
    async with serve(own_settings) as (client, _):
        answer = await _ask(client, project_id, key, json.dumps(by_plan | series))
    assert not erasures
    assert answer["meta"]["unmodelled"]["is_counted"]
    assert [line["breakdown"][0]["text"] for line in answer["data"]["lines"]] == ["stays"]


@pytest.mark.parametrize("trouble", ["is too long", "wants too much"])
async def test_a_question_that_is_too_large_with_what_landed_is_asked_without(
    serve: Any, own_settings: ApiSettings, landed: Any, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    place, _, keys = landed
    project_id, key = next(iter(keys.items()))
    await _land(place, project_id, trouble, trouble)
    rows = Results.rows

    async def too_large(self: Results, project_id: int, statement: Statement, *others: Any) -> Any:
        if statement.unmodelled is not None:
            raise QueryTooLargeError("memory", 1)
        return await rows(self, project_id, statement, *others)

    if trouble == "is too long":
        monkeypatch.setattr("api.insights.answers.LONGEST", 1)
    else:
        monkeypatch.setattr(Results, "rows", too_large)
    async with serve(own_settings) as (client, _):
        answer = await _ask(client, project_id, key, f"event-names?{RANGE}")
    assert answer["meta"]["unmodelled"]["events"] > 0
    assert not answer["meta"]["unmodelled"]["is_counted"]
    assert trouble not in {row["event"] for row in answer["data"]}


async def test_where_tables_are_exchanged_again_and_again_the_models_answer_and_say_so(
    serve: Any, own_settings: ApiSettings, landed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, _, keys = landed
    project_id, key = list(keys.items())[-1]
    await _land(place, project_id, "never", "never")
    generations = itertools.count()

    async def generation(_: DataState) -> str:
        return str(next(generations))

    monkeypatch.setattr(DataState, "generation", generation)
    async with serve(own_settings) as (client, _):
        answer = await _ask(client, project_id, key, f"event-names?{RANGE}")
    assert "never" not in {row["event"] for row in answer["data"]}
    assert not answer["meta"]["unmodelled"]["is_counted"]
    assert next(generations) == 6


async def _land(place: Landing, project_id: int, message_id: str, event: str) -> None:
    at = FIRST + HOUR
    landed = Event(message_id=message_id, event=event, user_id="u0", timestamp=at, received_at=at)
    place.deliver(project_id, [landed], inserted_at=datetime.now(UTC))
    await asyncio.sleep(3.1)


@pytest.mark.parametrize("trouble", ["fails", "are too many"])
async def test_where_they_cannot_be_counted_the_models_answer_and_say_so(
    serve: Any, own_settings: ApiSettings, landed: Any, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    place, _, keys = landed
    project_id, key = next(iter(keys.items()))
    await _land(place, project_id, trouble, trouble)

    def failing(_: UnmodelledSql) -> str:
        return "select throwIf({project_id:UInt32} > 0) as message_id"

    if trouble == "fails":
        monkeypatch.setattr(UnmodelledSql, "repeated", failing)
    else:
        own_settings = own_settings.model_copy(update={"landing_max_events": 0})
    async with serve(own_settings) as (client, _):
        answer = await _ask(client, project_id, key, f"event-names?{RANGE}")
    assert answer["meta"]["unmodelled"] | {"until": ""} == {"events": None, "until": "", "is_counted": False}
    assert f"{place.prefix}raw.events" not in answer["meta"]["sources"]
    assert sum(row["events"] for row in answer["data"]) > 0


MINUTES = {"12:00": 2, "12:05": 3}
"""How many deliveries of each minute the refresh has seen."""


@pytest.fixture
def minutes(runtime: Instance) -> Generator[tuple[Client, str]]:
    """Return a database with empty landed events, and with what a refresh says of the last minutes."""
    database = f"minutes_{os.urandom(4).hex()}"
    with warehouse.connect(runtime.clickhouse_url) as client:
        client.command(f"create database {database}")
        client.command(f"create table {database}.events as raw.events")
        client.command(
            f"create table {database}.fct_events_settled_minutes (project_id UInt32, inserted_minute DateTime('UTC'),"
            " landed UInt64) engine = Memory"
        )
        yield client, database
        client.command(f"drop database {database}")


@pytest.mark.parametrize(
    ("landed", "since"),
    [
        (MINUTES, None),
        # More of a minute that was seen, and a new one.
        (MINUTES | {"12:05": 4}, "12:05"),
        (MINUTES | {"12:06": 1}, "12:06"),
        # Late, in a minute of which nothing was there; and some were erased.
        (MINUTES | {"11:56": 1, "12:06": 1}, "11:56"),
        (MINUTES | {"12:00": 1}, "12:00"),
        ({"12:05": 3}, "12:00"),
        # Ten minutes before.
        (MINUTES | {"11:55": 1}, None),
    ],
)
async def test_minutes_that_the_refresh_has_seen_are_not_looked_at_again(
    runtime: Instance, minutes: tuple[Client, str], landed: dict[str, int], since: str | None
) -> None:
    client, database = minutes
    for minute, deliveries in landed.items():
        row = f"'2025-03-03 {minute}:30', 1, 'm', '2025-03-03' from numbers({deliveries})"
        client.command(f"insert into {database}.events (inserted_at, project_id, message_id, received_at) select {row}")
    for minute, deliveries in MINUTES.items():
        seen = f"'2025-03-03 {minute}:00', {deliveries}"
        client.command(f"insert into {database}.fct_events_settled_minutes values (1, {seen}), (2, {seen})")
    assert (await _span(runtime, database)) == since


async def test_all_that_landed_is_looked_at_where_the_refresh_had_nothing(
    runtime: Instance, minutes: tuple[Client, str]
) -> None:
    client, database = minutes
    assert (await _span(runtime, database)) is None
    client.command(f"insert into {database}.events (inserted_at, project_id) select '2025-03-03 12:00:30', 1")
    assert (await _span(runtime, database)) == "12:00"


async def _span(runtime: Instance, database: str) -> str | None:
    """Return the time of the instant since which there is something to look at."""
    settings = ApiSettings.model_validate(
        {
            "clickhouse_url": runtime.clickhouse_reader_url,
            "database_url": runtime.database_url,
            "redis_url": runtime.redis_url,
            "landing_database": database,
            "marts_database": database,
        }
    )
    sql = UnmodelledSql(InsightMacros(settings.macros_dir / "events", settings.macros_dir / "insights"), settings)
    asked = Warehouse(settings)
    try:
        (row,) = (await asked.query(ProjectScope(1), sql.span, {})).rows
    finally:
        await asked.close()
    return None if row["since"] is None else row["since"].strftime("%H:%M")
