"""Insights that are defined in files, over HTTP."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.insights.defined import DefinedInsights
from api.settings import ApiSettings
from core import warehouse
from core.insights.files import scan_definitions
from core.insights.lists import LISTS
from core.insights.mart_models import model_of
from runtime.instance import Instance

# As the project says it, so that the mart that its models made is the one that is defined here.
FUNNEL = (Path(__file__).parents[2] / "dbt_project" / "insights" / "funnel_checkout.yml").read_text()
DESCRIPTION = "From the catalogue to the purchase, over all entries of the project."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a directory with a definition whose mart is there, one of another project, and a broken one."""
    folder = tmp_path / "insights"
    folder.mkdir()
    (folder / "funnel_checkout.yml").write_text(FUNNEL)
    (folder / "funnel_other.yml").write_text(FUNNEL + "projects: [4000000000]\n")
    (folder / "funnel_broken.yml").write_text("kind: funnel\ndescription: d\nsteps: [a, {evnt: b}]\n")
    return folder


@pytest.fixture
async def client(serve: Any, settings: ApiSettings, folder: Path) -> Any:
    async with serve(settings.model_copy(update={"insights_dir": folder})) as (client, _):
        yield client


async def _get(client: httpx.AsyncClient, project: Any, path: str = "", **parameters: Any) -> Any:
    address = f"/v1/projects/{project.id}/insights/defined{path}"
    return await client.get(address, headers=project.headers, params=parameters)


async def test_the_definitions_of_a_project_are_listed(client: Any, modelled: Any) -> None:
    assert (await _get(client, modelled.berlin)).json() == {
        "data": [{"name": "funnel_checkout", "kind": "funnel", "description": DESCRIPTION}]
    }


async def test_a_mart_has_the_figures_of_its_macro_for_this_project_alone(client: Any, modelled: Any) -> None:
    for project in (modelled.berlin, modelled.kathmandu):
        answer = (await _get(client, project, "/funnel_checkout")).json()
        steps = ["catalog", "product_view", "add_to_cart", "cart", "purchase"]
        always = {"from": "1970-01-02", "to": "2099-01-01", "step": steps}
        asked = await client.get(f"/v1/projects/{project.id}/insights/funnel", headers=project.headers, params=always)
        wanted = [(step["step"], step["event"], step["persons"]) for step in asked.json()["data"]["steps"]]
        assert [(row["step"], row["step_name"], row["persons"]) for row in answer["data"]["rows"]] == wanted
        assert [column["name"] for column in answer["data"]["columns"]] == list(answer["data"]["rows"][0])
        assert answer["data"]["definition"]["steps"][0]["event"] == "catalog"
        assert (answer["data"]["definition"]["window"], answer["data"]["definition"]["order"]) == ("14d", "ordered")
        assert "projects" not in answer["data"]["definition"]
        assert not answer["data"]["is_truncated"]
        assert answer["meta"]["sources"] == ["apitest_marts.funnel_checkout"]
        assert answer["meta"]["parameters"] == {"limit": 10_001, "project_id": project.id}


async def test_no_more_rows_come_than_were_asked_for(client: Any, modelled: Any) -> None:
    answer = (await _get(client, modelled.berlin, "/funnel_checkout", limit=2)).json()
    assert [row["step"] for row in answer["data"]["rows"]] == [1, 2]
    assert answer["data"]["is_truncated"]
    assert (await _get(client, modelled.berlin, "/funnel_checkout", limit=0)).status_code == 422


@pytest.mark.parametrize("name", ["funnel_other", "funnel_broken", "funnel_missing", "fct_events", "..%2Ffct_events"])
async def test_only_what_is_defined_for_the_project_is_found(client: Any, modelled: Any, name: str) -> None:
    answer = await _get(client, modelled.berlin, f"/{name}")
    assert answer.status_code == 404
    assert answer.json()["code"] in {"insight_not_found", "http_error"}


async def test_a_mart_that_no_refresh_has_built_yet_says_so(client: Any, modelled: Any, folder: Path) -> None:
    (folder / "funnel_new.yml").write_text(FUNNEL)
    answer = await _get(client, modelled.berlin, "/funnel_new")
    assert (answer.status_code, answer.json()["code"]) == (503, "not_modelled_yet")


