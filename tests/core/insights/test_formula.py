import ast
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.insights.formula import MAX_DEPTH, MAX_LENGTH, FormulaError, formula_sql

VALUES = [0.0, 1.0, -2.5, 4.0]


def evaluated(text: str, values: dict[str, float]) -> float | None:
    """Evaluate a formula as Python reads it; a division by zero, and what takes it in, is None."""

    def value(node: ast.expr) -> float | None:
        match node:
            case ast.Constant(value=int() | float() as number):
                return float(number)
            case ast.Name(id=name):
                return values[name]
            case ast.UnaryOp(operand=operand):
                inner = value(operand)
                return None if inner is None else -inner
            case ast.BinOp(left=left, op=ast.Add() | ast.Sub() | ast.Mult() | ast.Div() as operator, right=right):
                first, second = value(left), value(right)
                if first is None or second is None or (isinstance(operator, ast.Div) and second == 0):
                    return None
                return {
                    ast.Add: first + second,
                    ast.Sub: first - second,
                    ast.Mult: first * second,
                    ast.Div: first / (second or 1),
                }[type(operator)]
            case _:
                raise AssertionError(ast.dump(node))

    return value(ast.parse(text, mode="eval").body)


def asked(sql: str, values: dict[str, float]) -> float | None:
    """Evaluate the SQL, which Python reads too when nullIf and null are given to it."""

    class Null(float):
        def _stay(self, _: object = None) -> "Null":
            return self

        __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __neg__ = _stay

    def null_if(value: float, other: float) -> float:
        return Null() if isinstance(value, Null) or value == other else value

    columns = {name.lower(): value for name, value in values.items()}
    result = eval(sql, {"__builtins__": {}}, columns | {"nullIf": null_if})  # noqa: S307 - of our own making
    return None if isinstance(result, Null) else result


texts = st.recursive(
    st.sampled_from(["A", "B", "C", "0", "2", "0.5", "100"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/"]), inner).map(" ".join),
        inner.map(lambda text: f"({text})"),
        inner.map(lambda text: f"-{text}"),
    ),
    max_leaves=8,
)


@given(text=texts.map(lambda text: f"A - A + {text}"), values=st.lists(st.sampled_from(VALUES), min_size=3, max_size=3))
def test_every_formula_is_worth_what_it_is_worth_in_python(text: str, values: list[float]) -> None:
    named = dict(zip("ABC", values, strict=True))
    if len(text) > MAX_LENGTH:
        return
    wanted = evaluated(text, named)
    got = asked(formula_sql(text, 3), named)
    assert got == wanted or (got is not None and wanted is not None and math.isclose(got, wanted))


@given(text=st.text(alphabet="AB9.()+-*/ ;'`{}\n\\é", max_size=30))
def test_whatever_is_written_gives_safe_sql_or_an_error_with_a_position(text: str) -> None:
    try:
        sql = formula_sql(text, 2)
    except FormulaError as error:
        sql = ""
        position = error.position
    else:
        position = 1
    assert 1 <= position <= len(text) + 1
    assert re.fullmatch(r"(?:nullIf|[ab]|\d+\.\d+(?:e[-+]\d+)?|[-+*/(), 0])*", sql)
    assert "--" not in sql
    assert "/*" not in sql


def test_a_rate_is_null_where_nothing_is_divided_by() -> None:
    assert formula_sql("A / B * 100", 2) == "((a / nullIf(b, 0)) * 100.0)"
    assert formula_sql("(A - B) / C", 3) == "((a - b) / nullIf(c, 0))"


def test_small_letters_and_missing_space_are_read_too() -> None:
    assert formula_sql("a/b", 2) == formula_sql(" A / B ", 2)


def test_two_minus_signs_begin_no_comment() -> None:
    assert formula_sql("A--B", 2) == "(a - (-b))"


@pytest.mark.parametrize(
    ("text", "position", "words"),
    [
        ("", 1, "ends where"),
        ("A /", 4, "ends where"),
        ("A / * B", 5, "'*'"),
        ("A B", 3, "no operator"),
        ("2A", 2, "no operator"),
        ("(A + B", 1, "never closed"),
        ("(A B)", 4, "no operator"),
        ("A + B)", 6, "closes nothing"),
        ("A + C", 5, "no series C, A to B"),
        ("A + 1,5", 6, "decimals with a point"),
        ("A ^ 2", 3, "'^'"),
        ("A; drop table x", 2, "';'"),
        ("2 * 3", 1, "names no series"),
        ("A + " + "-" * (MAX_DEPTH + 1) + "B", 4 + MAX_DEPTH + 2, "nested"),
        ("(" * (MAX_DEPTH + 1) + "A", MAX_DEPTH + 2, "nested"),
        ("A" + " " * MAX_LENGTH, MAX_LENGTH + 1, "at most"),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, position: int, words: str) -> None:
    with pytest.raises(FormulaError, match=re.escape(words)) as raised:
        formula_sql(text, 2)
    assert raised.value.position == position
    assert raised.value.problem()["position"] == position
    assert (raised.value.status, raised.value.code) == (422, "invalid_formula")
