"""The documentation page in a real browser, served by the API without any engine."""

import json
import shutil
import subprocess
import threading
import time
from collections.abc import Generator
from pathlib import Path

import pytest
import uvicorn

from api import openapi
from api.app import create_app
from api.settings import ApiSettings

INSTALLED = Path(__file__).resolve().parents[2] / ".venv" / "bin" / "chromium-for-tests"

pytestmark = pytest.mark.slow


@pytest.fixture
def address(free_port: int, tmp_path: Path) -> Generator[str]:
    """Serve the API; its engines are nowhere."""
    nowhere = "http://127.0.0.1:9/"
    values = {"clickhouse_url": nowhere, "database_url": nowhere, "redis_url": nowhere, "pages_dir": tmp_path}
    app = create_app(ApiSettings.model_validate(values))
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=free_port, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{free_port}"
    server.should_exit = True
    thread.join()


def test_the_documentation_shows_every_operation_and_breaks_no_rule_of_the_page(address: str, tmp_path: Path) -> None:
    browser = str(INSTALLED) if INSTALLED.exists() else shutil.which("chromium")
    assert browser, "make test installs a browser"
    shown = subprocess.run(
        [
            browser,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--enable-logging=stderr",
            f"--user-data-dir={tmp_path / 'profile'}",
            # Time stands still while something loads, so ten seconds are enough on a busy machine too.
            "--virtual-time-budget=10000",
            "--dump-dom",
            f"{address}/docs",
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    for path in json.loads(openapi.SNAPSHOT.read_text(encoding="utf-8"))["paths"]:
        assert f'data-path="{path}"' in shown.stdout
    complaints = [line for line in shown.stderr.splitlines() if ":CONSOLE" in line]
    assert complaints == []
