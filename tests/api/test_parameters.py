"""A parameter that does not fit is refused, by name, with what to do."""

from typing import Any

import httpx
import pytest

GOOD: dict[str, Any] = {"from": "2025-03-03", "to": "2025-04-07"}
FUNNEL: dict[str, Any] = GOOD | {"step": ["catalog", "cart"]}


async def _refusal(api: httpx.AsyncClient, modelled: Any, path: str, parameters: dict[str, Any]) -> Any:
    url = f"/v1/projects/{modelled.berlin.id}/{path}"
    given = {name: value for name, value in parameters.items() if value is not None}
    answer = await api.get(url, params=given, headers=modelled.berlin.headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request"), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.json()


@pytest.mark.parametrize(
    ("path", "parameters", "location"),
    [
        ("event-names", GOOD | {"from": None}, ["query", "from"]),
        ("event-names", GOOD | {"to": None}, ["query", "to"]),
        ("event-names", GOOD | {"from": "2025-02-30"}, ["query", "from"]),
        ("event-names", GOOD | {"to": "2025-03-03T10:00:00"}, ["query", "to"]),
        ("event-names", GOOD | {"to": "2025-03-03"}, ["query", "to"]),
        ("event-names", GOOD | {"from": "1969-12-31"}, ["query", "from"]),
        ("event-names", GOOD | {"to": "2106-01-01"}, ["query", "to"]),
        ("event-names", GOOD | {"from": "0001-01-01"}, ["query", "from"]),
        ("event-names", GOOD | {"from": "0001-01-01T00:00:00+14:00"}, ["query", "from"]),
        ("event-names", GOOD | {"to": "9999-12-31"}, ["query", "to"]),
        ("event-names", GOOD | {"to": "9999-12-31T23:59:59-14:00"}, ["query", "to"]),
        # Midnight of it in Berlin was still 1969.
        ("event-names", GOOD | {"from": "1970-01-01"}, ["query", "from"]),
        ("event-names", GOOD | {"form": "2025-03-03"}, ["query", "form"]),
        ("insights/timeseries", GOOD | {"interval": "fortnight"}, ["query", "interval"]),
        ("insights/timeseries", GOOD | {"measure": "users"}, ["query", "measure"]),
        ("insights/timeseries", GOOD | {"event": ""}, ["query", "event"]),
        ("insights/timeseries", GOOD | {"from": "2020-01-01", "interval": "hour"}, ["query", "interval"]),
        ("insights/funnel", GOOD, ["query", "step"]),
        ("insights/funnel", GOOD | {"step": ["catalog"]}, ["query", "step"]),
        ("insights/funnel", GOOD | {"step": ["catalog"] * 21}, ["query", "step"]),
        ("insights/funnel", GOOD | {"step": ["catalog", ""]}, ["query", "step", "1"]),
        ("insights/funnel", FUNNEL | {"window": "14"}, ["query", "window"]),
        ("insights/funnel", FUNNEL | {"window": "400d"}, ["query", "window"]),
        ("insights/activity", GOOD | {"to": "2025-03-03"}, ["query", "to"]),
        ("insights/activity", GOOD | {"from": "2010-01-01", "to": "2099-01-01"}, ["query", "to"]),
        ("insights/activity", GOOD | {"events": "catalog"}, ["query", "events"]),
        ("insights/breakdown", GOOD | {"column": "color"}, ["query", "column"]),
        ("insights/breakdown", GOOD | {"property": "plan", "top": "0"}, ["query", "top"]),
        ("insights/retention", GOOD | {"period": "year"}, ["query", "period"]),
        ("insights/retention", GOOD | {"periods": "0"}, ["query", "periods"]),
        ("insights/retention", GOOD | {"periods": "101"}, ["query", "periods"]),
    ],
)
async def test_the_refusal_names_the_parameter(
    api: httpx.AsyncClient, modelled: Any, path: str, parameters: dict[str, Any], location: list[str]
) -> None:
    problem = await _refusal(api, modelled, path, parameters)
    assert [error["location"] for error in problem["errors"]] == [location]
    assert location[1] in problem["detail"]


@pytest.mark.parametrize("moment", ["0001-01-01", "0001-01-01T00:00:00+14:00", "1969-12-31", "9999-12-31"])
async def test_a_moment_out_of_reach_is_told_what_is_in_reach(
    api: httpx.AsyncClient, modelled: Any, moment: str
) -> None:
    problem = await _refusal(api, modelled, "event-names", GOOD | {"from": moment})
    assert problem["errors"][0]["message"] == "must lie between 1970 and 2100"


async def test_a_local_time_without_an_offset_is_told_what_it_lacks(api: httpx.AsyncClient, modelled: Any) -> None:
    problem = await _refusal(api, modelled, "event-names", GOOD | {"from": "2025-03-03T10:00:00"})
    assert "offset" in problem["detail"]


@pytest.mark.parametrize("project_id", ["0", "-1", "4294967296", "one", "1%20or%201"])
async def test_what_is_no_project_id_is_refused(api: httpx.AsyncClient, modelled: Any, project_id: str) -> None:
    url = f"/v1/projects/{project_id}/event-names"
    answer = await api.get(url, params=GOOD, headers=modelled.berlin.headers)
    assert (answer.status_code, answer.json()["errors"][0]["location"]) == (422, ["path", "project_id"])


async def test_a_date_and_the_instant_of_its_midnight_ask_the_same(api: httpx.AsyncClient, modelled: Any) -> None:
    url = f"/v1/projects/{modelled.berlin.id}/event-names"
    dates = (await api.get(url, params=GOOD, headers=modelled.berlin.headers)).json()
    instants = {"from": "2025-03-03T00:00:00+01:00", "to": "2025-04-06T22:00:00Z"}
    same = (await api.get(url, params=instants, headers=modelled.berlin.headers)).json()
    # The calendar's days are read off a rollup, which wants to know the zone.
    assert dates["meta"]["parameters"] == same["meta"]["parameters"] | {"timezone": "Europe/Berlin"}
    assert dates["data"] == same["data"]


@pytest.mark.parametrize("body", [b'{"sql": "select \xff"}', b"[" * 100_000])
async def test_a_body_that_is_no_json_is_refused_as_others_that_do_not_fit(
    api: httpx.AsyncClient, modelled: Any, body: bytes
) -> None:
    headers = modelled.berlin.headers | {"content-type": "application/json"}
    answer = await api.post(f"/v1/projects/{modelled.berlin.id}/sql", content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
