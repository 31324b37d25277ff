"""The analytic SQL that dbt and the API share, rendered outside of dbt."""

import os
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

from jinja2 import Environment, StrictUndefined
from jinja2.environment import TemplateModule
from jinja2.exceptions import TemplateError

from core.errors import RadixError

Argument = str | int | list[str] | dict[str, str] | list[dict[str, Any]] | bool | None
"""What a macro takes: SQL expressions, and the names and switches of its own."""


class MacrosMissingError(RadixError):
    """The directory of the shared macros holds none, or one does not compile."""

    code: ClassVar[str] = "macros_missing"
    title: ClassVar[str] = "The analytic SQL cannot be read"


@lru_cache(maxsize=2)
def _compiled(source: str) -> TemplateModule:
    # SQL is no HTML: escaping would break it, and values are bound, never rendered.
    environment = Environment(undefined=StrictUndefined, autoescape=False)  # noqa: S701 - see above
    # What stands outside of macros is run once, here.
    return environment.from_string(source).module


def _files(directory: Path) -> list[tuple[str, int]]:
    """Return the files of a directory and when each was changed; asked for each question, so without a `Path` each."""
    try:
        with os.scandir(directory) as found:
            return sorted((each.path, each.stat().st_mtime_ns) for each in found if each.name.endswith(".sql"))
    except FileNotFoundError:
        return []


class InsightMacros:
    """All macros of some directories, joined into one template so that they can call each other.

    Files are read again when one of them changed, so that an edit reaches the marts and the API alike. Arguments are
    SQL expressions of the API's own making, with values as bound placeholders: never text from a request.
    """

    def __init__(self, *directories: Path) -> None:
        self._directories = directories
        self._places = " and ".join(map(str, directories))
        self._read_state: tuple[tuple[str, int], ...] = ()
        self._module: TemplateModule | None = None

    def compile(self) -> None:
        """Do now what the first question would wait half a second for; raises `MacrosMissingError`."""
        self._current()

    def render(self, macro: str, **arguments: Argument) -> str:
        """Return the SQL of one macro; raises `MacrosMissingError`."""
        module = self._current()
        if not hasattr(module, macro):
            raise MacrosMissingError(f"There is no macro {macro} in {self._places}.")
        try:
            return str(getattr(module, macro)(**arguments)).strip()
        except (TemplateError, TypeError) as error:
            raise MacrosMissingError(f"The macro {macro} in {self._places} does not render: {error}") from error

    def _current(self) -> TemplateModule:
        try:
            state = tuple(each for directory in self._directories for each in _files(directory))
            if not state:
                raise MacrosMissingError(f"There is no .sql file in {self._places}; set RADIXINSIGHT_API_MACROS_DIR.")
            if self._module is None or state != self._read_state:
                self._module = _compiled("\n".join(Path(file).read_text(encoding="utf-8") for file, _ in state))
                self._read_state = state
        except (TemplateError, TypeError, OSError, UnicodeError) as error:
            raise MacrosMissingError(f"The macros in {self._places} do not compile: {error}") from error
        return self._module
