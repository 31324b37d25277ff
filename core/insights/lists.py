"""Lists of users that cohorts are made of: CSV files in the dbt project, which dbt loads as seeds."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import StringConstraints

LISTS = Path("seeds") / "lists"
_NAME = r"[a-z][a-z0-9]*(_[a-z0-9]+)*"
_LONGEST_NAME = 50
_COLUMNS = ["project_id", "user_id"]
_PROJECT_ID = re.compile(r"[1-9][0-9]{0,9}", re.ASCII)
_PROJECTS = 2**32
_MOST_FAULTS = 100

ListName = Annotated[str, StringConstraints(pattern=f"^{_NAME}$", max_length=_LONGEST_NAME)]


def list_files(project: Path) -> list[Path]:
    """Return the files of a dbt project that hold lists, by name; those of editors are hidden."""
    return sorted(file for file in (project / LISTS).glob("*.csv") if not file.name.startswith("."))


@dataclass(frozen=True, slots=True)
class ListFault:
    """What is wrong in one line of a list, counted from 1; `column` is empty where it is the line as a whole."""

    line: int
    column: str
    message: str


def faults_in_list(file: Path) -> list[ListFault]:
    """Return what is wrong with a list, of very many lines the first ones; nothing with one that dbt can load.

    A list has the columns `project_id` and `user_id`, and one row per user.
    """
    if not re.fullmatch(_NAME, file.stem) or len(file.stem) > _LONGEST_NAME:
        message = (
            f"the file's name is the list's: at most {_LONGEST_NAME} lower-case letters, digits and single underscores,"
            " a letter first"
        )
        return [ListFault(1, "", message)]
    found: list[ListFault] = []
    try:
        # As dbt reads it.
        with file.open(encoding="utf-8-sig", newline="") as lines:
            for fault in _faults(lines):
                if len(found) == _MOST_FAULTS:
                    return [*found, ListFault(fault.line, "", "from here on nobody looked for more")]
                found.append(fault)
    except OSError as error:
        return [ListFault(1, "", f"it cannot be read: {error.strerror}")]
    except UnicodeDecodeError as error:
        return [*found, ListFault(1, "", f"it is no UTF-8: {error.reason}")]
    return found


def projects_on(file: Path) -> set[int]:
    """Return the ids of the projects that have users on a list; none where it cannot be read."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            rows = csv.reader(lines, strict=True)
            next(rows, None)
            return {int(row[0]) for row in rows if row and _PROJECT_ID.fullmatch(row[0])}
    except (OSError, UnicodeDecodeError, csv.Error):
        return set()


def _faults(lines: Iterator[str]) -> Iterator[ListFault]:
    rows = csv.reader(lines, strict=True)
    try:
        header = next(rows, [])
        if header != _COLUMNS:
            # What stands in which column is not known then.
            message = f"the first line has to be {','.join(_COLUMNS)}, not {','.join(header) or 'empty'}"
            yield ListFault(1, "", message)
            return
        for row in rows:
            if len(row) != len(_COLUMNS):
                yield ListFault(rows.line_num, "", f"there have to be {len(_COLUMNS)} values, not {len(row)}")
                continue
            if not _PROJECT_ID.fullmatch(row[0]) or int(row[0]) >= _PROJECTS:
                yield ListFault(rows.line_num, "project_id", f"'{row[0]}' is not the id of a project")
            if not row[1].strip():
                yield ListFault(rows.line_num, "user_id", "the user's id is missing")
    except csv.Error as error:
        yield ListFault(rows.line_num, "", f"it is no CSV: {error}")
