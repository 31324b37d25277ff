"""Insights that are defined in files, over HTTP."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from api.insights.defined import DefinedInsights
from api.settings import ApiSettings
from core.insights.lists import LISTS

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
