"""Answers of saved insights that Dagster makes beforehand, asked of the running API."""

import asyncio
import warnings
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from sqlalchemy.orm import Session

from api.saved_insights import materialised
from core import metadata
from core.clock import utc_now
from core.insights.lists import LISTS
from core.metadata.projects import create_api_key
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
    told = event.step_materialization_data.materialization.metadata
    failed = {each.data["insight_id"]: each.data["error"] for each in told["failures"].records}
    assert "/series/0/where/0/cohort: no cohort cohort_gone" in failed[broken["id"]]
    assert other["id"] not in failed
    state = await _state(shop, project, other)
    assert state["is_given"]
    state = await _state(shop, project, broken)
    assert (state["version"], state["is_given"]) == (None, False)
    assert state["error"] == failed[broken["id"]]
    keys = (await shop.client.get(f"{project}/api-keys")).text
    assert "materialisation" not in keys, "the key that it asks with is gone"


async def test_a_run_that_fails_leaves_the_answer_of_before(
    shop: Person, project: str, save: Save, materialise: Materialise, monkeypatch: pytest.MonkeyPatch
) -> None:
    insight = await save(materialised=True)
    await materialise()
    answered_at = (await _state(shop, project, insight))["answered_at"]
    monkeypatch.setattr(answers, "_MOST_BYTES", 10)
    await materialise()
    assert _MADE in (await _result(shop, project, insight))["meta"]["sources"]
    state = await _state(shop, project, insight)
    assert (state["version"], state["answered_at"], state["is_given"]) == (1, answered_at, True)
    assert state["made_at"] > answered_at
    assert "too many to keep" in state["error"]
    monkeypatch.undo()
    await materialise()
    state = await _state(shop, project, insight)
    assert (state["error"], state["answered_at"]) == (None, state["made_at"])


@pytest.fixture
def files(runtime: Instance, modelled: Any, tmp_path: Path) -> Iterator[Path]:
    """Return a folder with a cohort that is made of another one and of a list, of which there is a table."""
    insights, lists = tmp_path / "insights", tmp_path / LISTS
    insights.mkdir()
    lists.mkdir(parents=True)
    kind = "kind: cohort\ndescription: d\n"
    (insights / "cohort_outer.yml").write_text(f"{kind}who: [{{cohort: cohort_inner}}]\n")
    (insights / "cohort_inner.yml").write_text(f"{kind}who: [{{listed: pilots}}]\n")
    (lists / "pilots.csv").write_text(f"project_id,user_id\n{modelled.berlin.id},person-1\n")
    table = f"{modelled.database}.cohort_outer"
    with WarehouseResource(url=runtime.clickhouse_admin_url).connect() as client:
        client.command(
            f"create table {table} engine = MergeTree order by (project_id, person_number) as "
            f"select project_id, person_number, now64(3) as computed_at from {modelled.database}.dim_persons"
        )
        yield tmp_path
        client.command(f"drop table {table}")


async def test_what_files_say_of_a_cohort_is_part_of_what_is_asked(
    shop: Person, project: str, serve: Any, account_settings: Any, files: Path
) -> None:
    key = {"name": "k", "scopes": ["data:query", "insights:write"]}
    made = (await shop.client.post(f"{project}/api-keys", json=key)).json()["key"]
    settings = account_settings.model_copy(update={"insights_dir": files / "insights"})
    async with serve(settings) as (client, _):
        body = {"name": "Seen", "query": TREND | {"series": [{"name": "seen", "where": [{"cohort": "cohort_outer"}]}]}}
        path = f"{project}/saved-insights"
        headers = {"authorization": f"Bearer {made}"}
        insight = (await client.post(path, json=body, headers=headers)).json()

        async def asked() -> str:
            answer = await client.get(f"{path}/{insight['id']}/materialisation/next", headers=headers)
            assert answer.status_code == 200, answer.text
            return answer.json()["question"]

        digests = [await asked(), await asked()]
        inner = files / "insights" / "cohort_inner.yml"
        inner.write_text(inner.read_text().replace("pilots}", "pilots}, {did: purchase}"))
        digests.append(await asked())
        with (files / LISTS / "pilots.csv").open("a") as users:
            users.write(f"{project.rpartition('/')[2]},person-2\n")
        digests.append(await asked())
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


