"""Writes expressions of ClickHouse SQL from a tree: kind by kind, and no other kind than those.

Nothing of the caller's text gets into the result but names, in quotes, texts and numbers, escaped, and functions that
are known. Every operator stands in brackets, so that no rule of precedence is asked.
"""

import re
from abc import abstractmethod
from typing import Any

from sqlglot import exp
from sqlglot.errors import SqlglotError

from api.sql.grammar import Parsed, read_type
from api.sql.types import type_name
from api.sql.writing import RESERVED, Writer, description, text

_NUMBER = re.compile(r"\d+|(?:\d+\.\d*|\.?\d+)(?:[eE][+-]?\d+)?")
_PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_UNITS = {
    unit.upper(): f"toInterval{unit}"
    for unit in ("Millisecond", "Second", "Minute", "Hour", "Day", "Week", "Month", "Quarter", "Year")
}
_BINARY: dict[type[exp.Expr], str] = {
    exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%", exp.EQ: "=", exp.NEQ: "!=", exp.LT: "<",
    exp.LTE: "<=", exp.GT: ">", exp.GTE: ">=", exp.NullSafeEQ: "<=>", exp.Like: "like", exp.ILike: "ilike",
}  # fmt: skip


class ExpressionWriter(Writer):
    """Writes expressions; how calls and queries in them are written, and names of tables, is for who inherits."""

    def __init__(self, parsed: Parsed) -> None:
        super().__init__(parsed)
        self.parameters: dict[str, str] = {}
        """The parameters that were written, with their types."""
        self.writers |= {
            exp.Alias: self._alias,
            exp.And: self._connector,
            exp.Array: self._array,
            exp.Between: self._between,
            exp.Boolean: self._boolean,
            exp.Bracket: self._bracket,
            exp.Case: self._case,
            exp.Cast: self._cast,
            exp.CastToStrType: self._cast_to_text,
            exp.Column: self._column,
            exp.DPipe: self._concat,
            exp.Dot: self._dot,
            exp.Exists: self._exists,
            exp.Identifier: self.name,
            exp.If: self._if,
            exp.In: self._in,
            exp.IntDiv: self._int_div,
            exp.Interval: self._interval,
            exp.Is: self._is,
            exp.Literal: self._literal,
            exp.Neg: self._neg,
            exp.Not: self._not,
            exp.Null: self._null,
            exp.Or: self._connector,
            exp.Paren: self._paren,
            exp.Placeholder: self._placeholder,
            exp.Star: self._star,
            exp.Subquery: self._subquery,
            exp.Tuple: self._tuple,
        }
        self.writers.update(dict.fromkeys(_BINARY, self._binary))

    @abstractmethod
    def queried_name(self, node: exp.Column) -> str | None:
        """Write the query of all rows of a table that is meant by a bare name; None where it is no table."""

    def names(self, nodes: list[Any]) -> str:
        """Write names of columns, with commas between them."""
        return ", ".join(self._column(node) if isinstance(node, exp.Column) else self.name(node) for node in nodes)

    def _boolean(self, node: Any) -> str:
        return "true" if node.this else "false"

    def _exists(self, node: Any) -> str:
        return f"exists({self.query(self.of(node).this)})"

    def _if(self, node: Any) -> str:
        return self.function("if", [self.of(node, "true", "false").this, node.args["true"], node.args["false"]])

    def _int_div(self, node: Any) -> str:
        return self.function("intDiv", [self.of(node).this, node.expression])

    def _neg(self, node: Any) -> str:
        return f"(-{self.write(self.of(node).this)})"

    def _null(self, _: Any) -> str:
        return "null"

    def _paren(self, node: Any) -> str:
        return self.write(self.of(node).this)

    def _subquery(self, node: Any) -> str:
        return f"({self.query(node)})"

    def _tuple(self, node: Any) -> str:
        return self.function("tuple", self.of(node, "expressions").expressions)

    def _alias(self, node: exp.Alias) -> str:
        return f"{self.write(node.this)} as {self.name(self.of(node, 'alias').args['alias'])}"

    def _array(self, node: exp.Array) -> str:
        return f"[{self.listed(self.of(node, 'expressions').expressions)}]"

    def _connector(self, node: exp.And | exp.Or) -> str:
        parts: list[str] = []
        rest: list[exp.Expr] = [node]
        while rest:
            part = rest.pop()
            if type(part) is type(node):
                rest += [self.of(part).expression, part.this]
            else:
                parts.append(self.write(part))
        return f"({f' {node.key} '.join(parts)})"

    def _binary(self, node: exp.Binary) -> str:
        is_negated = bool(self.of(node, "typed", "safe", "negate").args.get("negate"))
        written = f"({self.write(node.this)} {_BINARY[type(node)]} {self.write(node.expression)})"
        return f"(not {written})" if is_negated else written

    def _concat(self, node: exp.DPipe) -> str:
        parts: list[exp.Expr] = []
        rest: exp.Expr = node
        while isinstance(rest, exp.DPipe):
            parts.append(self.of(rest, "safe").expression)
            rest = rest.this
        return self.function("concat", [rest, *reversed(parts)])

    def _not(self, node: exp.Not) -> str:
        inner = self.of(node).this
        if isinstance(inner, exp.Between):
            return self._between(inner, is_negated=True)
        return f"(not {self.write(inner)})"

    def _between(self, node: exp.Between, *, is_negated: bool = False) -> str:
        self.of(node, "low", "high")
        this = self.write(node.this)
        low, high = self.write(node.args["low"]), self.write(node.args["high"])
        return (
            f"(({this} < {low}) or ({this} > {high}))" if is_negated else f"(({this} >= {low}) and ({this} <= {high}))"
        )

    def _is(self, node: exp.Is) -> str:
        if not isinstance(self.of(node).expression, exp.Null):
            self.refuse(node, "Write = true or = false.")
        return f"({self.write(node.this)} is null)"

    def _in(self, node: exp.In) -> str:
        self.of(node, "expressions", "query", "field")
        query, values, field = node.args.get("query"), node.expressions, node.args.get("field")
        if field is None and len(values) == 1:
            # ClickHouse reads `x in (name)` as `x in name`.
            field = values[0]
        while isinstance(field, (exp.Paren, exp.Alias)):
            field = field.this
        if query is not None:
            of_what = self.query(query)
        elif isinstance(field, exp.Column):
            found = self.queried_name(field)
            if found is None:
                self.refuse(field, "To the right of in stand values, a query or a table.")
            of_what = found
        elif isinstance(field, exp.Tuple):
            of_what = self.tuple_listed(field)
        elif isinstance(field, (exp.Identifier, exp.Star)) or (field is None and not values):
            # A name that stands alone is a table to ClickHouse, that of a lambda's argument too.
            self.refuse(node, "To the right of in stand values, a query or a table.")
        else:
            of_what = self.listed([field] if field is not None else values)
        return f"({self.write(node.this)} in ({of_what}))"

    def tuple_listed(self, node: exp.Tuple) -> str:
        """Write a tuple that is the only value of a list."""
        return self.write(node)

    def _bracket(self, node: exp.Bracket) -> str:
        self.of(node, "expressions")
        if len(node.expressions) != 1:
            self.refuse(node, "One index is expected.")
        return self.function("arrayElement", [node.this, node.expressions[0]])

    def _dot(self, node: exp.Dot) -> str:
        field = self.of(node).expression
        if isinstance(field, exp.Literal) and not field.is_string:
            return f"tupleElement({self.write(node.this)}, {self._literal(field)})"
        if not isinstance(field, exp.Identifier):
            self.refuse(field, f"{description(field)} is not allowed behind a dot.")
        if field.this.isdigit():
            return f"tupleElement({self.write(node.this)}, {field.this})"
        return f"tupleElement({self.write(node.this)}, {text(field.this)})"

    def _column(self, node: exp.Column) -> str:
        self.of(node, "table", "db", "catalog")
        parts = [node.args.get(key) for key in ("catalog", "db", "table")]
        written = [self.name(part) for part in self.qualifiers([part for part in parts if part is not None])]
        if isinstance(node.this, exp.Star):
            written.append(self._star(node.this))
        elif isinstance(node.this, exp.Literal) and written:
            written.append(self._literal(node.this))
        elif isinstance(node.this, exp.Identifier) and node.this.this.isdigit() and written:
            written.append(node.this.this)
        else:
            written.append(self.name(node.this))
        return ".".join(written)

    def qualifiers(self, parts: list[exp.Expr]) -> list[exp.Expr]:
        """Return what to write before a column's name of what was written there."""
        return parts

    def _star(self, node: exp.Star) -> str:
        self.of(node, "except_")
        left_out = node.args.get("except_")
        return f"* except ({self.names(left_out)})" if left_out else "*"

    def _case(self, node: exp.Case) -> str:
        self.of(node, "ifs", "default")
        default = node.args.get("default") or exp.Null()
        # As ClickHouse itself reads them.
        parts = [part for each in node.args["ifs"] for part in (each.this, each.args["true"])]
        if node.this is None:
            return self.function("multiIf", [*parts, default])
        return self.function("caseWithExpression", [node.this, *parts, default])

    def _cast(self, node: exp.Cast) -> str:
        return self.cast(self.of(node, "to").this, node.args["to"])

    def _cast_to_text(self, node: exp.CastToStrType) -> str:
        to = self.of(node, "to").args["to"]
        if not isinstance(to, exp.Literal) or not to.is_string:
            self.refuse(node, "A cast names its type.")
        try:
            return self.cast(node.this, read_type(to.this))
        except (SqlglotError, ValueError):
            self.refuse(to, "This type is not allowed.")

    def cast(self, node: exp.Expr, to: exp.Expr) -> str:
        """Write a cast."""
        kind = type_name(to)
        if kind is None:
            self.refuse(node, "This type is not allowed.")
        return f"CAST({self.write(node)}, {text(kind)})"

    def _interval(self, node: exp.Interval) -> str:
        unit = self.of(node, "unit").args.get("unit")
        function = _UNITS.get(unit.name.upper().removesuffix("S")) if isinstance(unit, exp.Var) else None
        if function is None:
            self.refuse(node, f"An interval is a number of one of {', '.join(_UNITS).lower()}.")
        number = node.this
        if isinstance(number, exp.Literal):
            number = exp.Literal.number(number.this)
        return self.function(function, [number])

    def _literal(self, node: exp.Literal) -> str:
        return text(node.this) if node.is_string else self.number(node)

    def number(self, node: exp.Literal) -> str:
        """Write a decimal number."""
        if not _NUMBER.fullmatch(node.this):
            self.refuse(node, f"{node.this[:50]} is not a decimal number.")
        return node.this

    def _placeholder(self, node: exp.Placeholder) -> str:
        self.of(node, "kind")
        kind = node.args.get("kind")
        declared = type_name(kind) if isinstance(kind, exp.Expr) else None
        name = node.this if isinstance(node.this, str) else node.name
        if declared is None or not _PARAMETER.fullmatch(name):
            self.refuse(node, "A parameter is {name:Type}, of a type for values.")
        if name.lower() == "project_id" or name.lower().startswith(RESERVED):
            self.refuse(node, f"{name} is set by the API and cannot be a parameter.")
        if self.parameters.setdefault(name, declared) != declared:
            self.refuse(node, f"The parameter {name} has two types.")
        return f"{{{name}:{declared}}}"
