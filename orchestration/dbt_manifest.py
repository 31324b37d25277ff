"""Keeps dbt's parsed project, so that no process parses it twice.

Parsing takes 5 s; Dagster imports the definitions in every process that it starts. So the parsed project is kept under
a name made of all that it follows from, and only a change of the project's files, of dbt or of the databases' names
parses anew. Never touches the network nor the warehouse.
"""

import fcntl
import hashlib
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import ClassVar
from urllib.parse import unquote, urlsplit

from core.errors import RadixError
from core.insights.marts import write_marts

_logger = logging.getLogger(__name__)

REFUSED = "refused.txt"
"""The file that says what dbt refuses, beside the parsed projects: a name of the files, then dbt's own words."""
DBT_EXECUTABLE = Path(sys.executable).with_name("dbt")
# Variables that change what dbt makes of the same files.
_SHAPING_VARIABLES = ("RADIXINSIGHT_DBT_PREFIX", "RADIXINSIGHT_DBT_RAW", "RADIXINSIGHT_DBT_ENRICHMENT")
_MADE_BY_DBT = frozenset({"target", "logs", "dbt_packages", ".user.yml"})
_KEPT_PARSES = 3
_REFUSAL_HOLDS_S = 60
_KEPT_RUNS = 20


class DbtProjectError(RadixError):
    """The dbt project cannot be parsed."""

    code: ClassVar[str] = "dbt_project_invalid"
    title: ClassVar[str] = "The dbt project cannot be parsed"


def connection_variables(clickhouse_url: str) -> dict[str, str]:
    """Return the variables from which `profiles.yml` takes the address of ClickHouse.

    >>> connection_variables("http://me:p%40ss@db:8123/")["RADIXINSIGHT_DBT_PASSWORD"]
    'p@ss'
    """
    parts = urlsplit(clickhouse_url)
    return {
        "RADIXINSIGHT_DBT_HOST": parts.hostname or "127.0.0.1",
        "RADIXINSIGHT_DBT_PORT": str(parts.port or (8443 if parts.scheme == "https" else 8123)),
        "RADIXINSIGHT_DBT_USER": unquote(parts.username or "default"),
        "RADIXINSIGHT_DBT_PASSWORD": unquote(parts.password or ""),
    }


def prepare(project_dir: Path, state_dir: Path) -> Path:
    """Return a directory with `manifest.json` and `partial_parse.msgpack` of the project as it is now.

    Writes the models of the defined insights first, and parses the project when that directory does not exist yet; a
    second process waits for the first. While the project is not valid, it is the parse of the last one that was: a slip
    in a model stops the models alone and nothing else of the system, and `REFUSED` in `state_dir` says why.
    Raises `DbtProjectError` with dbt's own words where there is no such parse.
    """
    _write_marts(project_dir, state_dir)
    surroundings, files = _surroundings(), _files_of(project_dir)
    parsed = state_dir / f"parsed-{surroundings}-{files}"
    refused = state_dir / REFUSED
    with (state_dir / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not parsed.is_dir():
            earlier = sorted(state_dir.glob(f"parsed-{surroundings}-*"), key=lambda each: each.stat().st_mtime)
            if earlier and _was_refused(refused, files):
                return earlier[-1]
            try:
                _parse(project_dir, parsed)
            except DbtProjectError as error:
                if not earlier:
                    raise
                refused.write_text(f"{files}\n{error.detail}\n")
                _logger.error("The dbt project is taken as it last was valid. %s", error.detail)  # noqa: TRY400
                return earlier[-1]
            _prune(state_dir, "parsed-*", keep=_KEPT_PARSES)
        refused.unlink(missing_ok=True)
        os.utime(parsed)
    return parsed


@contextmanager
def run_directory(parsed: Path, run_id: str) -> Generator[Path]:
    """Lend an empty directory for the artifacts of one dbt command, with the parse to start from.

    It stays afterwards, for whoever wants to read `run_results.json` and `dbt.log`; the latest 20 are kept.
    """
    runs = parsed.parent / "runs"
    runs.mkdir(exist_ok=True)
    _prune(runs, "*", keep=_KEPT_RUNS - 1)
    directory = Path(tempfile.mkdtemp(prefix=f"{run_id[:8]}-", dir=runs))
    shutil.copy(parsed / "partial_parse.msgpack", directory)
    yield directory
    # Megabytes that only a running dbt needs, and compiled SQL that stands in the warehouse's query log.
    (directory / "partial_parse.msgpack").unlink(missing_ok=True)


def _was_refused(refused: Path, files: str) -> bool:
    """Say whether dbt refused these files a moment ago: Dagster asks in every process, and a parse takes 5 s.

    Later it is asked again: the files may not have been why, but a full disk.
    """
    if not refused.exists() or time.time() - refused.stat().st_mtime > _REFUSAL_HOLDS_S:
        return False
    return refused.read_text().startswith(files)


def _surroundings() -> str:
    """Return a name of what a parse follows from beside the files: dbt, and the variables that name databases."""
    digest = hashlib.sha256()
    for name in ("dbt-core", "dbt-clickhouse"):
        digest.update(f"{name}=={version(name)}\0".encode())
    for name in _SHAPING_VARIABLES:
        digest.update(f"{name}={os.environ.get(name)}\0".encode())
    return digest.hexdigest()[:8]


def _files_of(project_dir: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(_files(project_dir)):
        digest.update(f"{file.relative_to(project_dir)}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _write_marts(project_dir: Path, state_dir: Path) -> None:
    """Make the models of the defined insights anew where a definition was edited.

    A wrong definition must not stop every other figure: its model stays as it was, and a check says what is wrong.
    """
    state_dir.mkdir(parents=True, exist_ok=True)
    # A project that nobody may write to keeps the models that it came with; the check says so.
    with (state_dir / "lock").open("w") as lock, suppress(OSError):
        fcntl.flock(lock, fcntl.LOCK_EX)
        write_marts(project_dir)


def _files(directory: Path) -> Iterator[Path]:
    for entry in directory.iterdir():
        if entry.name in _MADE_BY_DBT:
            continue
        if entry.is_dir():
            yield from _files(entry)
        else:
            yield entry


def _parse(project_dir: Path, parsed: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="parsing-", dir=parsed.parent) as scratch:
        target = Path(scratch) / "target"
        command = [
            str(DBT_EXECUTABLE), "--quiet", "parse",
            "--project-dir", str(project_dir), "--profiles-dir", str(project_dir),
            "--target-path", str(target), "--log-path", str(target),
        ]  # fmt: skip
        done = subprocess.run(  # noqa: S603 - our own project, our own dbt
            command, env=_environment(os.environ), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise DbtProjectError(f"dbt parse failed for {project_dir}:\n{done.stdout}{done.stderr}")
        target.rename(parsed)


def _environment(base: Mapping[str, str]) -> dict[str, str]:
    return dict(base) | {"DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "DBT_LOG_FORMAT": "text", "DBT_USE_COLORS": "false"}


def _prune(directory: Path, pattern: str, *, keep: int) -> None:
    entries = sorted(directory.glob(pattern), key=lambda entry: entry.stat().st_mtime, reverse=True)
    for entry in entries[keep:]:
        shutil.rmtree(entry, ignore_errors=True)
