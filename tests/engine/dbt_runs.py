"""Runs of dbt, each in a process of its own that finds dbt imported and its macros compiled."""

import functools
import multiprocessing
import multiprocessing.forkserver
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Mapping
from multiprocessing.context import ForkServerContext
from pathlib import Path
from unittest import mock

from core.insights.lists import LISTS
from core.insights.marts import DEFINITIONS, MODELS

PROJECT = Path(__file__).parents[2] / "dbt_project"
_TESTS = Path(__file__).parents[1]


def copy_project(to: Path) -> None:
    """Copy the project without what analysts put into it: definitions with their models, and lists."""
    theirs = {PROJECT / folder for folder in (DEFINITIONS, MODELS, LISTS)}

    def left_out(folder: str, names: list[str]) -> set[str]:
        return {"target", "logs"} | {name for name in names if Path(folder) / name in theirs}

    shutil.copytree(PROJECT, to, ignore=left_out)
    for folder in (DEFINITIONS, LISTS):
        (to / folder).mkdir()


def run_dbt(arguments: Iterable[str], *, directory: Path, variables: Mapping[str, str], project: Path = PROJECT) -> str:
    """Run dbt over a project in some environment; returns what it said when it failed, empty when it did not.

    What it writes goes to a directory: of results and of the manifest only what `--write-json` asks for.
    """
    where = [
        *("--project-dir", str(project), "--profiles-dir", str(project)),
        *("--target-path", str(directory / "target"), "--log-path", str(directory / "logs")),
    ]
    # Nobody reads what went well, and to write it takes a fifth of the run.
    silence = ["--no-use-colors", "--log-level-file", "none", "--quiet"]
    options = [*silence, *arguments, *where]
    if "--write-json" not in options:
        options.append("--no-write-json")
    with tempfile.NamedTemporaryFile() as said:
        run = _processes().Process(target=_dbt, args=(options, os.environ | variables, said.name))
        run.start()
        run.join()
        trouble = f"dbt ended with {run.exitcode}:\n{Path(said.name).read_text()[-8000:]}"
        return trouble if run.exitcode else ""


@functools.cache
def _processes() -> ForkServerContext:
    """Start what runs are forked from; it takes ten seconds, which the third run has saved."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["engine.dbt_warm"])
    # It imports that before it knows this process's path, and goes on without what it cannot import.
    path = os.pathsep.join(filter(None, (str(_TESTS), os.environ.get("PYTHONPATH"))))
    with mock.patch.dict(os.environ, {"PYTHONPATH": path, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}):
        multiprocessing.forkserver.ensure_running()
    return context


def _dbt(arguments: list[str], environment: dict[str, str], output: str) -> None:
    from dbt.cli.main import cli  # noqa: PLC0415 - here it is there already, and the tests need not import it

    said = os.open(output, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(said, stream)
    assert "engine.dbt_warm" in sys.modules
    os.environ.clear()
    os.environ.update(environment)
    cli(arguments)
