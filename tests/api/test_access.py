"""Who may see what: nobody without a key, and no key another tenant's project."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from api import openapi
from core import metadata
from core.metadata import ApiKey, projects
from runtime.instance import Instance
from runtime.project_keys import ProjectKeys

DOCUMENT = json.loads(Path(openapi.SNAPSHOT).read_text(encoding="utf-8"))
# What a program reads; all other operations are tried in accounts/test_isolation.py.
PATHS = [path for path, of in DOCUMENT["paths"].items() if path.startswith("/v1/projects") and "get" in of]
PROJECT_PATHS = [path for path in PATHS if "{project_id}" in path and not path.endswith("-keys")]
PARAMETERS = {"from": "2025-03-03", "to": "2025-04-07"}


def _url(path: str, project_id: int) -> str:
    steps = "?step=catalog&step=cart" if path.endswith("funnel") else ""
    return path.replace("{project_id}", str(project_id)) + steps


async def _get(api: httpx.AsyncClient, path: str, project_id: int, key: str | None) -> httpx.Response:
    url = httpx.URL(_url(path, project_id)).copy_merge_params(PARAMETERS if "{project_id}" in path else {})
    return await api.get(url, headers={} if key is None else {"authorization": f"Bearer {key}"})


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/projects/1/query", "POST"),
        ("POST", "/v1/projects/1/event-names", "GET"),
        ("PUT", "/healthz", "GET"),
    ],
)
async def test_a_method_that_an_address_has_not_is_not_called_an_unknown_address(
    api: httpx.AsyncClient, method: str, path: str, allowed: str
) -> None:
    answer = await api.request(method, path)
    assert (answer.status_code, answer.json()["code"], answer.headers["allow"]) == (405, "http_error", allowed)


@pytest.mark.parametrize("path", PATHS)
async def test_nobody_sees_anything_without_a_key(api: httpx.AsyncClient, modelled: Any, path: str) -> None:
    answer = await _get(api, path, modelled.berlin.id, None)
    assert (answer.status_code, answer.json()["code"]) == (401, "api_key_missing")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("path", PATHS)
async def test_without_a_key_a_project_that_exists_looks_like_one_that_does_not(
    api: httpx.AsyncClient, modelled: Any, path: str
) -> None:
    real = (await _get(api, path, modelled.berlin.id, None)).json()
    unreal = (await _get(api, path, 4_000_000_000, None)).json()
    assert real | {"instance": ""} == unreal | {"instance": ""}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "header",
    [
        "Bearer rk_0000000000000000000000000000000000000000",
        "Bearer rk_short",
        "Bearer ",
        "Bearer",
        "Basic cmtfOg==",
        "rk_0000000000000000000000000000000000000000",
        "Bearer rk_' or '1'='1",
        "Bearer " + "x" * 5000,
    ],
)
async def test_a_key_that_is_not_one_opens_nothing(
    api: httpx.AsyncClient, modelled: Any, path: str, header: str
) -> None:
    url = httpx.URL(_url(path, modelled.berlin.id)).copy_merge_params(PARAMETERS)
    answer = await api.get(url, headers={"authorization": header})
    assert (answer.status_code, answer.json()["code"]) == (401, "api_key_invalid")


async def test_a_write_key_is_told_from_a_wrong_one(api: httpx.AsyncClient, project: ProjectKeys) -> None:
    answer = await api.get("/v1/projects", headers={"authorization": f"Bearer {project.write_key}"})
    assert "write key" in answer.json()["detail"]


async def test_a_write_key_reads_nothing(api: httpx.AsyncClient, project: ProjectKeys) -> None:
    answer = await api.get("/v1/projects", headers={"authorization": f"Bearer {project.write_key}"})
    assert (answer.status_code, answer.json()["code"]) == (401, "api_key_invalid")


async def test_a_key_is_not_taken_from_the_address(api: httpx.AsyncClient, modelled: Any) -> None:
    """Addresses end up in logs and histories."""
    answer = await api.get("/v1/projects", params={"key": modelled.berlin.api_key, "api_key": modelled.berlin.api_key})
    assert answer.status_code == 401


@pytest.mark.parametrize("path", PROJECT_PATHS)
async def test_another_tenants_project_is_as_unknown_as_one_that_does_not_exist(
    api: httpx.AsyncClient, modelled: Any, path: str
) -> None:
    own = modelled.berlin.api_key
    other = await _get(api, path, modelled.new_york.id, own)
    nowhere = await _get(api, path, 4_000_000_000, own)
    assert (other.status_code, other.json()["code"]) == (404, "project_not_found")
    erased = {"instance": "", "detail": ""}
    assert other.json() | erased == nowhere.json() | erased
    assert other.json()["detail"].replace(str(modelled.new_york.id), "N") == nowhere.json()["detail"].replace(
        "4000000000", "N"
    )


@pytest.mark.parametrize("path", PROJECT_PATHS)
async def test_another_tenants_project_stays_unknown_with_senseless_parameters(
    api: httpx.AsyncClient, modelled: Any, path: str
) -> None:
    url = path.replace("{project_id}", str(modelled.new_york.id))
    url = f"{url}?from=yesterday&steps=7"
    answer = await api.get(url, headers=modelled.berlin.headers)
    assert (answer.status_code, answer.json()["code"]) == (404, "project_not_found")


@pytest.mark.parametrize("path", PROJECT_PATHS)
async def test_nobody_learns_what_a_parameter_should_be_without_a_key(api: httpx.AsyncClient, path: str) -> None:
    url = path.replace("{project_id}", "one") + "?from=yesterday"
    answer = await api.get(url)
    assert (answer.status_code, answer.json()["code"]) == (401, "api_key_missing")


async def test_a_key_lists_its_own_project_only(api: httpx.AsyncClient, modelled: Any) -> None:
    for project, name in ((modelled.berlin, "Berlin"), (modelled.new_york, "New York")):
        answer = await api.get("/v1/projects", headers=project.headers)
        expected = {"id": project.id, "name": name, "timezone": project.timezone, "week_start": project.week_start}
        assert answer.json() == {"projects": [expected]}


async def test_the_same_question_of_two_tenants_has_two_answers(api: httpx.AsyncClient, modelled: Any) -> None:
    """Once computed and once from the cache."""
    for _ in range(2):
        for project in (modelled.berlin, modelled.new_york):
            reach = {"from": "2025-01-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"}
            path = f"/v1/projects/{project.id}/event-names"
            answer = (await api.get(path, params=reach, headers=project.headers)).json()
            assert sum(row["events"] for row in answer["data"]) == len(project.events)
            assert answer["meta"]["parameters"]["project_id"] == project.id


@pytest.mark.parametrize("injected", ["project_id", "param_project_id", "additional_table_filters", "database"])
async def test_a_parameter_of_the_callers_own_making_is_refused(
    api: httpx.AsyncClient, modelled: Any, injected: str
) -> None:
    path = f"/v1/projects/{modelled.berlin.id}/event-names"
    parameters = PARAMETERS | {injected: str(modelled.new_york.id)}
    answer = await api.get(path, params=parameters, headers=modelled.berlin.headers)
    assert (answer.status_code, answer.json()["errors"][0]["location"]) == (422, ["query", injected])


async def test_a_revoked_key_opens_nothing_any_more(
    api: httpx.AsyncClient, runtime: Instance, project: ProjectKeys
) -> None:
    headers = {"authorization": f"Bearer {project.api_key}"}
    assert (await api.get("/v1/projects", headers=headers)).status_code == 200
    engine = metadata.connect(runtime.database_url)
    with Session(engine) as session, session.begin():
        assert projects.revoke_api_key(session, project.api_key)
    engine.dispose()
    answer = await api.get("/v1/projects", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "api_key_invalid")


async def test_the_use_of_a_key_is_noted_and_the_key_itself_is_not_stored(
    api: httpx.AsyncClient, runtime: Instance, project: ProjectKeys
) -> None:
    await api.get("/v1/projects", headers={"authorization": f"Bearer {project.api_key}"})
    engine = metadata.connect(runtime.database_url)
    with Session(engine) as session:
        stored = session.scalars(select(ApiKey).where(ApiKey.project_id == project.id)).one()
        assert stored.last_used_at is not None
        assert project.api_key not in {stored.key_hash, stored.prefix, stored.name}
    engine.dispose()
