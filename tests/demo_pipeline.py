"""The whole system with the demo's data in it, started once per session by the real commands.

A `conftest.py` that imports `pipeline` gives its folder the fixture.
"""

import os
import random
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
from filelock import FileLock

from runtime.demo.record import read_record
from runtime.directory import DataDirectory
from runtime.instance import Instance
from runtime.ports import Ports
from runtime.settings import RuntimeSettings

_ATTEMPTS = 3


@dataclass(frozen=True)
class Pipeline:
    """A running system: collector → shipper → ClickHouse → a Dagster run of dbt and checks → API and page.

    `ends_at` (UTC) is the instant of the demo's last event; `api_key` reads the demo's project, `write_key` writes.
    """

    api_url: str
    collector_url: str
    dagster_url: str
    api_key: str
    write_key: str
    project_id: int
    ends_at: datetime
    instance: Instance


@pytest.fixture(scope="session")
def pipeline() -> Generator[Pipeline]:
    """Start it for the first worker that asks, stop it when the last one that asked is done."""
    root = Path(os.environ["RADIXINSIGHT_TEST_ROOT"]) / "pipeline"
    root.mkdir(exist_ok=True)
    with _users(root) as others:
        if others == 0:
            (root / "port_base").write_text(str(_start(root)))
    try:
        yield _describe(root)
    finally:
        with _users(root, change=-1) as others:
            if others == 0:
                _radixinsight("down", "--data-dir", str(root / "data"))


@contextmanager
def _users(root: Path, change: int = 1) -> Generator[int]:
    """Count this worker in or out, and give how many others use the system; nobody else is in here meanwhile."""
    count = root / "users"
    with FileLock(root / "lock"):
        others = (int(count.read_text()) if count.exists() else 0) + min(change, 0)
        yield others
        count.write_text(str(others + max(change, 0)))


def _start(root: Path) -> int:
    if (root / "failed").exists():
        pytest.fail((root / "failed").read_text(), pytrace=False)
    place = ("--data-dir", str(root / "data"))
    trouble = ""
    for _ in range(_ATTEMPTS):
        port_base = _free_port_base()
        ports = ("--port-base", str(port_base))
        up = _radixinsight("up", "--detach", "--while-alive", _controller(), *place, *ports)
        if up.returncode == 0:
            demo = _radixinsight("demo", "--no-trickle", "--no-open", *place, *ports)
            if demo.returncode == 0:
                return port_base
            trouble = f"The demo failed:\n{demo.stdout}\n{demo.stderr}"
            _radixinsight("down", *place)
            break
        trouble = f"The system did not start:\n{up.stderr}"
        if "is taken" not in up.stderr:
            break
    (root / "failed").write_text(trouble)
    pytest.fail(trouble, pytrace=False)


def _describe(root: Path) -> Pipeline:
    settings = RuntimeSettings(data_dir=root / "data", port_base=int((root / "port_base").read_text()))
    instance = Instance.of(settings)
    record = read_record(DataDirectory.at(settings.data_dir))
    assert record is not None
    return Pipeline(
        api_url=instance.address_of("api"),
        collector_url=instance.address_of("collector"),
        dagster_url=instance.address_of("dagster-web"),
        api_key=record.project.api_key,
        write_key=record.project.write_key,
        project_id=record.project.id,
        ends_at=record.ends_at,
        instance=instance,
    )


def _free_port_base() -> int:
    # Below the range from which the system hands out ports, lest one be taken in between.
    base = Ports(random.randrange(10_000, 30_000, 100)).alternative()  # noqa: S311 - no secret
    assert base is not None
    return base


def _controller() -> str:
    # Under xdist a worker's parent is the controller, which lives as long as the session.
    return str(os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid())


def _radixinsight(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "runtime", *arguments],
        # The demo asks for its own run; one every five minutes would take half a minute from all other tests.
        env=os.environ | {"RADIXINSIGHT_ORCHESTRATION_REFRESH_ENABLED": "false"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
