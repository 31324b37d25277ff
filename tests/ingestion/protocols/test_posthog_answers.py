import json
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest

from ingestion.app import create_app
from ingestion.settings import CollectorSettings


@pytest.fixture
async def web() -> AsyncGenerator[httpx.AsyncClient]:
    """Return a client of a collector that is not connected to anything: no answer needs that."""
    nowhere = {"clickhouse_url": "", "redis_url": "", "database_url": ""}
    transport = httpx.ASGITransport(create_app(CollectorSettings.model_validate(nowhere)))
    async with httpx.AsyncClient(transport=transport, base_url="http://collector") as client:
        yield client


@pytest.mark.parametrize("prefix", ["", "/posthog"])
@pytest.mark.parametrize("path", ["/flags", "/flags/", "/flags/?v=2", "/flags/?v=4&config=true", "/decide/?v=3"])
async def test_no_flag_is_on(web: httpx.AsyncClient, prefix: str, path: str) -> None:
    for answer in (await web.post(prefix + path, json={"distinct_id": "ada"}), await web.get(prefix + path)):
        assert answer.status_code == 200
        said = answer.json()
        assert (said["flags"], said["featureFlags"], said["featureFlagPayloads"]) == ({}, {}, {})
        assert said["errorsWhileComputingFlags"] is False


@pytest.mark.parametrize("path", ["/decide", "/decide/?v=1", "/decide/?v=x"])
async def test_the_first_version_of_decide_lists_flags(web: httpx.AsyncClient, path: str) -> None:
    assert (await web.post(path, content=b"data=e30%3D")).json()["featureFlags"] == []


async def test_the_configuration_comes_as_json_and_as_a_script(web: httpx.AsyncClient) -> None:
    config: dict[str, Any] = (await web.get("/array/wk_1/config")).json()
    assert (
        config["sessionRecording"],
        config["hasFeatureFlags"],
        config["errorTracking"]["autocaptureExceptions"],
    ) == (False, False, False)
    # Whatever is said of surveys has posthog-js ask for a script that is not here.
    assert "surveys" not in config
    assert "gzip-js" in config["supportedCompression"]
    script = await web.get("/posthog/array/wk_1/config.js")
    assert script.headers["content-type"].startswith("application/javascript")
    head, _, rest = script.text.partition('c["wk_1"]=')
    assert head == "(function(c){"
    assert json.loads(rest.partition("})(window")[0]) == {"config": config, "siteApps": []}


async def test_a_token_cannot_end_a_script(web: httpx.AsyncClient) -> None:
    script = (await web.get("/array/%22%3Cscript/config.js")).text
    assert r'c["\"\u003cscript"]=' in script


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/api/surveys/?token=wk", {"surveys": [], "survey_config": None}),
        ("/api/web_experiments/?token=wk", {"experiments": []}),
        ("/api/early_access_features/?token=wk", {"earlyAccessFeatures": []}),
        ("/flags/definitions?token=wk&send_cohorts", {"flags": [], "group_type_mapping": {}, "cohorts": {}}),
        ("/api/feature_flag/local_evaluation", {"flags": [], "group_type_mapping": {}, "cohorts": {}}),
    ],
)
async def test_there_is_nothing_to_show_or_to_evaluate(
    web: httpx.AsyncClient, path: str, expected: dict[str, Any]
) -> None:
    answer = await web.get(path)
    assert (answer.status_code, answer.json()) == (200, expected)


@pytest.mark.parametrize("path", ["/s", "/s/?compression=gzip-js", "/posthog/s/"])
async def test_recordings_are_swallowed(web: httpx.AsyncClient, path: str) -> None:
    answer = await web.post(path, content=b"\x1f\x8b" + b"x" * 3_000_000)
    assert (answer.status_code, answer.json()) == (200, {"status": "Ok"})


async def test_the_answers_are_no_part_of_the_published_contract(web: httpx.AsyncClient) -> None:
    paths = (await web.get("/openapi.json")).json()["paths"]
    assert not [path for path in paths if "flags" in path or "decide" in path]
