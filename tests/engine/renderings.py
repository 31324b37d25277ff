"""Both renderings of an insight macro: with literals, as in a dbt model, and with bound values, as by the API."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from clickhouse_connect.driver.client import Client

from engine.insight_macros import render

Bind = Callable[[Any, str], str]
"""Takes a value and its ClickHouse type, and returns the SQL expression that stands for it."""


def ask(client: Client, macro: str, arguments: Callable[[Bind], Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of a macro by column name; fail when its two renderings do not give the same.

    `arguments` is called once for each rendering and gives the macro's arguments, with every value through `bind`:

        ask(client, "insights_retention", lambda bind: {"start_condition": f"event = {bind('signup', 'String')}", …})
    """
    literal = client.query(render(macro, **arguments(_literal)))
    parameters: dict[str, Any] = {}

    def placeholder(value: Any, kind: str) -> str:
        name = f"value_{len(parameters)}"
        parameters[name] = value
        return f"{{{name}:{kind}}}"

    bound = client.query(render(macro, **arguments(placeholder)), parameters=parameters)
    assert literal.column_names == bound.column_names
    assert [_comparable(row) for row in literal.result_rows] == [_comparable(row) for row in bound.result_rows]
    return list(literal.named_results())


def _literal(value: Any, kind: str) -> str:
    return f"CAST({_text(value)}, {_text(kind)})"


def _text(value: Any) -> str:
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Sequence):
        return "[" + ", ".join(_text(item) for item in value) + "]"
    return repr(value)


def _comparable(row: Sequence[Any]) -> list[Any]:
    return ["nan" if isinstance(value, float) and math.isnan(value) else value for value in row]
