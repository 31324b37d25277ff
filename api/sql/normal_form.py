"""Writes a statement so that two texts which say the same become one."""

from typing import Any

from sqlglot import exp

from api.sql.queries import StatementWriter
from api.sql.writing import quoted, text


class NormalForm(StatementWriter):
    """Writes a statement as it is, tables by their names, so that two texts that say the same become one.

    ClickHouse's own formatting of a statement is compared with the statement by it: what both sqlglot and ClickHouse
    read in the same way comes out equal.
    """

    def table(self, name: str) -> str:
        """Write a table by its name."""
        return quoted(name)

    def made_name(self, name: str) -> str:
        """Keep the name of a query."""
        return quoted(name)

    def number(self, node: exp.Literal) -> str:
        """Write a number by its value: ClickHouse writes 1e2 as 100."""
        written = super().number(node)
        return written if written.isdigit() else repr(float(written))

    def cast(self, node: exp.Expr, to: exp.Expr) -> str:
        """Write a literal as a text: ClickHouse writes 1::Int8 as CAST('1', 'Int8')."""
        if isinstance(node, exp.Literal) and not node.is_string:
            node = exp.Literal.string(node.this)
        return super().cast(node, to)

    def tuple_listed(self, node: exp.Tuple) -> str:
        """Write the values of a tuple without it: ClickHouse writes in (('a', 'b')) as in ('a', 'b')."""
        return self.listed(node.expressions)

    def function(self, name: str, arguments: list[Any]) -> str:
        """Write what is a cast to sqlglot and a call to ClickHouse in one way."""
        # Date '2025-01-01' is a cast to sqlglot and a call to ClickHouse.
        is_text = len(arguments) == 1 and isinstance(arguments[0], exp.Literal) and arguments[0].is_string
        if is_text and name in {"toDate", "toDateTime"}:
            return f"CAST({text(arguments[0].this)}, {text(name.removeprefix('to'))})"
        return super().function(name, arguments)
