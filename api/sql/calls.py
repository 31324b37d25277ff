"""Writes calls of functions from a tree, with windows and orders."""

from typing import Any

from sqlglot import exp

from api.sql.expressions import ExpressionWriter
from api.sql.functions import known_function, takes_function
from api.sql.grammar import Parsed
from api.sql.writing import description


class CallWriter(ExpressionWriter):
    """Writes calls of the functions that are known."""

    def __init__(self, parsed: Parsed) -> None:
        super().__init__(parsed)
        self.writers |= {
            exp.AnonymousAggFunc: self._call,
            exp.ParameterizedAgg: self._call,
            exp.Window: self._window,
        }

    def _call(self, node: exp.AnonymousAggFunc | exp.ParameterizedAgg) -> str:
        called = self.parsed.called(node)
        if called is None:
            self.refuse(node, f"{description(node)} is not allowed.")
        self.of(node, "expressions", "params")
        arguments, outer = node.expressions, node.args.get("params")
        is_distinct = len(arguments) == 1 and isinstance(arguments[0], exp.Distinct)
        if is_distinct:
            arguments = self.of(arguments[0], "expressions").expressions
            if (name := known_function(f"{called}Distinct")) is None:
                self.refuse(node, f"{called} takes no distinct.")
            called = name
        written = self.function(called, arguments)
        return written if outer is None else f"{written}({self.listed(outer)})"

    def function(self, name: str, arguments: list[Any]) -> str:
        """Write the call of a known function."""
        first = arguments[0] if arguments else None
        if takes_function(name, len(arguments)) and not isinstance(first, (exp.Lambda, exp.Literal)):
            self.refuse(first, f"The first argument of {name} is x -> ….")
        if isinstance(first, exp.Lambda):
            if not takes_function(name, len(arguments)):
                self.refuse(first, f"{name} takes no x -> ….")
            rest = "".join(f", {self.write(each)}" for each in arguments[1:])
            return f"{name}({self._lambda(first)}{rest})"
        return f"{name}({self.listed(arguments)})"

    def _lambda(self, node: exp.Lambda) -> str:
        self.of(node, "expressions")
        return f"({', '.join(self.name(each) for each in node.expressions)}) -> {self.write(node.this)}"

    def _window(self, node: exp.Window) -> str:
        if not isinstance(node.this, (exp.AnonymousAggFunc, exp.ParameterizedAgg)):
            self.refuse(node, "A window function is expected before over.")
        self.of(node, "partition_by", "order", "spec", "over", "alias")
        if node.args.get("over") != "OVER":
            self.refuse(node, "Over is expected.")
        of_name = node.args.get("alias")
        if of_name is not None and not any(node.args.get(key) for key in ("partition_by", "order", "spec")):
            return f"{self.write(node.this)} over {self.name(of_name)}"
        return f"{self.write(node.this)} over ({self.window(node)})"

    def window(self, node: exp.Window) -> str:
        """Write what stands in a window's brackets."""
        parts: list[str] = []
        if partition := node.args.get("partition_by"):
            parts.append(f"partition by {self.listed(partition)}")
        if order := node.args.get("order"):
            parts.append(self.order(order))
        if spec := node.args.get("spec"):
            parts.append(self._frame(spec))
        return " ".join(parts)

    def _frame(self, node: exp.WindowSpec) -> str:
        self.of(node, "kind", "start", "start_side", "end", "end_side")
        kind = str(node.args["kind"]).lower()
        bounds: list[str] = []
        for bound, side in (("start", "start_side"), ("end", "end_side")):
            value, where = node.args.get(bound), str(node.args.get(side) or "").lower()
            if value is None:
                continue
            known = {"UNBOUNDED": "unbounded", "CURRENT ROW": "current row"}
            written = known.get(value) if isinstance(value, str) else self.write(value)
            if written is None or where not in {"", "preceding", "following"}:
                self.refuse(node, "This frame is not allowed.")
            bounds.append(f"{written} {where}".strip())
        if kind not in {"rows", "range"} or not bounds:
            self.refuse(node, "This frame is not allowed.")
        return f"{kind} {bounds[0]}" if len(bounds) == 1 else f"{kind} between {' and '.join(bounds)}"

    def order(self, node: exp.Order) -> str:
        """Write an order."""
        return "order by " + ", ".join(self._ordered(each) for each in self.of(node, "expressions").expressions)

    def _ordered(self, node: exp.Ordered) -> str:
        self.of(node, "desc", "nulls_first", "with_fill")
        written = self.write(node.this) + (" desc" if node.args.get("desc") else " asc")
        if node.args.get("nulls_first"):
            written += " nulls first"
        fill = node.args.get("with_fill")
        if fill is None:
            return written
        self.of(fill, "from_", "to", "step")
        bounds = {"from": fill.args.get("from_"), "to": fill.args.get("to"), "step": fill.args.get("step")}
        return f"{written} with fill" + "".join(f" {key} {self.write(each)}" for key, each in bounds.items() if each)
