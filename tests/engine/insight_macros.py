"""The insight macros in plain Jinja2, as the API renders them."""

from functools import cache
from pathlib import Path
from typing import Any

import jinja2

_MACROS = Path(__file__).parents[2] / "dbt_project" / "macros"
_ENVIRONMENT = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701 - SQL, not HTML


def render(macro: str, **arguments: Any) -> str:
    """Render one macro, with all files joined into one template."""
    return str(getattr(_template().module, macro)(**arguments))


@cache
def _template() -> jinja2.Template:
    # Compiling all macros takes longer than a small query does.
    files = [file for name in ("events", "insights") for file in sorted((_MACROS / name).glob("*.sql"))]
    return _ENVIRONMENT.from_string("\n".join(file.read_text() for file in files))
