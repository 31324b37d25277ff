"""People who sign in, and links that the product hands out, in a real browser."""

import re
from collections.abc import Generator
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import APIRequestContext, Browser, BrowserContext, Page, expect
from sqlalchemy.orm import Session

from chromium import barriers
from core.clock import utc_now
from core.metadata.organisations import invite, role_named
from demo_pipeline import Pipeline
from runtime.organisations import find_organisation
from runtime.transactions import in_transaction

# The first test that asks for the running system waits for it to start and to model the data.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PASSWORD = "correct horse battery staple 9"


@pytest.fixture
def context(browser: Browser) -> Generator[BrowserContext]:
    """Open a browser that knows nothing."""
    opened = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-US")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def ada(browser: Browser, pipeline: Pipeline) -> Generator[BrowserContext]:
    """Let somebody accept an invitation by its link, in a browser of her own."""
    opened = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-US")
    page = opened.new_page()
    page.goto(f"{pipeline.api_url}/#invitation={_invitation(pipeline, 'ada.page@example.com')}")
    page.get_by_label("Name").fill("Ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Join", exact=True).click()
    _await_figures(page)
    assert "invitation" not in page.url
    yield opened
    opened.close()


def _invitation(pipeline: Pipeline, email: str) -> str:
    def make(session: Session) -> str:
        where = find_organisation(session, None)
        return invite(
            session, where.id, email, role_named(session, where.id, "owner"), invited_by=None, is_mailed=False
        )[1]

    return in_transaction(pipeline.instance.database_url, make)


def _await_figures(page: Page) -> None:
    expect(page.get_by_label("Headline figures").locator("dd").first).to_contain_text(re.compile(r"\d"), timeout=30_000)


def test_whoever_accepted_an_invitation_signs_out_and_in_again(ada: BrowserContext, pipeline: Pipeline) -> None:
    page = ada.new_page()
    page.goto(pipeline.api_url)
    _await_figures(page)
    page.get_by_role("button", name="Signed in as Ada").click()
    page.get_by_role("button", name="Sign out").click()

    page.get_by_label("E-mail").fill("ada.page@example.com")
    assert barriers(page) == []
    page.get_by_label("Password").fill("something else")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert").filter(has_text="is wrong")).to_be_visible()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    _await_figures(page)
    page.close()


def test_a_shared_link_shows_its_figures_until_it_is_taken_back(
    ada: BrowserContext, context: BrowserContext, pipeline: Pipeline
) -> None:
    request, project = ada.request, f"{pipeline.api_url}/v1/projects/{pipeline.project_id}"
    query = {"kind": "funnel", "last": 365, "steps": ["catalog", "purchase"], "window": "7d"}
    insight = _post(request, f"{project}/saved-insights", {"name": "To purchase", "query": query})
    expires_at = (utc_now() + timedelta(hours=1)).isoformat()
    link = _post(
        request,
        f"{project}/saved/{insight['id']}/links",
        {"expires_at": expires_at, "password": "open sesame, open wide"},
    )

    page = context.new_page()
    page.goto(f"{pipeline.api_url}/#{link['url'].split('#')[1]}")
    page.get_by_label("Password").fill("open sesame, open wide")
    page.get_by_role("button", name="Open").click()
    rows = page.get_by_role("region", name="To purchase", exact=True).get_by_role("row")
    expect(rows.nth(2)).to_contain_text(re.compile(r"2\. purchase[\d,]+"))
    assert link["url"].split("=")[1] not in page.url
    assert barriers(page) == []

    assert request.delete(f"{project}/links/{link['id']}", headers=_proof(request, pipeline.api_url)).ok
    page.reload()
    expect(page.get_by_text("was taken back")).to_be_visible()


def _proof(request: APIRequestContext, api_url: str) -> dict[str, str]:
    return {"x-csrf-token": request.get(f"{api_url}/v1/me").json()["csrf_token"]}


def _post(request: APIRequestContext, address: str, body: dict[str, Any]) -> Any:
    answer = request.post(address, data=body, headers=_proof(request, address.split("/v1/", maxsplit=1)[0]))
    assert answer.ok, answer.text()
    return answer.json()
