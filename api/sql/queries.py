"""Writes queries from a tree: every table as a query of the project's rows of it, and names of queries made anew.

Where a name is read as another query than ClickHouse would read it as, the result fails and tells nothing: no bare name
of the caller's stands where a table may.
"""

from collections.abc import Collection
from typing import Any

from sqlglot import exp

from api.sql.calls import CallWriter
from api.sql.grammar import Parsed
from api.sql.writing import RESERVED, quoted

_PROJECT = "{project_id:UInt32}"
_SIDES = {"", "LEFT", "RIGHT", "FULL", "INNER"}
_KINDS = {"", "INNER", "OUTER", "CROSS", "ANY", "ALL", "SEMI", "ANTI", "ASOF"}
_MAX_DEPTH = 100
# How joins of more than these are ordered, ClickHouse thinks about for minutes.
_MAX_TABLES = 30
# Words for what is so without them.
_PLAIN_KINDS = {"INNER", "OUTER", "CROSS", "ALL"}
_SET_OPERATIONS: dict[type[exp.Expr], str] = {exp.Union: "union", exp.Intersect: "intersect", exp.Except: "except"}


class StatementWriter(CallWriter):
    """Writes one statement of one project."""

    def __init__(self, parsed: Parsed, database: str, tables: Collection[str]) -> None:
        super().__init__(parsed)
        self._database = database
        self._tables = tables
        self._queries: dict[str, str] = {}
        self._made = 0
        self._read = 0
        self._depth = 0
        self.sources: list[str] = []
        """The tables that were written, each once."""

    def statement(self, rows: int) -> str:
        """Write the whole statement, of at most so many rows; its columns are called `materialize(name)`.

        A column of one value (`repeat('x', 1e6)`) would count as that one value where ClickHouse limits the bytes of a
        result.
        """
        tree = unwrapped(self.parsed.tree)
        if type(tree) in _SET_OPERATIONS:
            written = f"{self.query(tree)}\n)\nlimit {rows}"
        else:
            written = f"{self._named(tree, rows)}\n)"
        return f"select * apply(materialize)\nfrom (\n{written}"

    def query(self, node: exp.Expr) -> str:
        """Write a query, without brackets around it."""
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            self.refuse(node, "The statement is nested too deep.")
        written = self._named(unwrapped(node), None)
        self._depth -= 1
        return written

    def queried_name(self, node: exp.Column) -> str | None:
        """Write the query of all rows of a table that is meant by a bare name; None where it is no table."""
        parts = [node.args.get("table"), node.this]
        if node.args.get("db") is not None or not isinstance(node.this, exp.Identifier):
            return None
        database, name = parts[0], node.this.this
        if database is None and name in self._queries:
            return f"select * from {self.made_query(name)}"  # noqa: S608 - made here, see made_name
        if name in self._tables and (database is None or database.name == self._database):
            return f"select * from {self.table(name)}"  # noqa: S608 - see table
        return None

    def qualifiers(self, parts: list[exp.Expr]) -> list[exp.Expr]:
        """Leave out the database before a table before a column: the table's name has none any more."""
        is_ours = len(parts) > 1 and parts[0].name == self._database and parts[1].name in self._tables
        return parts[1:] if is_ours else parts

    def table(self, name: str) -> str:
        """Write a table of the marts: the project's rows, which are picked before anything else looks at a row.

        Prewhere, because of conditions in one where any may be computed first, on rows of others too, and fail there.
        """
        source = f"{self._database}.{name}"
        if source not in self.sources:
            self.sources.append(source)
        own = f"{RESERVED}_source"
        # The name is one of those that were looked up.
        rows = f"select * from {quoted(self._database)}.{quoted(name)} as {own}"  # noqa: S608 - see above
        return f"({rows} prewhere {own}.project_id = {_PROJECT})"

    def made_name(self, name: str) -> str:
        """Return what a query that the statement names is called from now on: as no table can be."""
        self._made += 1
        return f"{RESERVED}_{self._made}_{''.join(each for each in name if each.isascii() and each.isalnum())[:40]}"

    def made_query(self, name: str) -> str:
        """Write a query that the statement named before."""
        return self._queries[name]

    def _named(self, node: exp.Expr, rows: int | None) -> str:
        """Write a query with the queries that it names before it."""
        outer = dict(self._queries)
        named = node.args.get("with_")
        beginning = "" if named is None else self._with(named) + "\n"
        if isinstance(node, exp.Select):
            written = self._select(node, rows)
        elif type(node) in _SET_OPERATIONS:
            written = self._set_operation(node)
        else:
            self.refuse(node, "A select is expected.")
        self._queries = outer
        return beginning + written

    def _with(self, node: exp.With) -> str:
        self.of(node, "expressions", "recursive")
        written: list[str] = []
        names: set[str] = set()
        for each in node.expressions:
            if not isinstance(each, exp.CTE):
                self.refuse(each, "A query with a name is expected.")
            self.of(each, "alias", "scalar")
            alias = self._alias_name(each)
            if alias in names:
                self.invalid(each, f"Two queries are named {alias}.")
            names.add(alias)
            if each.args.get("scalar"):
                written.append(f"{self.write(each.this)} as {quoted(alias)}")
                continue
            made = self.made_name(alias)
            known = dict(self._queries)
            if node.args.get("recursive"):
                self._queries[alias] = made
            body = self.query(each.this)
            self._queries = known | {alias: made}
            written.append(f"{made} as (\n{body}\n)")
        return ("with recursive " if node.args.get("recursive") else "with ") + ",\n".join(written)

    def _alias_name(self, node: exp.Expr) -> str:
        alias = node.args.get("alias")
        if (
            not isinstance(alias, exp.TableAlias)
            or not isinstance(alias.this, exp.Identifier)
            or alias.args.get("columns")
        ):
            self.refuse(node, "One name is expected.")
        self.name(alias.this)
        return alias.this.this

    def _set_operation(self, node: Any) -> str:
        self.of(node, "distinct", "with_")
        operands: list[str] = []
        for operand in (node.this, node.expression):
            inner = unwrapped(operand)
            is_bare = inner is operand and type(inner) in _SET_OPERATIONS
            if is_bare and (type(inner) is not type(node) or operand is node.expression):
                self.refuse(operand, "Put brackets around one of the different set operations.")
            operands.append(self.query(operand))
        words = f"{_SET_OPERATIONS[type(node)]} {'distinct' if node.args.get('distinct') else 'all'}"
        return f"(\n{operands[0]}\n)\n{words}\n(\n{operands[1]}\n)"

    def _select(self, node: exp.Select, rows: int | None) -> str:
        self.of(
            node, "with_", "expressions", "distinct", "from_", "joins", "where", "group", "having", "qualify",
            "windows", "order", "limit", "offset",
        )  # fmt: skip
        if not node.expressions:
            self.refuse(node, "A select names what it returns.")
        distinct = node.args.get("distinct")
        if distinct is not None:
            self.of(distinct, "expressions")
        lines = [f"select{' distinct' if distinct else ''} {self.listed(node.expressions)}"]
        if source := node.args.get("from_"):
            lines.append(f"from {self._source(self.of(source).this)}")
        lines += [self._join(each) for each in node.args.get("joins") or []]
        for key in ("where", "group", "having"):
            clause = node.args.get(key)
            if isinstance(clause, exp.Group):
                lines.append(self._group(clause))
            elif clause is not None:
                lines.append(f"{key} {self.write(self.of(clause).this)}")
        if windows := node.args.get("windows"):
            lines.append("window " + ", ".join(self._named_window(each) for each in windows))
        if qualify := node.args.get("qualify"):
            lines.append(f"qualify {self.write(self.of(qualify).this)}")
        if order := node.args.get("order"):
            lines.append(self.order(order))
        return "\n".join([*lines, *self._limits(node, rows)])

    def _limits(self, node: exp.Select, rows: int | None) -> list[str]:
        limit, offset = node.args.get("limit"), node.args.get("offset")
        if limit is not None and not isinstance(limit, exp.Limit):
            self.refuse(node, "Write limit.")
        by = limit.expressions if limit is not None else []
        count = None if limit is None else self.write(self.of(limit, "expressions").expression)
        if offset is not None:
            by = self.of(offset, "expressions").expressions or by
        skipped = "" if offset is None else f" offset {self.write(offset.expression)}"
        if count is not None and by:
            lines = [f"limit {count}{skipped} by {self.listed(by)}"]
            return lines if rows is None else [*lines, f"limit {rows}"]
        if rows is not None:
            count = str(rows) if count is None else f"least({count}, {rows})"
        return [part for part in ("" if count is None else f"limit {count}", skipped.strip()) if part]

    def _group(self, node: exp.Group) -> str:
        self.of(node, "expressions", "all", "rollup", "cube")
        if node.args.get("all"):
            return "group by all"
        keys, totals = node.expressions, [*(node.args.get("rollup") or []), *(node.args.get("cube") or [])]
        if len(keys) == 1 and isinstance(keys[0], (exp.Rollup, exp.Cube)):
            totals = keys
            keys = self.of(keys[0], "expressions").expressions
        elif totals and totals[0].expressions:
            self.refuse(node, "One rollup or cube of all keys is expected.")
        if len(totals) > 1:
            self.refuse(node, "One rollup or cube of all keys is expected.")
        return f"group by {self.listed(keys)}" + "".join(f" with {each.key}" for each in totals)

    def _named_window(self, node: exp.Window) -> str:
        self.of(node, "partition_by", "order", "spec")
        return f"{self.name(node.this)} as ({self.window(node)})"

    def _source(self, node: Any) -> str:
        """Write what stands where a table may: one of the marts, a query that was named, or a query."""
        if isinstance(node, exp.Subquery):
            self.of(node, "alias")
            written, name = f"(\n{self.query(node.this)}\n)", None
        elif isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
            self.of(node, "db", "alias")
            self._read += 1
            if self._read > _MAX_TABLES:
                self.refuse(node, f"The statement reads more than {_MAX_TABLES} tables.")
            written, name = self._table_or_query(node), node.this.this
        else:
            self.refuse(node, "A table of the project or a query is expected here; there are no table functions.")
        alias = node.args.get("alias")
        if alias is not None:
            name = self._alias_name(node)
        return written if name is None else f"{written} as {quoted(name)}"

    def _table_or_query(self, node: exp.Table) -> str:
        self.name(node.this)
        name, database = node.this.this, node.args.get("db")
        if database is None and name in self._queries:
            return self.made_query(name)
        is_ours = database is None or (isinstance(database, exp.Identifier) and database.this == self._database)
        if not is_ours or name not in self._tables:
            shown = name if database is None else f"{database.name}.{name}"
            where = "GET /v1/projects/{project_id}/sql/tables lists them."
            self.refuse(node, f"There is no table {shown[:100]} for this project. {where}")
        return self.table(name)

    def _join(self, node: exp.Join) -> str:
        self.of(node, "side", "kind", "on", "using", "expressions")
        side, kind = str(node.args.get("side") or "").upper(), str(node.args.get("kind") or "").upper()
        if kind == "ARRAY" and side in {"", "LEFT"}:
            arrays = [self.write(each) for each in (node.this, *node.expressions)]
            return f"{side} array join ".lower().lstrip() + ", ".join(arrays)
        if side not in _SIDES or kind not in _KINDS or node.expressions:
            self.refuse(node, "This kind of join is not allowed.")
        strictness = kind if kind not in _PLAIN_KINDS else ""
        side = side or ("CROSS" if kind == "CROSS" else "INNER")
        words = " ".join(word.lower() for word in (side, strictness, "join") if word)
        written = f"{words} {self._source(node.this)}"
        if condition := node.args.get("on"):
            return f"{written} on {self.write(condition)}"
        if using := node.args.get("using"):
            return f"{written} using ({self.names(using)})"
        return written


def unwrapped(node: Any) -> Any:
    """Return what stands in brackets that say nothing."""
    while isinstance(node, (exp.Subquery, exp.Paren)) and not any(
        value for key, value in node.args.items() if key != "this"
    ):
        node = node.this
    return node
