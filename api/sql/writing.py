"""Writes a tree anew: kind by kind, each by the method that is known for it, and no other kind than those."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NoReturn

from sqlglot import exp

from api.errors import SqlInvalidError, SqlNotAllowedError
from api.sql.grammar import Parsed

RESERVED = "_radix"
# Each takes two or three of the thousand calls that Python allows.
_MAX_OPERATORS = 200


class Writer(ABC):
    """Writes nodes by their kind; who inherits adds to `writers` what there is, and says how calls and queries are."""

    def __init__(self, parsed: Parsed) -> None:
        self.parsed = parsed
        self.writers: dict[type[exp.Expr], Callable[[Any], str]] = {}
        self._operators = 0

    @abstractmethod
    def function(self, name: str, arguments: list[Any]) -> str:
        """Write the call of a known function."""

    @abstractmethod
    def query(self, node: exp.Expr) -> str:
        """Write a query, without brackets around it."""

    def write(self, node: Any) -> str:
        """Write an expression; raises `SqlNotAllowedError` for what is none, or none that is allowed."""
        writer = self.writers.get(type(node))
        if writer is None:
            self.refuse(node, f"{description(node)} is not allowed here.")
        self._operators += 1
        if self._operators > _MAX_OPERATORS:
            self.refuse(node, "The statement is nested too deep.")
        written = writer(node)
        self._operators -= 1
        return written

    def refuse(self, node: Any, message: str) -> NoReturn:
        """Raise `SqlNotAllowedError` with the place of a node."""
        raise SqlNotAllowedError(message, self.parsed.place(node) if isinstance(node, exp.Expr) else None)

    def invalid(self, node: exp.Expr, message: str) -> NoReturn:
        """Raise `SqlInvalidError` with the place of a node."""
        raise SqlInvalidError(message, self.parsed.place(node))

    def name(self, node: Any) -> str:
        """Write a name in quotes; raises `SqlNotAllowedError` for one that the written statement uses itself."""
        if not isinstance(node, exp.Identifier) or not isinstance(node.this, str) or not node.this:
            self.refuse(node, f"A name is expected, not {description(node)}.")
        if node.this.lower().startswith(RESERVED):
            self.refuse(node, f"Names that begin with {RESERVED} are reserved.")
        return quoted(node.this)

    def listed(self, nodes: list[Any]) -> str:
        """Write expressions with commas between them."""
        return ", ".join(self.write(node) for node in nodes)

    def of(self, node: Any, *allowed: str) -> Any:
        """Return a node that says nothing beside its operands and what is allowed; an empty part says nothing."""
        known = {"this", "expression", *allowed}
        if any(value for key, value in node.args.items() if key not in known):
            unknown = ", ".join(key for key, value in node.args.items() if value and key not in known)
            self.refuse(node, f"{description(node)} with {unknown.strip('_')} is not allowed.")
        return node


def quoted(name: str) -> str:
    """Write a name in backticks."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def text(value: str) -> str:
    """Write a text."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def description(node: Any) -> str:
    """Say what a node is."""
    if not isinstance(node, exp.Expr):
        return "this"
    if isinstance(node, exp.Func):
        name = node.meta.get("clickhouse_name") or node.name or node.key
        return f"The function {str(name)[:100]}"
    return node.key.upper() if node.key.isalpha() else node.key
