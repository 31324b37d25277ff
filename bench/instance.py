"""An installation of a benchmark's own: the embedded engines on an empty directory, migrated."""

import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from clickhouse_connect.driver.client import Client

from core import warehouse
from runtime.instance import Instance
from runtime.settings import RuntimeSettings

ROOT = Path(__file__).resolve().parents[1]


@contextmanager
def system(services: str) -> Generator[tuple[Instance, Client]]:
    """Start some services, separated by commas, with what they need; end them and remove their data afterwards."""
    port_base = 20000 + secrets.randbelow(1000) * 10
    with tempfile.TemporaryDirectory(prefix="radixinsight-bench-") as folder:
        settings = RuntimeSettings(data_dir=Path(folder) / "data", port_base=port_base)
        place = ("--data-dir", str(settings.data_dir))
        _run("up", "--detach", "--only", services, "--port-base", str(port_base), *place)
        try:
            _run("migrate", *place)
            instance = Instance.of(settings)
            with warehouse.connect(instance.clickhouse_url) as client:
                yield instance, client
        finally:
            _run("down", *place)


@contextmanager
def engines() -> Generator[tuple[Instance, Client]]:
    """Start ClickHouse and PostgreSQL, and end them and remove their data afterwards."""
    with system("clickhouse,postgres") as started:
        yield started


def build_models(
    instance: Instance, target: Path, *, project: Path = ROOT / "dbt_project", select: str = "*"
) -> dict[str, float]:
    """Run dbt once, its artifacts in `target`; return the seconds that each model took, by its name."""
    subprocess.run(
        [
            *(str(Path(sys.executable).with_name("dbt")), "--quiet", "build", "--select", select),
            *("--exclude-resource-type", "test", "--exclude-resource-type", "unit_test"),
            *("--project-dir", str(project), "--profiles-dir", str(project)),
            *("--target-path", str(target), "--log-path", str(target)),
        ],
        env=os.environ | instance.variables | {"DBT_SEND_ANONYMOUS_USAGE_STATS": "false"},
        check=True,
    )
    results = json.loads((target / "run_results.json").read_bytes())["results"]
    return {result["unique_id"].split(".")[2]: result["execution_time"] for result in results}


def _run(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "runtime", *arguments], check=True, capture_output=True, cwd=ROOT)
