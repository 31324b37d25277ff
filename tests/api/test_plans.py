"""The plan of a statement is told on demand, of whichever question."""

import re
from typing import Any

import httpx
import pytest

SPAN: dict[str, Any] = {"from": "2025-03-03", "to": "2025-04-07", "explain": "1"}
NAMED = [
    ("event-names", {}),
    ("insights/timeseries", {"event": "cart"}),
    ("insights/funnel", {"step": ["catalog", "cart"]}),
    ("insights/retention", {}),
    ("insights/activity", {}),
    ("insights/breakdown", {"column": "country"}),
]


@pytest.mark.parametrize(("path", "asked"), NAMED)
async def test_a_question_by_name_tells_it(
    api: httpx.AsyncClient, modelled: Any, path: str, asked: dict[str, Any]
) -> None:
    url = f"/v1/projects/{modelled.berlin.id}/{path}"
    explained = await api.get(url, params=SPAN | asked, headers=modelled.berlin.headers)
    assert explained.status_code == 200, explained.text
    _check(explained.json()["meta"]["plan"])
    plain = (await api.get(url, params=SPAN | asked | {"explain": "0"}, headers=modelled.berlin.headers)).json()
    assert plain["meta"]["plan"] is None
    assert plain["data"] == explained.json()["data"]


async def test_a_defined_insight_tells_it(api: httpx.AsyncClient, modelled: Any) -> None:
    url = f"/v1/projects/{modelled.berlin.id}/insights/defined/funnel_checkout"
    answer = await api.get(url, params={"explain": "1"}, headers=modelled.berlin.headers)
    assert answer.status_code == 200, answer.text
    _check(answer.json()["meta"]["plan"])


async def test_sql_tells_it_with_its_values_bound(api: httpx.AsyncClient, modelled: Any) -> None:
    url = f"/v1/projects/{modelled.berlin.id}/sql"
    sql = "select country, count() as events from fct_events where event in {names:Array(String)} group by country"
    body = {"sql": sql, "parameters": {"names": ["cart", "it's"]}}
    answer = await api.post(url, json=body, params={"explain": "1"}, headers=modelled.berlin.headers)
    assert answer.status_code == 200, answer.text
    _check(answer.json()["meta"]["plan"])
    assert (await api.post(url, json=body, headers=modelled.berlin.headers)).json()["meta"]["plan"] is None


async def test_the_plan_of_a_join_tells_nothing_of_how_much_there_is(api: httpx.AsyncClient, modelled: Any) -> None:
    # The estimates of a join are of a table's granules, in which other projects have rows too.
    url = f"/v1/projects/{modelled.berlin.id}/sql"
    sql = "select a.event, count() as pairs from fct_events a join fct_events b using person_number group by a.event"
    for name in ("b", "`Output: b`"):
        body = {"sql": sql.replace("fct_events b", f"fct_events {name}")}
        answer = await api.post(url, json=body, params={"explain": "1"}, headers=modelled.berlin.headers)
        assert answer.status_code == 200, answer.text
        plan = answer.json()["meta"]["plan"]
        _check(plan)
        assert any("Join conditions" in line for line in plan)


def _check(plan: list[str]) -> None:
    assert any("ReadFrom" in line for line in plan)
    # How much there is of other projects is nobody's business.
    told = "\n".join(plan)
    assert not re.findall(r"\d/\d|(?:Parts|Granules|Ranges): *\d|estimated|no_stats|\w\[\d+\]|⋈", told)