async def test_an_edited_definition_has_no_figures_until_a_refresh_has_counted_by_it(
    client: Any, modelled: Any, folder: Path
) -> None:
    assert (await _get(client, modelled.berlin, "/funnel_checkout")).status_code == 200
    (folder / "funnel_checkout.yml").write_text(FUNNEL.replace("14d", "7d"))
    answer = await _get(client, modelled.berlin, "/funnel_checkout")
    assert (answer.status_code, answer.json()["code"]) == (503, "not_modelled_yet")


async def test_the_lock_of_an_editor_is_no_definition(client: Any, modelled: Any, folder: Path) -> None:
    (folder / ".#funnel_checkout.yml").symlink_to("somebody@host.1234")
    assert [each["name"] for each in (await _get(client, modelled.berlin)).json()["data"]] == ["funnel_checkout"]


def test_a_definition_is_found_as_soon_as_the_list_that_it_names_is_there(tmp_path: Path) -> None:
    (tmp_path / "insights").mkdir()
    (tmp_path / "insights" / "cohort_x.yml").write_text("kind: cohort\ndescription: d\nwho: [{listed: customers}]\n")
    defined = DefinedInsights(tmp_path / "insights", "marts")
    assert defined.of_project(1) == []
    (tmp_path / LISTS).mkdir(parents=True)
    (tmp_path / LISTS / "customers.csv").write_text("project_id,user_id\n")
    assert [each.name for each in defined.of_project(1)] == ["cohort_x"]


async def test_nobody_reads_another_projects_mart(client: Any, modelled: Any) -> None:
    address = f"/v1/projects/{modelled.kathmandu.id}/insights/defined/funnel_checkout"
    answer = await client.get(address, headers=modelled.berlin.headers)
    assert (answer.status_code, answer.json()["code"]) == (404, "project_not_found")


REPORTS: dict[str, tuple[str, dict[str, Any]]] = {
    "lifecycle": ("", {"bucket_date": "2025-03-01", "dormant_persons": -2}),
    "stickiness": ("", {"buckets": 3, "persons": 2, "persons_at_least": 5}),
    "paths": ("", {"position": 1, "name": "a", "next_name": "b", "avg_ms": 0.5, "drop_offs": None}),
    "web": ("breakdown: [channel]", {"rank": 2, "is_other": True, "breakdown_1": "(other)", "bounce_rate": 0.5}),
    "revenue": ("orders: buy", {"currency": "EUR", "orders": 3, "revenue": "19.990000", "average_order_value": None}),
}


@pytest.fixture
def reports(runtime: Instance, modelled: Any, settings: ApiSettings, tmp_path: Path) -> Iterator[ApiSettings]:
    """Return settings with a definition of each kind of report, and a mart of one row for each."""
    database = f"reports_{os.urandom(6).hex()}"
    for kind, (text, _) in REPORTS.items():
        (tmp_path / f"{kind}_x.yml").write_text(f"kind: {kind}\ndescription: d\n{text}\n")
    with warehouse.connect(runtime.clickhouse_url) as client:
        client.command(f"create database {database}")
        client.command(f"create table {database}.fct_events as {modelled.database}.fct_events")
        for insight in scan_definitions(tmp_path)[0]:
            _, key, columns = model_of(insight.definition)
            described = ", ".join(f"{name} {kind}" for name, kind, _ in columns)
            client.command(
                f"create table {database}.{insight.name} ({described}) engine = MergeTree order by ({', '.join(key)})"
                f" comment '{insight.version}'"
            )
            row = {"project_id": modelled.berlin.id} | REPORTS[insight.definition.kind][1]
            client.raw_insert(f"{database}.{insight.name}", insert_block=json.dumps(row), fmt="JSONEachRow")
        yield settings.model_copy(update={"insights_dir": tmp_path, "marts_database": database})
        client.command(f"drop database {database}")


async def test_every_kind_of_report_is_served_with_its_columns(serve: Any, reports: Any, modelled: Any) -> None:
    async with serve(reports) as (client, _):
        for kind, (_, row) in REPORTS.items():
            answer = (await _get(client, modelled.berlin, f"/{kind}_x")).json()["data"]
            assert answer["kind"] == kind
            assert [column["name"] for column in answer["columns"]] == list(answer["rows"][0])
            assert answer["rows"][0].items() >= row.items()
            assert (await _get(client, modelled.kathmandu, f"/{kind}_x")).json()["data"]["rows"] == []
