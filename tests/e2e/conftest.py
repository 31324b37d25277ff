"""A browser on the page of the running system, for every test in this folder."""

from collections.abc import Generator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from demo_pipeline import pipeline

__all__ = ["browser", "pipeline"]

_ROOT = Path(__file__).resolve().parents[2]


# Playwright's loop counts as running until it stops: kept longer than a file, it fails every asyncio test after it.
@pytest.fixture(scope="module")
def browser() -> Generator[Browser]:
    """Start the Chromium that `make browser` found or installed."""
    chromium = _ROOT / ".venv/bin/chromium-for-tests"
    assert chromium.exists(), "run `make browser` first"
    with sync_playwright() as playwright:
        # Chromium's sandbox needs rights that root and many containers lack; only our own page is opened.
        running = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield running
        running.close()
