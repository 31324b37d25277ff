"""Both renderings of an insight macro: with literals, as in a dbt model, and with bound values, as by the API."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from clickhouse_connect.driver.client import Client

from core.insights.binding import Bind, Placeholders, literal
from engine.insight_macros import render


def ask(client: Client, macro: str, arguments: Callable[[Bind], Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of a macro by column name; fail when its two renderings do not give the same.

    `arguments` is called once for each rendering and gives the macro's arguments, with every value through `bind`:

        ask(client, "insights_retention", lambda bind: {"start_condition": f"event = {bind('signup', 'String')}", …})
    """
    values = Placeholders()
    written = client.query(render(macro, **arguments(literal)))
    bound = client.query(render(macro, **arguments(values)), parameters=values.parameters)
    assert written.column_names == bound.column_names
    assert [_comparable(row) for row in written.result_rows] == [_comparable(row) for row in bound.result_rows]
    return list(written.named_results())


def _comparable(row: Sequence[Any]) -> list[Any]:
    return ["nan" if isinstance(value, float) and math.isnan(value) else value for value in row]
