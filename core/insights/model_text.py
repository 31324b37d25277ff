"""How a model is written: values and expressions as Jinja reads them, and columns that many marts have."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.insights.arguments import wants_traits
from core.insights.binding import Scope, literal
from core.insights.filters import Subject

Column = tuple[str, str, str]
"""Name, ClickHouse type and description."""
Model = tuple[str, list[str], list[Column]]
"""The model's SQL, the columns of its key, and its columns in their order."""

# Stands in a condition where the model says ref('…').
_REFERENCE = re.compile("\0([a-z0-9_]+)\0")
# The zone of each row's project; one that has not been copied yet counts in UTC.
_TIMEZONE = """ifNull(nullIf((
    select mapFromArrays(groupArray(project_id), groupArray(timezone))
    from \0stg_collector__projects\0
)[project_id], ''), 'UTC')"""
SCOPE = Scope(bind=literal, relation=lambda name: f"\0{name}\0", project="project_id", timezone=_TIMEZONE)
_SHORT = 60
"""Characters of a list that stand on one line."""
_WIDEST = 120
"""Characters of a line, as .sqlfluff has it."""
PROJECT: Column = ("project_id", "UInt32", "{{ doc('project_id') }}")


@dataclass(frozen=True, slots=True)
class Expression:
    """An argument that is Jinja already."""

    jinja: str


def call(macro: str, key: list[str], columns: list[Column], arguments: Mapping[str, Any], *reads: str) -> Model:
    """Return the model that a macro of `macros/marts` makes, which is told its columns; `reads` are models."""
    told = {"columns": {name: kind for name, kind, _ in columns}, **arguments}
    sql = f"""{{{{ config(order_by='({", ".join(key)})') }}}}

{_depends(*reads, "stg_collector__projects", *_read_by(arguments))}

{{{{ {macro}(
{written(told, 4)}
) }}}}
"""
    return sql, key, columns


def written(arguments: Mapping[str, Any], indent: int) -> str:
    """Write the arguments of a macro, one to a line."""
    space = " " * indent
    return "\n".join(f"{space}{name}={_jinja(value, indent)}," for name, value in arguments.items())


def inline(expression: str) -> str:
    """Write an expression into the model's SQL, so that no brace of a value means anything to Jinja."""
    return f"{{{{ {jinja_of(expression)} }}}}"


def jinja_of(expression: str) -> str:
    """Write an expression as Jinja reads it; the marks in it become references to tables."""
    return _jinja(expression, 0)


def line(text: str) -> str:
    """Return a line of a model's SQL; what makes it long is the definition's own, and no linter shall break it."""
    return text if len(text) <= _WIDEST else f"{text}  -- noqa: LT05"


def without_jinja(text: str) -> str:
    """Return a text as dbt reads it in a description, where Jinja would mean something."""
    return f"{{{{ {_quoted(text)} }}}}" if any(mark in text for mark in ("{{", "{%", "{#")) else text


def both(*conditions: str) -> str:
    """Return the condition that all of them hold; `true` for none."""
    return " and ".join(condition for condition in conditions if condition != "true") or "true"


def of_projects(projects: tuple[int, ...]) -> str:
    """Return the condition that a row is of one of the projects; none are all."""
    return f"project_id in ({', '.join(map(str, projects))})" if projects else "true"


def events_for(*subjects: Subject | None) -> Expression:
    """Return the relation of events; where a trait tells figures apart, with the traits of their persons."""
    if wants_traits(*subjects):
        return Expression("events_with_traits()")
    return table("fct_events")


def table(model: str) -> Expression:
    """Return the relation of a model."""
    return Expression(f"ref('{model}')")


def _jinja(value: Any, indent: int) -> str:
    """Write a value as Jinja reads it; the marks in a text become references to tables."""
    match value:
        case Expression():
            return value.jinja
        case str():
            parts = _REFERENCE.split(value)
            texts = [f"ref('{part}')" if place % 2 else _quoted(part) for place, part in enumerate(parts)]
            return " ~ ".join(texts)
        case dict():
            items = [f"{_quoted(name)}: {_jinja(item, indent + 4)}" for name, item in value.items()]
            return _enclosed("{}", items, indent)
        case list():
            return _enclosed("[]", [_jinja(item, indent + 4) for item in value], indent)
        case bool() | None:
            return str(value).lower()
        case _:
            return repr(value)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _enclosed(marks: str, items: list[str], indent: int) -> str:
    if sum(map(len, items)) < _SHORT:
        return f"{marks[0]}{', '.join(items)}{marks[1]}"
    space = " " * (indent + 4)
    return f"{marks[0]}\n" + "".join(f"{space}{item},\n" for item in items) + " " * indent + marks[1]


def _depends(*models: str) -> str:
    """Name what is read only when the model runs, which dbt does not see while it parses."""
    return "\n".join(f"-- depends_on: {{{{ ref('{model}') }}}}" for model in models)


def _read_by(arguments: Mapping[str, Any]) -> list[str]:
    """Return the models that conditions name, and that of persons where their traits are joined."""
    texts = json.dumps(arguments, default=str, ensure_ascii=False).replace("\\u0000", "\0")
    return sorted({*_REFERENCE.findall(texts), *(["dim_persons"] if "events_with_traits" in texts else [])})
