"""How a value comes into the SQL of an insight: bound to a placeholder by the API, as a literal in a dbt model."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Value = str | int | float | bool | Sequence[str] | Sequence[float] | Sequence[Sequence[int]]
Bind = Callable[[Value, str], str]
"""Takes a value and its ClickHouse type, and returns the SQL expression that stands for it."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a condition is written for.

    `bind` brings values into it, `relation` gives the relation of a table in the marts by its name; `project` is the
    expression of a project's id, `now` that of the present instant, `timezone` that of the project's time zone.
    """

    bind: Bind
    relation: Callable[[str], str]
    project: str
    now: str = "now64(3)"
    timezone: str = "'UTC'"

    def persons(self, table: str, condition: str = "true") -> str:
        """Return the query of the persons in a table of the marts for whom a condition holds."""
        return self.rows("project_id, person_number", table, condition)

    def rows(self, columns: str, table: str, condition: str = "true") -> str:
        """Return the query of what a table of the marts has where a condition holds."""
        which = f"project_id = {self.project} and {condition}"
        # Made of expressions: a value is in there as what `bind` gave for it.
        return f"select {columns} from {self.relation(table)} where {which}"  # noqa: S608


class Placeholders:
    """Binds values: SQL gets `{value_0:String}` …, and `parameters` holds what stands for them.

    >>> values = Placeholders()
    >>> values("signup", "String"), values.parameters
    ('{value_0:String}', {'value_0': 'signup'})
    """

    def __init__(self) -> None:
        self.parameters: dict[str, Value] = {}

    def __call__(self, value: Value, kind: str) -> str:
        """Return a new placeholder."""
        name = f"value_{len(self.parameters)}"
        self.parameters[name] = value
        return f"{{{name}:{kind}}}"


def literal(value: Value, kind: str) -> str:
    r"""Return a value as a literal of ClickHouse SQL, for models, which have no parameters.

    >>> literal("it's", "String"), literal([1, 2], "Array(UInt8)")
    ("'it\\'s'", "CAST([1, 2], 'Array(UInt8)')")
    """
    if kind == "String" and isinstance(value, str):
        return _text(value)
    return f"CAST({_text(value)}, {_text(kind)})"


def _text(value: Value) -> str:
    if isinstance(value, str):
        return "'" + "".join(_ESCAPED.get(character, character) for character in value) + "'"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        if not math.isfinite(value):
            raise ValueError(f"{value} is no number that SQL can name")
        return repr(value)
    return "[" + ", ".join(_text(item) for item in value) + "]"


# Whatever ends a line for Python does for Jinja, whose filters indent what follows it.
_LINE_ENDS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
_ESCAPED = {"\\": "\\\\", "'": "\\'", "\0": "\\0"} | {
    end: "".join(f"\\x{byte:02x}" for byte in end.encode()) for end in _LINE_ENDS
}
