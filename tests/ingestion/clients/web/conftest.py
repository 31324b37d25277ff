"""A shop on an origin of its own, and a visitor of it in a real browser."""

from collections.abc import Generator

import pytest
from clickhouse_connect.driver.client import Client
from playwright.sync_api import Browser

from chromium import browser
from runtime.project_keys import ProjectKeys
from tests.ingestion.clients.web.shop import Shop
from tests.ingestion.clients.web.visitor import Visitor
from tests.ingestion.harness import Line

__all__ = ["browser"]


@pytest.fixture(scope="session")
def shop() -> Generator[Shop]:
    """Serve pages that tell nothing to anybody until they are given a library."""
    shop = Shop()
    yield shop
    shop.close()


@pytest.fixture
def visitor(browser: Browser, shop: Shop, line: Line, client: Client, project: ProjectKeys) -> Generator[Visitor]:
    """Open a tab of a browser that knows nothing; what it complains about fails the test."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    visitor = Visitor(context.new_page(), shop, line, client, project)
    yield visitor
    context.close()
    assert visitor.complaints == []
