"""Conditions on the session and the group of an event, and on relative dates, of documents and of files alike."""

import re
from collections.abc import Callable, Generator
from typing import Any

import httpx
import pytest
from clickhouse_connect.driver.client import Client
from pydantic import TypeAdapter

from core import warehouse
from core.insights.binding import Placeholders, Scope, literal
from core.insights.filters import Condition
from core.insights.model_text import SCOPE
from engine.api_events import TIERS, counted
from reference.events import Counted
from runtime.instance import Instance

ALWAYS = {"from": "2025-01-01", "to": "2026-01-01"}
_CONDITIONS: TypeAdapter[Any] = TypeAdapter(Condition)
_MART = re.compile("\0([a-z0-9_]+)\0")
Events = list[Counted]
Fits = Callable[[Counted, Events], bool]


@pytest.fixture
def client(runtime: Instance) -> Generator[Client]:
    client = warehouse.connect(runtime.clickhouse_reader_url)
    yield client
    client.close()


def _session(event: Counted, events: Events) -> Events:
    return [each for each in events if each.session == event.session]


def _entry_path(event: Counted, events: Events) -> str:
    return next((each.path for each in sorted(_session(event, events), key=lambda each: each.order) if each.path), "")


def _is_long(event: Counted, events: Events) -> bool:
    instants = [each.timestamp for each in _session(event, events)]
    return (max(instants) - min(instants)).total_seconds() >= 60


CONDITIONS: list[tuple[dict[str, Any], Fits]] = [
    (
        {"session": "entry_path", "value": "/product/1"},
        lambda event, events: _entry_path(event, events) == "/product/1",
    ),
    (
        {"session": "entry_path", "operator": "is_not", "value": ["/product/1", "/product/2"]},
        lambda event, events: _entry_path(event, events) not in {"/product/1", "/product/2"},
    ),
    ({"session": "duration_ms", "operator": "gte", "value": 60_000}, _is_long),
    ({"session": "views", "value": 0}, lambda event, events: not any(each.path for each in _session(event, events))),
    ({"session": "entry_event", "value": "' or 1 = 1 --"}, lambda _, __: False),
    (
        {"group_type": "company", "group_trait": "tier", "value": "gold"},
        lambda event, _: TIERS.get(event.group) == "gold",
    ),
    (
        {"group_type": "company", "group_trait": "tier", "operator": "is_not", "value": "gold"},
        lambda event, _: event.group != "" and TIERS.get(event.group) != "gold",
    ),
    ({"group_type": "team", "group_trait": "tier", "value": "gold"}, lambda _, __: False),
    (
        {"none": [{"group_type": "company", "group_trait": "tier", "operator": "is_set"}]},
        lambda event, _: event.group not in TIERS,
    ),
]


@pytest.mark.parametrize(("condition", "fits"), CONDITIONS)
async def test_events_are_chosen_by_their_session_and_their_group(
    api: httpx.AsyncClient, client: Client, modelled: Any, condition: dict[str, Any], fits: Fits
) -> None:
    """By a document, which binds values, and by the SQL of a model, which has them as literals."""
    for project in (modelled.berlin, modelled.kathmandu):
        events = counted(project.events)
        expected = sum(fits(event, events) for event in events)
        series = [{"name": "chosen", "where": [condition]}]
        document = {"kind": "trend", **ALWAYS, "series": series, "total": True}
        answer = await api.post(f"/v1/projects/{project.id}/query", headers=project.headers, json=document)
        assert answer.status_code == 200, answer.text
        points = [point["figures"]["chosen"] for line in answer.json()["data"]["lines"] for point in line["points"]]
        assert points == [expected]
        sql = _MART.sub(rf"{modelled.database}.\1", _CONDITIONS.validate_python(condition).sql(SCOPE))
        count = f"select count() from {modelled.database}.fct_events where project_id = {project.id} and {sql}"
        assert client.query(count).result_rows == [(expected,)]


NOW = "toDateTime64('2025-03-30 22:30:00', 3, 'UTC')"
# In Berlin it is half past midnight of the 31st, after a day of 23 hours; in New York still the 30th.
INSTANTS = {
    "2025-03-29": "a date of the day before",
    "2025-03-29T22:59:59.999Z": "the last millisecond of the 29th in Berlin",
    "2025-03-29T23:00:00Z": "the first instant of the 30th in Berlin",
    "2025-03-30T03:59:59.999Z": "the last millisecond of the 29th in New York",
    "2025-03-30T22:00:00+00:00": "the first instant of the 31st in Berlin",
    "2025-03-30T22:29:59.999Z": "just before now",
    "2025-03-30T22:30:00.001Z": "just after now",
    "2025-04-06T22:30:00.001Z": "just after a week from now",
    "never": "no instant",
}


@pytest.mark.parametrize(
    ("zone", "operator", "value", "expected"),
    [
        ("Europe/Berlin", "after", "today", {4, 5, 6, 7}),
        ("Europe/Berlin", "before", "today", {0, 1, 2, 3}),
        ("Europe/Berlin", "after", "yesterday", {2, 3, 4, 5, 6, 7}),
        ("America/New_York", "after", "today", {4, 5, 6, 7}),
        ("America/New_York", "after", "yesterday", {0, 1, 2, 3, 4, 5, 6, 7} - {0}),
        ("America/New_York", "after", "tomorrow", {7}),
        ("UTC", "before", "now", {0, 1, 2, 3, 4, 5}),
        ("UTC", "after", "-30min", {5, 6, 7}),
        ("UTC", "after", "+7d", {7}),
        ("UTC", "before", "-1d", {0}),
    ],
)
def test_a_relative_date_is_one_of_the_projects_calendar(
    client: Client, zone: str, operator: str, value: str, expected: set[int]
) -> None:
    condition = _CONDITIONS.validate_python({"property": "at", "operator": operator, "value": value})
    values = Placeholders()
    bound = Scope(values, relation=str, project="1", now=NOW, timezone=values(zone, "String"))
    # As in a model: the zone is a column.
    written = Scope(literal, relation=str, project="1", now=NOW, timezone="zone")
    rows = (
        "select concat('{\"at\": \"', arrayJoin({instants:Array(String)}), '\"}') as properties, {zone:String} as zone"
    )
    for scope in (bound, written):
        sql = f"select {condition.sql(scope)} from ({rows})"
        parameters = values.parameters | {"instants": list(INSTANTS), "zone": zone}
        found = [bool(row[0]) for row in client.query(sql, parameters=parameters).result_rows]
        assert {number for number, fits in enumerate(found) if fits} == expected


@pytest.mark.parametrize("value", ["a week ago", "-7", "-7 days", "7d", "-400d", "Today", "", "-", 7, None])
def test_a_relative_date_that_cannot_be_read_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="before wants a date or an instant"):
        _CONDITIONS.validate_python({"property": "at", "operator": "before", "value": value})


async def test_the_zone_of_a_model_is_that_of_each_project(client: Client, modelled: Any) -> None:
    marks = {"stg_collector__projects": modelled.database.replace("marts", "staging")}
    zone = _MART.sub(lambda mark: f"{marks[mark[1]]}.{mark[1]}", SCOPE.timezone)
    ids = [modelled.berlin.id, modelled.kathmandu.id, 4_000_000_000]
    found = client.query(f"select {zone} from (select arrayJoin({ids})::UInt32 as project_id)").result_rows
    assert [row[0] for row in found] == ["Europe/Berlin", "Asia/Kathmandu", "UTC"]
