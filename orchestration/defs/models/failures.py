"""Why a dbt command failed, and whether trying again makes sense."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from core.errors import RadixError

_BROKEN = frozenset({"error", "runtime error"})
_WRONG = frozenset({"fail"})
# How dbt begins what it says of a model that it cannot compile or that breaks its contract, of a file of the project
# that it cannot read, and of dbt_project.yml.
_AS_WRITTEN = ("Compilation Error", "Parsing Error", "Runtime Error\n  Syntax error")
_ENDED_BY = "MainEncounteredError"
"""The event in dbt's log that says what ended it."""
_LONGEST_MESSAGE = 2_000


class DbtCommandError(RadixError):
    """A model could not be built, or a test of one failed; `may_pass_later` tells the two apart.

    A failed test is a fact about the data: it will fail again. A model that could not be built may have met a
    warehouse that was restarting, unless dbt cannot read or compile it, or it breaks its contract.
    """

    code: ClassVar[str] = "dbt_command_failed"
    title: ClassVar[str] = "The models could not be built, or are wrong"

    def __init__(self, detail: str, *, may_pass_later: bool) -> None:
        super().__init__(detail)
        self.may_pass_later = may_pass_later


def raise_for_results(directory: Path, *, succeeded: bool) -> None:
    """Raise `DbtCommandError` unless the command whose artifacts lie in `directory` succeeded."""
    if succeeded:
        return
    file = directory / "run_results.json"
    if not file.exists():
        said = _what_ended_dbt(directory / "dbt.log")
        raise DbtCommandError(
            f"dbt ended before it built anything: {said}", may_pass_later=not said.startswith(_AS_WRITTEN)
        )
    results: list[dict[str, Any]] = json.loads(file.read_text())["results"]
    broken = [result for result in results if result["status"] in _BROKEN]
    wrong = [result for result in results if result["status"] in _WRONG]
    lines = [f"{result['unique_id']}: {_said(result)}" for result in (*broken, *wrong)]
    may_pass_later = any(not _said(result).startswith(_AS_WRITTEN) for result in broken)
    raise DbtCommandError(
        f"{len(broken)} models could not be built and {len(wrong)} tests failed:\n" + "\n".join(lines),
        may_pass_later=may_pass_later or not (broken or wrong),
    )


def _said(result: dict[str, Any]) -> str:
    return (result["message"] or "no message").strip()[:_LONGEST_MESSAGE]


def _what_ended_dbt(log: Path) -> str:
    """Return what dbt's log says of it, or where that log is; the last of its lines of JSON may be cut off."""
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    for line in reversed(lines):
        with suppress(ValueError, KeyError, TypeError):
            entry: dict[str, Any] = json.loads(line)
            if entry["info"]["name"] == _ENDED_BY and entry["data"]["exc"].strip():
                said: str = entry["data"]["exc"].strip()[:_LONGEST_MESSAGE]
                return said
    return f"see {log}."
