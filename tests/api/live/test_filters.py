"""Which events a stream shows: the same ones as the same conditions choose in insights."""

import json
from typing import Any

import httpx
import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from api.live.filters import Arrival, LiveFilter
from core import warehouse
from core.insights.binding import Placeholders
from core.insights.filters import Filter, Scope
from engine.streams import Publisher, event_stream, landed
from runtime.instance import Instance
from runtime.project_keys import ProjectKeys
from tests.api.live.conftest import Served

PLAN = {"property": "plan", "value": "pro"}


async def _shown(api: Served, project: ProjectKeys, publisher: Publisher, events: list[Any], **query: Any) -> list[str]:
    """Return which of the events a stream shows, besides a last one that it must."""
    async with event_stream(api.url, project.id, project.api_key, **query) as stream:
        await stream.next("hello")
        await publisher.publish(project.id, *events)
        found: list[str] = []
        while not found or found[-1] != "last":
            found.append((await stream.next("event")).data["message_id"])
        return found[:-1]


async def test_a_stream_shows_the_named_events_of_one_person_with_one_property(
    api: Served, project: ProjectKeys, publisher: Publisher
) -> None:
    fits = {"event": "buy", "user_id": "ada", "anonymous_id": "d1", "properties": '{"plan":"pro","n":{"a":5}}'}
    events = [
        landed(project.id, "fits", **fits),
        landed(project.id, "other event", **fits | {"event": "view"}),
        landed(project.id, "other user", **fits | {"user_id": "bob"}),
        landed(project.id, "no user", **fits | {"user_id": ""}),
        landed(project.id, "other device", **fits | {"anonymous_id": "d2"}),
        landed(project.id, "other property", **fits | {"properties": '{"plan":"free","n":{"a":5}}'}),
        landed(project.id, "other nested one", **fits | {"properties": '{"plan":"pro","n":{"a":6}}'}),
        landed(project.id, "no properties", **fits | {"properties": '""'}),
        landed(project.id, "last", **fits | {"event": "pay"}),
    ]
    nested = {"property": ["n", "a"], "value": [4, 5]}
    query = {"event": ["buy", "pay"], "user_id": "ada", "anonymous_id": "d1"}
    filters = {"filter": [json.dumps(PLAN), json.dumps(nested)]}
    assert await _shown(api, project, publisher, events, **query, **filters) == ["fits"]


async def test_a_stream_can_be_narrowed_by_a_column(api: Served, project: ProjectKeys, publisher: Publisher) -> None:
    events = [landed(project.id, "us", country="US"), landed(project.id, "last", country="DE")]
    condition = json.dumps({"column": "country", "operator": "is_not", "value": "US"})
    assert await _shown(api, project, publisher, events, filter=condition) == []


@pytest.mark.parametrize(
    ("query", "location"),
    [
        ({"filter": "plan"}, ["query", "filter", "0"]),
        ({"filter": "{}"}, ["query", "filter", "0", "value"]),
        ({"filter": json.dumps(PLAN | {"operator": "contains"})}, ["query", "filter", "0"]),
        ({"filter": json.dumps(PLAN | {"nonsense": 1})}, ["query", "filter", "0", "nonsense"]),
        ({"filter": json.dumps({"trait": "plan", "value": "pro"})}, ["query", "filter", "0"]),
        ({"filter": json.dumps({"column": "channel", "value": "Direct"})}, ["query", "filter", "0"]),
        ({"filter": json.dumps({"property": "plan"})}, ["query", "filter", "0", "value"]),
        ({"filter": [json.dumps(PLAN)] * 21}, ["query", "filter"]),
        ({"filter": "[" * 5_000}, ["query", "filter", "0"]),
        ({"event": ""}, ["query", "event", "0"]),
        ({"user_id": "x" * 201}, ["query", "user_id"]),
        ({"max_per_second": "501"}, ["query", "max_per_second"]),
        ({"include": "everything"}, ["query", "include", "0"]),
        ({"evnt": "buy"}, ["query", "evnt"]),
        ({"ticket": "lt_x"}, ["query", "ticket"]),
    ],
)
async def test_the_refusal_names_what_does_not_fit(
    api: Served, project: ProjectKeys, query: dict[str, Any], location: list[str]
) -> None:
    async with httpx.AsyncClient(base_url=api.url) as client:
        answer = await client.get(
            f"/v1/projects/{project.id}/live/events",
            params=query,
            headers={"authorization": f"Bearer {project.api_key}"},
        )
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request"), answer.text
    assert answer.json()["errors"][0]["location"] == location


@pytest.fixture(scope="module")
def client(runtime: Instance) -> Any:
    """Return a client of ClickHouse."""
    with warehouse.connect(runtime.clickhouse_url) as client:
        yield client


_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.sampled_from([0.5, 1.0, -2.25, 3.75, 1e6]),
    st.sampled_from(["", "a", "A", "true", "false", "5", "5.0", "0.5", "1", "null", " 5", "é", "1e3", "x5"]),
)
_WANTED = st.one_of(
    st.booleans(),
    st.integers(-10, 10),
    st.sampled_from([0.5, 1.0, 3.75]),
    st.sampled_from(["a", "true", "5", "0.5", "é"]),
)


@given(
    value=_VALUES,
    wanted=st.lists(_WANTED, min_size=1, max_size=3),
    operator=st.sampled_from(["is", "is_not", "is_set", "is_not_set"]),
    is_nested=st.booleans(),
    is_missing=st.booleans(),
)
def test_a_condition_holds_where_it_holds_in_insights(
    *, client: Client, value: Any, wanted: list[Any], operator: str, is_nested: bool, is_missing: bool
) -> None:
    found: Any = {} if is_missing else {"p": value}
    properties = json.dumps({"n": found} if is_nested else found)
    of: dict[str, Any] = {"property": ["n", "p"] if is_nested else "p", "operator": operator}
    document = of if operator.endswith("set") else of | {"value": wanted}
    bind = Placeholders()
    sql = Filter.model_validate(document).sql(Scope(bind, str, "1"))
    asked = f"select {sql} as holds from (select {{properties:String}} as properties)"
    answer = client.query(asked, parameters=bind.parameters | {"properties": properties}).result_rows[0][0]
    arrival = Arrival("c-1", landed(1, "m", properties=properties), 0.0)
    assert LiveFilter.model_validate(document).holds(arrival) == bool(answer), (document, properties)


@pytest.mark.parametrize(
    "properties", ['{"plan":1e400}', '{"plan":{"a":1}}', '{"plan":[1]}', "[]", '{"plan":1,"plan":2}']
)
def test_odd_properties_break_nothing(properties: str) -> None:
    assert not LiveFilter(property="plan", value="pro").holds(
        Arrival("c-1", landed(1, "m", properties=properties), 0.0)
    )


def test_a_condition_is_checked_as_in_insights() -> None:
    with pytest.raises(ValidationError, match="exactly one of"):
        LiveFilter(property="a", column="type", value="b")
