"""PostgreSQL refuses root: the three ways in which it runs all the same."""

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Generator
from pathlib import Path

import psutil
import psycopg
import pytest

import runtime
from runtime import postgres, privileges
from runtime.launch import NOBODY
from runtime.privileges import launched

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user takes root")


@pytest.fixture
def open_folder() -> Generator[Path]:
    """Make a folder below which another user may work; pytest's own are private."""
    path = Path(tempfile.mkdtemp(prefix="radixinsight-user-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def _serve_once(cluster: Path, port: int) -> tuple[int, int]:
    """Start PostgreSQL on `cluster`, and return the user of its process and of its files."""
    identity = postgres.identity_for(cluster)
    postgres.prepare(cluster, identity, "secret")
    server = subprocess.Popen(
        launched(postgres.command(cluster, port), identity, parent=os.getpid(), death_signal=signal.SIGINT),
        env=postgres.environment(),
        stderr=subprocess.DEVNULL,
    )
    url = f"postgresql://postgres:secret@127.0.0.1:{port}/postgres"
    try:
        until = time.monotonic() + 20
        while not postgres.is_ready(url):
            assert server.poll() is None, "PostgreSQL ended"
            assert time.monotonic() < until
            time.sleep(0.05)
        with psycopg.connect(url) as connection:
            connection.execute("select 1")
        return psutil.Process(server.pid).uids().effective, cluster.stat().st_uid
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(20)


@needs_root
def test_root_runs_postgres_as_another_user_where_namespaces_are_not_allowed(
    open_folder: Path, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(privileges, "_namespaces_allowed", lambda: False)
    assert _serve_once(open_folder / "postgres", free_port) == (NOBODY, NOBODY)


@needs_root
def test_that_user_gets_through_directories_that_only_root_may_enter(
    tmp_path: Path, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(privileges, "_namespaces_allowed", lambda: False)
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    (private / "data").mkdir()
    assert _serve_once(private / "data" / "postgres", free_port) == (NOBODY, NOBODY)


@needs_root
def test_a_cluster_made_in_a_namespace_goes_on_where_there_is_none(
    open_folder: Path, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _serve_once(open_folder / "postgres", free_port) == (0, 0)
    monkeypatch.setattr(privileges, "_namespaces_allowed", lambda: False)
    assert _serve_once(open_folder / "postgres", free_port) == (NOBODY, NOBODY)
    monkeypatch.undo()
    assert _serve_once(open_folder / "postgres", free_port) == (NOBODY, NOBODY)


def _python_for_everybody() -> str:
    """Return an interpreter of our version that another user may execute: ours may lie in a private home."""
    for candidate in (Path(sys.executable).resolve(), Path("/usr/bin/python3").resolve()):
        if candidate.name.endswith(f"3.{sys.version_info.minor}") and privileges.reachable(candidate, NOBODY):
            return str(candidate)
    pytest.skip("no Python of this version that another user may execute")


@needs_root
def test_an_ordinary_user_starts_and_stops_everything(open_folder: Path, free_port_base: int) -> None:
    open_folder.chmod(0o777)
    user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    python = [*user, _python_for_everybody()]
    path = os.pathsep.join([str(Path(runtime.__file__).parents[1]), sysconfig.get_path("purelib")])
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "PYTHONPATH": path}
    readable = subprocess.run([*python, "-c", "import runtime.errors, psycopg"], check=False, cwd="/", env=environment)
    if readable.returncode != 0:
        pytest.skip("a checkout that another user may not read")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        name, *rest = arguments
        return subprocess.run(
            [*python, "-m", "runtime", name, "--data-dir", str(open_folder / "data"), *rest],
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
            cwd="/",
            env=environment,
        )

    started = run("up", "--detach", "--only", "postgres,valkey", "--port-base", str(free_port_base))
    try:
        assert started.returncode == 0, started.stderr
        assert '"phase": "up"' in run("status", "--json").stdout
        assert {path.stat().st_uid for path in (open_folder / "data").iterdir()} == {NOBODY}
    finally:
        assert run("down").stdout == "Stopped.\n"


def test_half_a_cluster_from_a_killed_start_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = tmp_path / "data" / "postgres"
    cluster.parent.mkdir()
    identity = postgres.identity_for(cluster)

    def killed(*_: object, **__: object) -> Callable[..., None]:
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "run", killed)
    with pytest.raises(KeyboardInterrupt):
        postgres.prepare(cluster, identity, "secret")
    monkeypatch.undo()
    assert not cluster.exists()
    postgres.prepare(cluster, identity, "secret")
    assert (cluster / "PG_VERSION").read_text() == "18\n"


def test_a_lock_file_whose_number_is_another_process_by_now_is_cleared(tmp_path: Path) -> None:
    (tmp_path / "PG_VERSION").write_text("18\n")
    (tmp_path / "postmaster.pid").write_text(f"{os.getpid()}\n{tmp_path}\n")
    postgres.prepare(tmp_path, privileges.KEEP, "secret")
    assert not (tmp_path / "postmaster.pid").exists()
