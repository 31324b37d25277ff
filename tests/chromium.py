"""The browser in which tests open pages."""

from collections.abc import Generator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

_ROOT = Path(__file__).resolve().parents[1]
_CHROMIUM = _ROOT / ".venv/bin/chromium-for-tests"
_AXE = _ROOT / "dashboards/node_modules/axe-core/axe.min.js"
_ARGUMENTS = [
    # Chromium's sandbox needs rights that root and many containers lack; only our own pages are opened.
    "--no-sandbox",
    # Whatever a page asks of another machine fails, with a network as without one.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE *.localhost, EXCLUDE 127.0.0.1",
]


# Playwright's loop counts as running until it stops: kept longer than a file, it fails every asyncio test after it.
@pytest.fixture(scope="module")
def browser() -> Generator[Browser]:
    """Start the Chromium that `make browser` found or installed."""
    assert _CHROMIUM.exists(), "run `make browser` first"
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=_CHROMIUM, args=_ARGUMENTS)
        yield running
        running.close()


def barriers(page: Page) -> list[list[str]]:
    """Return what breaks a rule of axe-core on a page: the rule, and the first place."""
    page.evaluate(_AXE.read_text())
    return page.evaluate("async () => (await axe.run()).violations.map(({ id, nodes }) => [id, nodes[0].html])")
