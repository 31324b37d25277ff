"""The page in a real browser, on the API of the running system with the demo's data in it."""

import re
from collections.abc import Generator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from chromium import barriers
from demo_pipeline import Pipeline
from runtime.project_keys import ProjectKeys, create_project

# The first test that asks for the running system waits for it to start and to model the data.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

A_NUMBER = re.compile(r"^[\d,]+$")
STEPS = ["catalog", "product_view", "add_to_cart", "cart", "purchase"]


@pytest.fixture
def page(browser: Browser) -> Generator[Page]:
    """Open an empty tab of a browser that knows nothing; what it complains about fails the test."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-US", timezone_id="Asia/Kathmandu")
    tab = context.new_page()
    complaints: list[str] = []
    tab.on("console", lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None)
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    yield tab
    context.close()
    assert complaints == []


@pytest.fixture(scope="module")
def quiet_shop(pipeline: Pipeline) -> ProjectKeys:
    """Make a second project, to which nobody has sent anything."""
    return create_project(pipeline.instance.database_url, "Quiet shop", key_name="page test")


def _open(page: Page, pipeline: Pipeline, view: str = "") -> None:
    page.goto(f"{pipeline.api_url}/{view}#key={pipeline.api_key}")
    _await_funnel(page)


def _await_funnel(page: Page) -> None:
    expect(_steps(page).last.locator("[data-figure=persons]")).to_have_text(A_NUMBER, timeout=30_000)


def _steps(page: Page) -> Locator:
    return page.get_by_role("list", name="Funnel steps").get_by_role("listitem")


def _figure(step: Locator, name: str) -> str:
    return step.locator(f"[data-figure={name}]").inner_text()


def _asks_for_window(address: str, window: str) -> bool:
    return parse_qs(urlsplit(address).query).get("window") == [window]


def _persons_by_step(page: Page) -> list[tuple[str | None, str]]:
    _await_funnel(page)
    return [(step.get_attribute("data-event"), _figure(step, "persons")) for step in _steps(page).all()]


def _percents(page: Page, name: str) -> list[float]:
    return [float(_figure(step, name).removesuffix("%")) for step in _steps(page).all()]


def _ask(pipeline: Pipeline, path: str, **parameters: Any) -> Any:
    answer = httpx.get(
        f"{pipeline.api_url}/v1/projects/{pipeline.project_id}/{path}",
        params=parameters,
        headers={"authorization": f"Bearer {pipeline.api_key}"},
        timeout=30,
        trust_env=False,
    )
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def test_the_funnel_on_the_page_is_the_funnel_of_the_api(page: Page, pipeline: Pipeline) -> None:
    with page.expect_request(lambda request: "/insights/funnel" in request.url) as asked:
        _open(page, pipeline, "?range=365d")
    question = parse_qs(urlsplit(asked.value.url).query)
    assert question["step"] == STEPS
    assert question["window"] == ["14d"]

    answer = _ask(pipeline, "insights/funnel", **question)
    assert _persons_by_step(page) == [(step["event"], f"{step['persons']:,}") for step in answer["steps"]]
    assert answer["steps"][0]["persons"] > answer["steps"][-1]["persons"] > 0

    rates = [step["conversion_from_first"] * 100 for step in answer["steps"]]
    assert _percents(page, "from-first") == pytest.approx(rates, abs=0.05001)


def test_headline_and_event_list_show_the_figures_of_the_api(page: Page, pipeline: Pipeline) -> None:
    with page.expect_request(lambda request: "/event-names" in request.url) as asked:
        _open(page, pipeline, "?range=365d")
    names = _ask(pipeline, "event-names", **parse_qs(urlsplit(asked.value.url).query))

    rows = page.get_by_role("region", name="Events", exact=True).get_by_role("row").all()[1:]
    shown = [row.inner_text().split() for row in rows]
    assert shown == [[row["event"], f"{row['events']:,}", f"{row['persons']:,}"] for row in names]

    headline = page.get_by_label("Headline figures").locator("dd").first
    expect(headline).to_contain_text(f"{sum(row['events'] for row in names):,}")


def test_no_request_leaves_for_another_host(page: Page, pipeline: Pipeline) -> None:
    hosts: set[str] = set()
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    _open(page, pipeline)
    page.wait_for_load_state("networkidle")
    assert hosts == {urlsplit(pipeline.api_url).netloc}


def test_the_key_leaves_the_address_and_survives_a_reload(page: Page, pipeline: Pipeline) -> None:
    _open(page, pipeline)
    assert pipeline.api_key not in page.url
    page.reload()
    expect(_steps(page)).to_have_count(len(STEPS))


def test_a_view_can_be_passed_on_by_its_address(page: Page, pipeline: Pipeline) -> None:
    _open(page, pipeline, "?range=365d")
    page.get_by_role("button", name="Move step 2 down").click()
    with page.expect_response(lambda answer: _asks_for_window(answer.url, "1h")):
        page.get_by_label("Conversion window").select_option("1h")
    page.wait_for_url(lambda address: _asks_for_window(address, "1h"))
    before = _persons_by_step(page)
    assert [event for event, _ in before] == ["catalog", "add_to_cart", "product_view", "cart", "purchase"]

    page.goto("about:blank")
    page.go_back()
    assert _persons_by_step(page) == before


def _open_both(page: Page, pipeline: Pipeline, quiet_shop: ProjectKeys) -> None:
    """Open the demo's project, then the other one, which then is the project of the key that came last."""
    _open(page, pipeline)
    page.goto(f"{pipeline.api_url}/#key={quiet_shop.api_key}")
    _await_quiet_shop(page)


