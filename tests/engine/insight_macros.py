"""The insight macros in plain Jinja2, as the API renders them."""

from pathlib import Path
from typing import Any

import jinja2

MACROS = Path(__file__).parents[2] / "dbt_project" / "macros" / "insights"

_ENVIRONMENT = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701 - SQL, not HTML


def render(macro: str, **arguments: Any) -> str:
    """Render one macro, with all files joined into one template."""
    source = "\n".join(file.read_text() for file in sorted(MACROS.glob("*.sql")))
    names = ", ".join(f"{name}={name}" for name in arguments)
    return _ENVIRONMENT.from_string(f"{source}\n{{{{ {macro}({names}) }}}}").render(**arguments)