async def test_the_keys_of_a_run_stand_in_the_audit_log_and_end_with_the_next_one(
    shop: Person, project: str, save: Save, materialise: Materialise, runtime: Instance
) -> None:
    await save(materialised=True)
    engine = metadata.connect(runtime.database_url)
    with Session(engine) as session:
        left = create_api_key(
            session, int(project.rpartition("/")[2]), "materialisation", expires_at=utc_now(), lent_to="materialise"
        )
        session.commit()
    engine.dispose()
    await materialise()
    assert "materialisation" not in (await shop.client.get(f"{project}/api-keys")).text
    said: dict[str, list[tuple[str, str]]] = {}
    for action in ("api_key.created", "api_key.revoked"):
        log = await shop.client.get(f"{shop.path}/audit-log", params={"action": action, "actor": "materialise"})
        said[action] = [(each["actor_kind"], each["details"]["prefix"]) for each in log.json()["entries"]]
    (made,) = said["api_key.created"][:1]
    assert made[0] == "operator"
    assert {made, ("operator", left[:9])} <= set(said["api_key.revoked"])


@pytest.fixture
def run(runtime: Instance, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[int]]:
    """Return a way to do what the asset does but ask the API; it returns the projects of which it would have asked."""
    asked: list[int] = []

    def answered(_: str, __: str, project_id: int, insight_id: int) -> answers.Result:
        asked.append(project_id)
        return answers.Result(project_id, insight_id, utc_now(), 1, "", "{}")

    def runs() -> list[int]:
        asked.clear()
        warehouse, projects = WarehouseResource(url=runtime.clickhouse_url), MetadataResource(url=runtime.database_url)
        with warehouse.connect() as client, projects.session() as session:
            answers.make_results(client, session, "")
        return asked

    monkeypatch.setattr(answers, "_result", answered)
    return runs


async def test_a_project_that_was_removed_meanwhile_is_passed_over(
    shop: Person, project: str, runtime: Instance, run: Callable[[], list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = (await shop.client.post(f"{shop.path}/projects", json={"name": "Gone"})).json()["id"]
    body = {"name": "Buyers", "query": TREND, "materialised": True}
    for address in (project, f"/v1/projects/{gone}"):
        assert (await shop.client.post(f"{address}/saved-insights", json=body)).status_code == 201

    def removed(*_: object) -> dict[int, Any]:
        engine = metadata.connect(runtime.database_url)
        with engine.begin() as connection:
            connection.exec_driver_sql("delete from projects where id = %s", (gone,))
        engine.dispose()
        return {}

    # What comes between the look at what is to be made and the first project's turn.
    monkeypatch.setattr(answers, "_forget", removed)
    asked = run()
    assert int(project.rpartition("/")[2]) in asked
    assert gone not in asked


async def test_what_was_made_of_an_insight_goes_with_it(
    shop: Person, project: str, save: Save, runtime: Instance, run: Callable[[], list[int]]
) -> None:
    deleted, kept, computed = [await save(materialised=True) for _ in range(3)]
    run()
    await shop.client.delete(f"{project}/saved/{deleted['id']}")
    path = f"{project}/saved-insights/{computed['id']}"
    await shop.client.put(path, json={"name": "Buyers", "query": TREND}, headers={"if-match": '"1"'})
    run()
    rows = "select distinct insight_id from insights.results where insight_id in {ids:Array(UInt32)}"
    with WarehouseResource(url=runtime.clickhouse_url).connect() as client:
        found = client.query(rows, {"ids": [deleted["id"], kept["id"], computed["id"]]}).result_rows
    assert found == [(kept["id"],)]


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
    warehouse, projects = WarehouseResource(url=runtime.clickhouse_url), MetadataResource(url=runtime.database_url)
    with pytest.raises(KeyboardInterrupt), warehouse.connect() as client, projects.session() as session:
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
