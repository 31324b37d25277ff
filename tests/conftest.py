"""One embedded runtime for the whole test session, shared by all workers, and projects in it."""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import settings

from runtime.instance import Instance
from runtime.ports import OFFSETS, is_free
from runtime.project_keys import ProjectKeys, create_project
from runtime.settings import RuntimeSettings

_ROOT_VARIABLE = "RADIXINSIGHT_TEST_ROOT"
_ATTEMPTS = 3

# `pytest --hypothesis-profile nightly` looks twenty times as long for a history that an insight gets wrong.
settings.register_profile("default", max_examples=100, deadline=None)
# In CI they are the same ones each time, of which more would tell nothing new: some of them.
settings.register_profile("ci", settings.get_profile("default"), max_examples=8, derandomize=True, print_blob=True)
settings.register_profile("nightly", settings.get_profile("default"), max_examples=2000)
settings.load_profile("ci" if "CI" in os.environ else "default")


# A file is one worker's: one of minutes that begins last would be waited for alone.
_LONGEST_FIRST = (
    "orchestration/test_refresh.py",
    "dbt_project/test_models.py",
    "e2e/",
    "ingestion/test_fuzz.py",
    "dbt_project/test_loading.py",
    "integration/",
    "dbt_project/",
    "runtime/test_demo.py",
    "ingestion/",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest."""

    def place(item: pytest.Item) -> int:
        name = item.nodeid.removeprefix("tests/")
        return next(
            (place for place, start in enumerate(_LONGEST_FIRST) if name.startswith(start)), len(_LONGEST_FIRST)
        )

    items.sort(key=place)


def pytest_configure(config: pytest.Config) -> None:
    """Choose the session's directory once, in the controller; workers are told where it is."""
    if not hasattr(config, "workerinput"):
        os.environ[_ROOT_VARIABLE] = tempfile.mkdtemp(prefix="radixinsight-tests-")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the runtime, if any test wanted it, and remove its data; after Ctrl-C too."""
    if hasattr(config, "workerinput"):
        return
    root = Path(os.environ.pop(_ROOT_VARIABLE))
    if (root / "data").exists():
        _radixinsight("down", "--data-dir", str(root / "data"))
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="session")
def runtime() -> Instance:
    """Engines of this session, migrated. The first worker that asks starts them."""
    root = Path(os.environ[_ROOT_VARIABLE])
    with FileLock(root / "lock"):
        if (root / "failed").exists():
            pytest.fail((root / "failed").read_text(), pytrace=False)
        if not (root / "port_base").exists():
            (root / "port_base").write_text(str(_start(root)))
    settings = RuntimeSettings(data_dir=root / "data", port_base=int((root / "port_base").read_text()))
    return Instance.of(settings)


@pytest.fixture
def project(runtime: Instance) -> ProjectKeys:
    """Create a project that no other test writes to."""
    return create_project(runtime.database_url, f"test-{os.urandom(6).hex()}", key_name="test")


@pytest.fixture
def free_port() -> int:
    """Return a port on which nobody listens at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def free_port_base() -> int:
    """Return a port base whose ports are all free at the moment."""
    return find_port_base()


def find_port_base() -> int:
    """Look for free ports in a row, below the range from which the system hands out ports."""
    while True:
        base = 10000 + secrets.randbelow(2000) * 10
        if all(is_free(base + offset) for offset in OFFSETS.values()):
            return base


def _start(root: Path) -> int:
    trouble = ""
    for _ in range(_ATTEMPTS):
        port_base = find_port_base()
        started = _radixinsight(
            *("up", "--detach", "--only", "clickhouse,postgres,valkey,migrate"),
            *("--data-dir", str(root / "data"), "--port-base", str(port_base), "--while-alive", _controller()),
        )
        if started.returncode == 0:
            return port_base
        trouble = f"The embedded runtime did not start:\n{started.stderr}"
        if "is taken" not in trouble:
            break
    (root / "failed").write_text(trouble)
    pytest.fail(trouble, pytrace=False)


def _controller() -> str:
    # Under xdist a worker's parent is the controller, which lives as long as the session.
    return str(os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid())


def _radixinsight(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "runtime", *arguments], capture_output=True, text=True, check=False, timeout=180
    )
