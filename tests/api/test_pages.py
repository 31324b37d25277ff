from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs

from api.app import create_app
from api.settings import ApiSettings


@pytest.fixture
async def pages(tmp_path: Path) -> AsyncGenerator[httpx.AsyncClient]:
    """Serve a small built page; no engine is there, and none is needed."""
    (tmp_path / "dist" / "assets").mkdir(parents=True)
    (tmp_path / "dist" / "index.html").write_text("<title>the page</title>")
    (tmp_path / "dist" / "assets" / "index-3f2a.js").write_text("'use strict'")
    (tmp_path / "secret.txt").write_text("not for the web")
    async for client in _serve(tmp_path / "dist"):
        yield client


@pytest.fixture
async def without_pages(tmp_path: Path) -> AsyncGenerator[httpx.AsyncClient]:
    async for client in _serve(tmp_path / "dist"):
        yield client


def _settings(pages_dir: Path) -> ApiSettings:
    values = {
        "clickhouse_url": "http://127.0.0.1:9/",
        "database_url": "postgresql://127.0.0.1:9/nowhere",
        "redis_url": "redis://127.0.0.1:9/0",
        "pages_dir": pages_dir,
    }
    return ApiSettings.model_validate(values)


async def _serve(pages_dir: Path) -> AsyncGenerator[httpx.AsyncClient]:
    app = create_app(_settings(pages_dir))
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://api") as client,
    ):
        yield client


async def test_the_page_is_revalidated_and_its_named_files_are_kept_for_ever(pages: httpx.AsyncClient) -> None:
    page = await pages.get("/")
    assert "the page" in page.text
    assert page.headers["cache-control"] == "no-cache"
    script = await pages.get("/assets/index-3f2a.js")
    assert script.headers["cache-control"] == "public, max-age=31536000, immutable"


async def test_an_unchanged_page_is_not_sent_again(pages: httpx.AsyncClient) -> None:
    etag = (await pages.get("/")).headers["etag"]
    assert (await pages.get("/", headers={"if-none-match": etag})).status_code == 304


async def test_the_address_of_a_view_gets_the_page(pages: httpx.AsyncClient) -> None:
    answer = await pages.get("/projects/1/funnels")
    assert (answer.status_code, "the page" in answer.text) == (200, True)


async def test_a_missing_file_is_not_answered_with_the_page(pages: httpx.AsyncClient) -> None:
    answer = await pages.get("/assets/index-old.js")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/v1/nothing", "/v1/projects/1/insights/nothing", "/docs/nothing"])
async def test_an_unknown_operation_is_a_problem_not_the_page(pages: httpx.AsyncClient, path: str) -> None:
    answer = await pages.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.parametrize(
    "path", ["/../secret.txt", "/%2e%2e/secret.txt", "/assets/..%2f..%2fsecret.txt", "//etc/passwd"]
)
async def test_no_file_outside_of_the_page_is_served(pages: httpx.AsyncClient, path: str) -> None:
    answer = await pages.get(path)
    assert "not for the web" not in answer.text
    assert "root:" not in answer.text


async def test_a_page_that_was_not_built_says_what_to_do(without_pages: httpx.AsyncClient) -> None:
    answer = await without_pages.get("/")
    assert (answer.status_code, answer.json()["code"]) == (404, "page_not_built")
    assert "make" in answer.json()["detail"]


async def test_the_documentation_names_no_other_host(pages: httpx.AsyncClient) -> None:
    page = await pages.get("/docs")
    assert page.status_code == 200
    assert "//" not in page.text
    for path in ("/docs/swagger-ui/swagger-ui-bundle.js", "/docs/swagger-ui/swagger-ui.css", "/docs/start.js"):
        assert path in page.text
        assert (await pages.get(path)).status_code == 200


async def test_scripts_may_come_from_nowhere_else(pages: httpx.AsyncClient) -> None:
    policy = (await pages.get("/")).headers["content-security-policy"].split("; ")
    assert "script-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy


@pytest.mark.parametrize("path", ["/", "/docs", "/healthz", "/openapi.json", "/v1/projects", "/nothing.js"])
async def test_every_answer_carries_the_security_headers(pages: httpx.AsyncClient, path: str) -> None:
    headers = (await pages.get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "content-security-policy" in headers


async def test_an_unexpected_error_is_logged_and_answered_without_its_details(tmp_path: Path) -> None:
    app = create_app(_settings(tmp_path))
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        with capture_logs() as logs:
            # The lifespan did not run, so a request that needs a connection meets a missing attribute.
            answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "attribute" not in answer.text
    assert "content-security-policy" in answer.headers
    assert [(line["event"], line["path"]) for line in logs] == [("request_failed", "/readyz")]
