"""The demo on a system that has run it before."""

import json
import subprocess
import sys
import time
from collections.abc import Callable

import psutil
import pytest

from core import warehouse
from core.warehouse import ProjectScope
from demo_pipeline import Pipeline, pipeline
from runtime.commands.demo import redirect
from runtime.demo import verification
from runtime.demo.verification import DemoCounts
from runtime.errors import OperationError

__all__ = ["pipeline"]

pytestmark = pytest.mark.slow


def _radixinsight(pipeline: Pipeline, *arguments: str) -> subprocess.CompletedProcess[str]:
    name, *rest = arguments
    command = [sys.executable, "-m", "runtime", name, "--data-dir", str(pipeline.instance.data_dir), *rest]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=250)


def test_a_second_run_sends_the_same_events_and_changes_no_figure(pipeline: Pipeline) -> None:
    again = _radixinsight(pipeline, "demo", "--no-trickle", "--no-open")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "31,106 events sent, 31,106 stored, 31,106 modelled" in again.stdout
    assert "5. purchase" in again.stdout
    assert f"#key={pipeline.api_key}" in again.stdout


def test_the_demos_keys_are_the_users_alone(pipeline: Pipeline) -> None:
    assert (pipeline.instance.data_dir / "demo.json").stat().st_mode & 0o077 == 0


def test_no_event_of_the_demo_was_rejected(pipeline: Pipeline) -> None:
    with warehouse.connect(pipeline.instance.clickhouse_url) as client:
        sql = "select count() from raw.rejects where project_id = {project_id:UInt32}"
        assert ProjectScope(pipeline.project_id).run(client, sql).result_rows == [(0,)]


def test_everything_together_is_at_rest_below_its_limit_of_memory(pipeline: Pipeline) -> None:
    report = json.loads(_radixinsight(pipeline, "status", "--json").stdout)
    assert report["total"]["memory_bytes"] < 2.5 * 1024**3


def test_a_killed_service_comes_back(pipeline: Pipeline) -> None:
    def wait_for(condition: Callable[[], bool], seconds: float) -> None:
        until = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until

    def shipper() -> dict[str, object]:
        report = json.loads(_radixinsight(pipeline, "status", "--json").stdout)
        return next(process for process in report["processes"] if process["name"] == "shipper")

    before = shipper()
    psutil.Process(int(str(before["pid"]))).kill()
    wait_for(lambda: (now := shipper())["state"] == "ready" and now["pid"] != before["pid"], 60)
    assert int(str(shipper()["restarts"])) == int(str(before["restarts"])) + 1


def test_waiting_for_events_that_never_come_ends_with_a_reason(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "_PATIENCE_S", 0.5)
    counts = DemoCounts(pipeline.instance.clickhouse_url, pipeline.project_id)
    with pytest.raises(OperationError, match="31,106 of 31,107 events have reached ClickHouse"):
        counts.wait_until_stored(31_107, progress=lambda _: None)


def test_the_browser_is_sent_on_to_an_address_that_no_markup_can_break_out_of() -> None:
    document = redirect('http://127.0.0.1:7100/?range=180d&x="><script>#key=rk_1')
    assert 'url=http://127.0.0.1:7100/?range=180d&amp;x=&quot;&gt;&lt;script&gt;#key=rk_1"' in document
    assert "<script>" not in document
