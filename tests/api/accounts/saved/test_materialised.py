"""Answers of saved insights that Dagster makes beforehand, asked of the running API."""

import asyncio
import warnings
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
import uvicorn

from api.saved_insights import materialised
from core.clock import utc_now
from engine.accounts import Installation, Person
from runtime.instance import Instance
from tests.api.accounts.saved.conftest import TREND

# What Dagster says about itself is not ours to mend.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import dagster as dg

    from orchestration.defs.insights import answers
    from orchestration.defs.insights.assets import insight_results
    from orchestration.resources import MetadataResource, WarehouseResource
    from orchestration.settings import OrchestrationSettings

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
Save = Callable[..., Awaitable[dict[str, Any]]]
Put = Callable[..., Awaitable[httpx.Response]]
_MADE = "insights.results"


@pytest.fixture
async def materialise(installation: Installation, runtime: Instance) -> AsyncGenerator[Any]:
    """Return a way to run the asset, with the API on a port of its own."""
    server = uvicorn.Server(uvicorn.Config(installation.app, port=0, lifespan="off", log_level="error"))
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has nothing else to wait for
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    settings = OrchestrationSettings(api_url=f"http://127.0.0.1:{port}")

    async def made() -> Any:
        resources = {
            "settings": settings,
            "warehouse": WarehouseResource(url=runtime.clickhouse_url),
            "metadata": MetadataResource(url=runtime.database_url),
        }
        result = await asyncio.to_thread(dg.materialize, [insight_results], resources=resources)
        assert result.success
        return result

    yield made
    server.should_exit = True
    await serving


Materialise = Callable[[], Awaitable[Any]]


async def _result(shop: Person, project: str, insight: dict[str, Any]) -> dict[str, Any]:
    response = await shop.client.get(f"{project}/saved-insights/{insight['id']}/result")
    assert response.status_code == 200, response.text
    return response.json()


async def _state(shop: Person, project: str, insight: dict[str, Any]) -> dict[str, Any]:
    return (await shop.client.get(f"{project}/saved-insights/{insight['id']}/materialisation")).json()


async def test_what_was_made_is_given_until_something_else_is_asked(
    shop: Person, project: str, save: Save, put: Put, materialise: Materialise
) -> None:
    cohort = await save("cohorts", name="cohort_made", query={"kind": "cohort", "who": [{"did": "purchase"}]})
    named = [{"cohort": "cohort_made"}]
    asked = TREND | {"series": [{"name": "seen", "measure": "persons", "where": named}]}
    insight = await save(query=asked, materialised=True)
    computed = await _result(shop, project, insight)
    assert _MADE not in computed["meta"]["sources"]
    assert (await _state(shop, project, insight))["made_at"] is None
    await materialise()
    given = await _result(shop, project, insight)
    assert given["data"] == computed["data"]
    assert given["meta"]["sources"] == [_MADE, *computed["meta"]["sources"]]
    assert (given["meta"]["cached"], given["meta"]["sql"]) == (True, computed["meta"]["sql"])
    state = await _state(shop, project, insight)
    assert (state["version"], state["error"], state["is_given"]) == (1, None, True)
    path = f"{project}/saved-insights/{insight['id']}/result"
    etag = (await shop.client.get(path)).headers["etag"]
    assert (await shop.client.get(path, headers={"if-none-match": etag})).status_code == 304
    assert (await shop.client.get(path, params={"format": "csv"})).text.count("\r\n") > 1
    wider = {"kind": "cohort", "who": [{"did": "catalog"}]}
    assert (await put(f"cohorts/{cohort['id']}", 1, name="cohort_made", query=wider)).status_code == 200
    assert _MADE not in (await _result(shop, project, insight))["meta"]["sources"], "the cohort is another one"
    await materialise()
    assert _MADE in (await _result(shop, project, insight))["meta"]["sources"]
    body = {"name": "Sum", "query": asked | {"total": True}, "materialised": True}
    assert (await put(f"saved-insights/{insight['id']}", 1, **body)).status_code == 200
    changed = await _result(shop, project, insight)
    assert _MADE not in changed["meta"]["sources"]
    assert len(changed["data"]["lines"][0]["points"]) == 1
    assert not (await _state(shop, project, insight))["is_given"]