def _await_quiet_shop(page: Page) -> None:
    expect(page.get_by_text("Quiet shop waits for its first event")).to_be_visible(timeout=30_000)


def _project_in_address(page: Page) -> list[str] | None:
    return parse_qs(urlsplit(page.url).query).get("project")


def _asks_about(address: str, project_id: int) -> bool:
    return f"/v1/projects/{project_id}/" in address


def test_the_selector_goes_to_another_project_and_back(page: Page, pipeline: Pipeline, quiet_shop: ProjectKeys) -> None:
    _open_both(page, pipeline, quiet_shop)
    # What was answered a moment ago is not asked again, unless the page is new.
    page.reload()
    _await_quiet_shop(page)
    selector = page.get_by_label("Project", exact=True)
    expect(selector).to_have_value(str(quiet_shop.id))

    with page.expect_request(lambda request: _asks_about(request.url, pipeline.project_id)):
        selector.select_option(str(pipeline.project_id))
    _await_funnel(page)
    expect(selector).to_have_value(str(pipeline.project_id))
    assert _project_in_address(page) == [str(pipeline.project_id)]

    selector.select_option(str(quiet_shop.id))
    _await_quiet_shop(page)
    assert _project_in_address(page) == [str(quiet_shop.id)]
    with page.expect_request(lambda request: _asks_about(request.url, quiet_shop.id)):
        page.reload()
    _await_quiet_shop(page)
    assert _project_in_address(page) == [str(quiet_shop.id)]


def test_a_link_to_a_project_keeps_showing_it(page: Page, pipeline: Pipeline, quiet_shop: ProjectKeys) -> None:
    _open_both(page, pipeline, quiet_shop)
    page.goto("about:blank")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{pipeline.api_url}/?project={pipeline.project_id}&range=365d")
    _await_funnel(page)
    page.get_by_label("Conversion window").select_option("1h")
    page.wait_for_url(lambda address: _asks_for_window(address, "1h"))
    assert _project_in_address(page) == [str(pipeline.project_id)]
    assert any(_asks_about(address, pipeline.project_id) for address in asked)
    assert not any(_asks_about(address, quiet_shop.id) for address in asked)


def test_the_event_list_stays_when_its_source_is_opened(page: Page, pipeline: Pipeline) -> None:
    _open(page, pipeline)
    events = page.get_by_role("region", name="Events", exact=True)
    trend = page.get_by_role("region", name="Trend", exact=True)
    before = trend.bounding_box()
    source = events.get_by_role("button", name="Where does this number come from?")
    source.click()
    expect(events.get_by_text("Statement", exact=True)).to_be_visible()
    listed, opener = events.get_by_role("table").first.locator("xpath=..").bounding_box(), source.bounding_box()
    assert listed is not None
    assert opener is not None
    assert listed["height"] > 250
    assert listed["y"] + listed["height"] <= opener["y"]
    assert trend.bounding_box() == before


def test_what_is_misspelt_in_an_address_falls_back_to_its_default(page: Page, pipeline: Pipeline) -> None:
    _open(page, pipeline, "?range=bogus&from=2026-13-01&to=x&window=3y&measure=foo&interval=x")
    expect(page.get_by_role("button", name="Last 30 days")).to_be_visible()


def test_every_figure_says_where_it_comes_from(page: Page, pipeline: Pipeline) -> None:
    _open(page, pipeline)
    for name in ("Headline figures", "Trend", "Events", "Funnel", "Retention"):
        part = page.get_by_role("region", name=name, exact=True)
        part.get_by_role("button", name="Where does this number come from?").click()
        expect(part.get_by_text("Statement", exact=True)).to_be_visible()
        expect(part.locator("pre")).to_contain_text("{project_id:UInt32}")
        expect(part.get_by_role("row").filter(has_text="project_id").last).to_contain_text(str(pipeline.project_id))


def test_a_refused_key_says_so(browser: Browser, pipeline: Pipeline) -> None:
    page = browser.new_page()
    page.goto(f"{pipeline.api_url}/#key=rk_{'0' * 40}")
    expect(page.get_by_text("was refused").first).to_be_visible()
    expect(page.get_by_label("API key")).to_be_visible()
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1440])
def test_the_page_has_no_known_barrier(page: Page, pipeline: Pipeline, scheme: Any, width: int) -> None:
    """Contrast, names, roles and order, by axe-core's rules; and nothing sticks out sideways."""
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    _open(page, pipeline)
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert barriers(page) == []
