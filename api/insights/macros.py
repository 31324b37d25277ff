"""The analytic SQL that dbt and the API share, rendered outside of dbt."""

from pathlib import Path
from typing import ClassVar

from jinja2 import Environment, StrictUndefined, Template
from jinja2.exceptions import TemplateError

from core.errors import RadixError

Argument = str | list[str] | list[dict[str, str]] | bool | None
"""What a macro takes: SQL expressions, and the names and switches of its own."""


class MacrosMissingError(RadixError):
    """The directory of the shared macros holds none, or one does not compile."""

    code: ClassVar[str] = "macros_missing"
    title: ClassVar[str] = "The analytic SQL cannot be read"


class InsightMacros:
    """All macros of one directory, joined into one template so that they can call each other.

    Files are read again when one of them changed, so that an edit reaches the marts and the API alike. Arguments are
    SQL expressions of the API's own making, with values as bound placeholders: never text from a request.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._read_state: tuple[tuple[str, int], ...] = ()
        self._template: Template | None = None

    def render(self, macro: str, **arguments: Argument) -> str:
        """Return the SQL of one macro; raises `MacrosMissingError`."""
        module = self._current().module
        if not hasattr(module, macro):
            raise MacrosMissingError(f"There is no macro {macro} in {self._directory}.")
        try:
            return str(getattr(module, macro)(**arguments)).strip()
        except (TemplateError, TypeError) as error:
            raise MacrosMissingError(f"The macro {macro} in {self._directory} does not render: {error}") from error

    def _current(self) -> Template:
        files = sorted(self._directory.glob("*.sql"))
        state = tuple((file.name, file.stat().st_mtime_ns) for file in files)
        if not files:
            raise MacrosMissingError(f"There is no .sql file in {self._directory}; set RADIXINSIGHT_API_MACROS_DIR.")
        if self._template is None or state != self._read_state:
            # SQL is no HTML: escaping would break it, and values are bound, never rendered.
            environment = Environment(undefined=StrictUndefined, autoescape=False)  # noqa: S701 - see above
            source = "\n".join(file.read_text(encoding="utf-8") for file in files)
            try:
                self._template = environment.from_string(source)
            except TemplateError as error:
                raise MacrosMissingError(f"The macros in {self._directory} do not compile: {error}") from error
            self._read_state = state
        return self._template