async def test_one_that_cannot_be_answered_stops_no_other_and_is_visible(
    shop: Person, project: str, save: Save, materialise: Materialise
) -> None:
    cohort = await save("cohorts", name="cohort_gone", query={"kind": "cohort", "who": [{"did": "purchase"}]})
    series = [{"name": "seen", "where": [{"cohort": "cohort_gone"}]}]
    broken = await save(query=TREND | {"series": series}, materialised=True)
    other = await save(materialised=True)
    await shop.client.delete(f"{project}/saved/{cohort['id']}")
    result = await materialise()
    (check,) = result.get_asset_check_evaluations()
    assert not check.passed
    (event,) = result.get_asset_materialization_events()
    metadata = event.step_materialization_data.materialization.metadata
    failed = {each.data["insight_id"]: each.data["error"] for each in metadata["failures"].records}
    assert "/series/0/where/0/cohort: no cohort cohort_gone" in failed[broken["id"]]
    assert other["id"] not in failed
    state = await _state(shop, project, other)
    assert state["is_given"]
    state = await _state(shop, project, broken)
    assert (state["version"], state["is_given"]) == (None, False)
    assert state["error"] == failed[broken["id"]]
    keys = (await shop.client.get(f"{project}/api-keys")).text
    assert "materialisation" not in keys, "the key that it asks with is gone"


async def test_what_is_too_old_is_computed(
    shop: Person, project: str, save: Save, materialise: Materialise, monkeypatch: pytest.MonkeyPatch
) -> None:
    insight = await save(materialised=True)
    await materialise()
    assert _MADE in (await _result(shop, project, insight))["meta"]["sources"]
    monkeypatch.setattr(materialised, "utc_now", lambda: utc_now() + timedelta(hours=4))
    assert _MADE not in (await _result(shop, project, insight))["meta"]["sources"]


async def test_a_range_up_to_the_present_is_computed_once_the_present_is_another(
    shop: Person, project: str, save: Save, materialise: Materialise, monkeypatch: pytest.MonkeyPatch
) -> None:
    series = [{"name": "seen"}]
    moving = await save(query={"kind": "trend", "last": 24, "interval": "hour", "series": series}, materialised=True)
    fixed = await save(materialised=True)
    await materialise()
    monkeypatch.setattr(materialised, "utc_now", lambda: utc_now() + timedelta(hours=1))
    assert _MADE not in (await _result(shop, project, moving))["meta"]["sources"]
    assert not (await _state(shop, project, moving))["is_given"]
    assert _MADE in (await _result(shop, project, fixed))["meta"]["sources"]


async def test_what_was_made_of_one_project_is_kept_when_the_run_ends_in_the_next(
    shop: Person, project: str, modelled: Any, runtime: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = f"/v1/projects/{modelled.kathmandu.id}"
    body = {"name": "Buyers", "query": TREND, "materialised": True}
    insights = {
        address: (await shop.client.post(f"{address}/saved-insights", json=body)).json() for address in (project, other)
    }
    asked: list[int] = []

    def dies_in_the_second(_: str, __: str, project_id: int, insight_id: int) -> answers.Result:
        asked.append(project_id)
        if project_id != asked[0]:
            raise KeyboardInterrupt
        return answers.Result(project_id, insight_id, utc_now(), error="not asked")

    monkeypatch.setattr(answers, "_result", dies_in_the_second)
    warehouse, metadata = WarehouseResource(url=runtime.clickhouse_url), MetadataResource(url=runtime.database_url)
    with pytest.raises(KeyboardInterrupt), warehouse.connect() as client, metadata.session() as session:
        answers.make_results(client, session, "")
    kept = [(await _state(shop, address, each))["made_at"] is not None for address, each in insights.items()]
    assert sorted(kept) == [False, True]


async def test_a_project_has_a_bounded_time(
    shop: Person, project: str, save: Save, materialise: Materialise, monkeypatch: pytest.MonkeyPatch
) -> None:
    insight = await save(materialised=True)
    monkeypatch.setattr(answers, "_SECONDS_OF_PROJECT", 0)
    await materialise()
    assert "other insights took" in (await _state(shop, project, insight))["error"]


@pytest.mark.parametrize(
    "query", [{"kind": "persons"}, TREND | {"breakdown": [{"property": "plan"}]}, {"kind": "web", "last": 7}]
)
async def test_what_may_hold_values_of_who_is_erased_is_not_made_beforehand(
    shop: Person, project: str, query: Any
) -> None:
    body = {"name": "Persons", "query": query, "materialised": True}
    response = await shop.client.post(f"{project}/saved-insights", json=body)
    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, "/materialised")
