from collections.abc import AsyncGenerator

import httpx
import pytest

from ingestion.app import create_app
from ingestion.settings import CollectorSettings


@pytest.fixture
async def web() -> AsyncGenerator[httpx.AsyncClient]:
    """Return a client of a collector that is not connected to anything: no answer needs that."""
    nowhere = {"clickhouse_url": "", "redis_url": "", "database_url": ""}
    transport = httpx.ASGITransport(create_app(CollectorSettings.model_validate(nowhere)))
    async with httpx.AsyncClient(transport=transport, base_url="https://t.shop.example:8443") as client:
        yield client


@pytest.mark.parametrize("prefix", ["", "/segment", "/rudderstack"])
async def test_segments_library_is_sent_back_to_where_it_asked(web: httpx.AsyncClient, prefix: str) -> None:
    answer = await web.get(f"{prefix}/v1/projects/wk_1/settings")
    assert answer.json() == {
        "integrations": {
            "Segment.io": {
                "apiKey": "wk_1",
                "apiHost": f"t.shop.example:8443{prefix}/v1",
                "protocol": "https",
            }
        }
    }
    assert answer.headers["cache-control"].startswith("private")


@pytest.mark.parametrize("path", ["/sourceConfig", "/sourceConfig/", "/rudderstack/sourceConfig/"])
async def test_rudderstacks_library_hears_of_a_source_that_is_on(web: httpx.AsyncClient, path: str) -> None:
    source = (await web.get(path, params={"writeKey": "wk_1", "p": "npm"})).json()["source"]
    assert (source["writeKey"], source["enabled"], source["destinations"]) == ("wk_1", True, [])
    assert not any(part["enabled"] for part in source["config"]["statsCollection"].values())


async def test_the_answers_are_no_part_of_the_published_contract(web: httpx.AsyncClient) -> None:
    paths = (await web.get("/openapi.json")).json()["paths"]
    assert not [path for path in paths if "settings" in path or "sourceConfig" in path]
