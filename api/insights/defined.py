"""The insights that analysts define in files: which there are, and the rows of their marts."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from api.errors import InsightNotFoundError
from api.insights.statements import Statement
from core.insights.cohorts import lists_in
from core.insights.files import DefinedInsight, definition_files, scan_definitions
from core.insights.filters import cohorts_in
from core.insights.lists import list_files, projects_on
from core.insights.mart_models import model_of
from core.insights.model_text import Column, Model

# A set of persons is shown as their number.
_SHOWN = {"AggregateFunction(groupBitmap, UInt32)": ("bitmapCardinality({name})", "UInt64")}


class DefinedInsights:
    """The definitions of one directory, read again when one of its files or of the lists beside it changed."""

    def __init__(self, directory: Path, database: str) -> None:
        self._directory = directory
        self._database = database
        self._read_state: tuple[tuple[str, int], ...] | None = None
        self._found: dict[str, DefinedInsight] = {}
        self._lists: dict[str, set[int]] = {}
        self._users: dict[str, str] = {}

    def of_project(self, project_id: int) -> list[DefinedInsight]:
        """Return the definitions that hold for a project, by name."""
        self._read()
        return [each for each in self._found.values() if project_id in (each.definition.projects or (project_id,))]

    def names_of_others(self, project_id: int) -> set[str]:
        """Return the names of the definitions that do not hold for a project."""
        own = {each.name for each in self.of_project(project_id)}
        return set(self._found) - own

    def find(self, project_id: int, name: str) -> DefinedInsight:
        """Return one definition; raises `InsightNotFoundError`."""
        found = {each.name: each for each in self.of_project(project_id)}
        if name not in found:
            raise InsightNotFoundError(name)
        return found[name]

    def lists(self, project_id: int) -> set[str]:
        """Return the names of the lists on which there are users of a project."""
        self._read()
        return {name for name, projects in self._lists.items() if project_id in projects}

    def digest_of(self, project_id: int, documents: Iterable[object]) -> str:
        """Return what is another once files say something else of the cohorts and lists that documents are made of."""
        cohorts = {each.name: each for each in self.of_project(project_id) if each.definition.kind == "cohort"}
        said: dict[str, str] = {}
        waiting = list(documents)
        while waiting:
            document = waiting.pop()
            said |= {f"list {name}": self._users.get(name, "") for name in lists_in(document)}
            for name in cohorts_in(document) & set(cohorts) - set(said):
                said[name] = cohorts[name].definition.model_dump_json()
                waiting.append(cohorts[name].definition)
        return _digest(repr(sorted(said.items())).encode())

    def rows(self, insight: DefinedInsight, limit: int) -> Statement:
        """Rows of the mart: its columns without the project, in the order of its key, and one more than `limit`."""
        _, key, columns = model_of(insight.definition)
        table = f"{self._database}.{insight.name}"
        selected = ",\n    ".join(_selected(column) for column in columns if column[0] != "project_id")
        # Names of columns and tables come from definitions, which allow nothing but identifiers.
        sql = (
            f"select\n    {selected}\nfrom {table}\nwhere project_id = {{project_id:UInt32}}\n"
            f"order by {', '.join(key[1:])}\nlimit {{limit:UInt32}}"
        )
        return Statement(sql, {"limit": limit + 1}, (table,))

    def _read(self) -> None:
        try:
            files = [*definition_files(self._directory), *list_files(self._directory.parent)]
            state = tuple((file.name, file.stat().st_mtime_ns) for file in files)
        except FileNotFoundError:
            # One was renamed between the two looks: what was known holds until the next question.
            return
        if state != self._read_state:
            # What is wrong with others is for those who write them: `radixinsight insights check`.
            found, _ = scan_definitions(self._directory)
            self._found = {insight.name: insight for insight in found}
            lists = list_files(self._directory.parent)
            self._lists = {file.stem: projects_on(file) for file in lists}
            self._users = {file.stem: _digest(_content(file)) for file in lists}
            self._read_state = state


def shown_columns(model: Model) -> list[Column]:
    """Return the columns of a mart as they are shown: without the project, sets as numbers."""
    return [
        (name, _SHOWN[kind][1] if kind in _SHOWN else kind, description)
        for name, kind, description in model[2]
        if name != "project_id"
    ]


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _selected(column: Column) -> str:
    name, kind, _ = column
    return f"{_SHOWN[kind][0].format(name=name)} as {name}" if kind in _SHOWN else name
