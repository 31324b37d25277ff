"""Column lineage, as ClickHouse resolves it.

Its query tree says of each name in a statement which column of which table, subquery or alias it is, after the rules by
which the statement runs: a parser of SQL for many databases understands two thirds of the models. A column comes from
the columns that stand in its expression, not from those of conditions, keys, windows and joins.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

QUERY_TREE = "explain query tree passes = 1"
"""Names resolved and nothing else: later passes put parts of columns in place of columns, and leave some out."""
Column = tuple[str, str]
"""A table, as `database.table`, and the name of a column in it."""

_LINE = re.compile(r"( *)(?:([A-Z_]+) id: (\d+)(?:, )?)?(.*)")
_SOURCE = re.compile(r"\bcolumn_name: (.*), result_type: .*, source_id: (\d+)$")
_TYPE = re.compile(r"\b(?:result_type|constant_value_type): (.*?)(?:, source_id: \d+)?$")
_TABLE = re.compile(r"\btable_name: ([^,]+)")
_INDENT = 2


@dataclass(eq=False)
class _Node:
    """A line of the tree with what is indented below it: a node, or the heading of a part of one (without an id)."""

    kind: str
    text: str
    id: int | None = None
    children: list["_Node"] = field(default_factory=list["_Node"])

    def part(self, heading: str) -> list["_Node"]:
        """Return what stands under a heading; of the list that most have, its members."""
        for child in self.children:
            if child.id is None and child.text.strip() == heading:
                is_list = len(child.children) == 1 and child.children[0].kind == "LIST"
                return child.children[0].children if is_list else child.children
        return []

    def walk(self) -> Iterator["_Node"]:
        """Yield the node and all below it."""
        yield self
        for child in self.children:
            yield from child.walk()


_NOTHING = _Node("", "")


def column_lineage(tree: Iterable[str]) -> dict[str, frozenset[Column]]:
    """Return of each column of a statement which columns of tables its expression is made of.

    `tree` are the lines of the explanation that `QUERY_TREE` begins. A scalar subquery, and one after IN, stands in an
    expression with all its columns.
    """
    root = _read(tree)
    return dict(_Lineage(root).columns(root))


def _read(lines: Iterable[str]) -> _Node:
    top = _Node("", "")
    open_nodes = [top]
    for line in lines:
        indent, kind, number, text = _LINE.fullmatch(line).groups()  # pyright: ignore[reportOptionalMemberAccess] - any line fits
        node = _Node(kind or "", text, int(number) if number else None)
        del open_nodes[len(indent) // _INDENT + 1 :]
        open_nodes[-1].children.append(node)
        open_nodes.append(node)
    return top.children[0] if top.children else top


def _name(line: _Node, made: _Node) -> str:
    """Return the name in a line of name and type, both of which may have spaces; the expression tells the type."""
    told = _TYPE.search(made.text)
    return line.text.removesuffix(f" {told[1]}") if told else line.text.split(" ")[0]


def _together(origins: Iterable[frozenset[Column]]) -> frozenset[Column]:
    return frozenset[Column]().union(*origins)


class _Lineage:
    """What each column of a tree's statements comes from, found once."""

    def __init__(self, root: _Node) -> None:
        self._nodes = {node.id: node for node in reversed(list(root.walk())) if node.id is not None}
        self._found: dict[int | None, list[tuple[str, frozenset[Column]]]] = {}

    def columns(self, node: _Node) -> list[tuple[str, frozenset[Column]]]:
        """Return the columns of a query, or of a union with the names of its first query, in their order."""
        if node.id not in self._found:
            # What asks for itself meanwhile adds nothing.
            self._found[node.id] = []
            if node.kind == "UNION":
                members = [self.columns(member) for member in node.part("QUERIES")]
                found = [
                    (columns[0][0], _together(origins for _, origins in columns))
                    for columns in zip(*members, strict=False)
                ]
            else:
                named = zip(node.part("PROJECTION COLUMNS"), node.part("PROJECTION"), strict=False)
                found = [(_name(line, made), self._origins(made)) for line, made in named]
            self._found[node.id] = found
        return self._found[node.id]

    def _origins(self, node: _Node) -> frozenset[Column]:
        if node.kind == "COLUMN":
            return self._origins_of_column(node)
        if node.kind in {"QUERY", "UNION"}:
            return _together(origins for _, origins in self.columns(node))
        if node.kind == "WINDOW":
            return frozenset()
        return _together(map(self._origins, node.children))

    def _origins_of_column(self, node: _Node) -> frozenset[Column]:
        found = _SOURCE.search(node.text)
        source = self._nodes.get(int(found[2])) if found else None
        if found is None or source is None:
            return frozenset()
        if source.kind in {"QUERY", "UNION"}:
            return next((origins for name, origins in self.columns(source) if name == found[1]), frozenset())
        if source.kind == "TABLE":
            table = _TABLE.search(source.text)
            return frozenset({(table[1], found[1])}) if table else frozenset()
        if source.kind == "LAMBDA":
            # What a lambda is called with stands beside it.
            return frozenset()
        # What an ARRAY JOIN or a USING makes of others stands where it is made.
        made = (other for other in source.walk() if other.children and other.text.endswith(found[0]))
        return _together(map(self._origins, next(made, _NOTHING).children))
