"""Lists of users that cohorts are made of: CSV files in the dbt project, which dbt loads as seeds."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import StringConstraints

LISTS = Path("seeds") / "lists"
_NAME = r"[a-z][a-z0-9]*(_[a-z0-9]+)*"
_LONGEST_NAME = 50
_COLUMNS = ["project_id", "user_id"]
_PROJECT_ID = re.compile(r"[1-9][0-9]{0,9}", re.ASCII)
_PROJECTS = 2**32

ListName = Annotated[str, StringConstraints(pattern=f"^{_NAME}$", max_length=_LONGEST_NAME)]


def list_files(project: Path) -> list[Path]:
    """Return the files of a dbt project that hold lists, by name; those of editors are hidden."""
    return sorted(file for file in (project / LISTS).glob("*.csv") if not file.name.startswith("."))


def fault_in(file: Path) -> tuple[int, str] | None:
    """Return the first thing that is wrong with a list, with its line; None for one that dbt can load.

    A list has the columns `project_id` and `user_id`, and one row per user.
    """
    if not re.fullmatch(_NAME, file.stem) or len(file.stem) > _LONGEST_NAME:
        return 1, (
            f"the file's name is the list's: at most {_LONGEST_NAME} lower-case letters, digits and single underscores,"
            " a letter first"
        )
    try:
        # As dbt reads it.
        with file.open(encoding="utf-8-sig", newline="") as lines:
            return next(_faults(lines), None)
    except OSError as error:
        return 1, f"it cannot be read: {error.strerror}"
    except UnicodeDecodeError as error:
        return 1, f"it is no UTF-8: {error.reason}"


def projects_on(file: Path) -> set[int]:
    """Return the ids of the projects that have users on a list; none where it cannot be read."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            rows = csv.reader(lines, strict=True)
            next(rows, None)
            return {int(row[0]) for row in rows if row and _PROJECT_ID.fullmatch(row[0])}
    except (OSError, UnicodeDecodeError, csv.Error):
        return set()


def _faults(lines: Iterator[str]) -> Iterator[tuple[int, str]]:
    rows = csv.reader(lines, strict=True)
    try:
        header = next(rows, [])
        if header != _COLUMNS:
            yield 1, f"the first line has to be {','.join(_COLUMNS)}, not {','.join(header) or 'empty'}"
        for row in rows:
            if len(row) != len(_COLUMNS):
                yield rows.line_num, f"there have to be {len(_COLUMNS)} values, not {len(row)}"
            elif not _PROJECT_ID.fullmatch(row[0]) or int(row[0]) >= _PROJECTS:
                yield rows.line_num, f"'{row[0]}' is not the id of a project"
            elif not row[1].strip():
                yield rows.line_num, "the user's id is missing"
    except csv.Error as error:
        yield rows.line_num, f"it is no CSV: {error}"
