"""How a value comes into the SQL of an insight: bound to a placeholder by the API, as a literal in a dbt model."""

import math
from collections.abc import Callable, Sequence

Value = str | int | float | bool | Sequence[str] | Sequence[float] | Sequence[Sequence[int]]
Bind = Callable[[Value, str], str]
"""Takes a value and its ClickHouse type, and returns the SQL expression that stands for it."""


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
