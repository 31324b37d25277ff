"""Formulas over the series of a trend, such as `A / B * 100`, as SQL.

formula = sum
sum     = product {("+" | "-") product}
product = factor {("*" | "/") factor}
factor  = "-" factor | "(" sum ")" | number | letter
"""

import re
from dataclasses import dataclass
from typing import ClassVar

from core.errors import RadixError

MAX_LENGTH = 200
MAX_DEPTH = 20
"""How deep parentheses and minus signs may stand in each other."""
MAX_SERIES = 26

_TOKEN = re.compile(r"\s*(?:(?P<number>\d+(?:\.\d+)?|\.\d+)|(?P<letter>[A-Za-z])|(?P<sign>[-+*/()]))", re.ASCII)
_SPACE = re.compile(r"\s*", re.ASCII)


class FormulaError(RadixError):
    """A formula that cannot be read; `position` is the character, from 1, at which it goes wrong."""

    status: ClassVar[int] = 422
    code: ClassVar[str] = "invalid_formula"
    title: ClassVar[str] = "The formula cannot be read"

    def __init__(self, detail: str, position: int) -> None:
        super().__init__(f"{detail} (character {position})", position=position)
        self.position = position


def formula_sql(text: str, series: int) -> str:
    """Return a formula as a SQL expression over the columns a, b, c …, one for each of `series` series.

    A division by zero gives null, and so does whatever takes in a null. Letters may be small. Raises `FormulaError`.

        >>> formula_sql("A / B * 100", 2)
        '((a / nullIf(b, 0)) * 100.0)'
    """
    if len(text) > MAX_LENGTH:
        raise FormulaError(f"The formula has {len(text)} characters; at most {MAX_LENGTH} are read", MAX_LENGTH + 1)
    parser = _Parser(text, _tokens(text), series)
    sql = parser.sum(0)
    parser.expect_end()
    if not parser.names_series:
        raise FormulaError("The formula names no series; write A for the first one", 1)
    return sql


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    position: int


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    at = 0
    while (start := _skip_space(text, at)) < len(text):
        match = _TOKEN.match(text, start)
        if match is None or match.lastgroup is None:
            hint = "; write decimals with a point" if text[start] == "," else ""
            raise FormulaError(f"{text[start]!r} means nothing in a formula{hint}", start + 1)
        found.append(_Token(match.lastgroup, match[match.lastgroup], start + 1))
        at = match.end()
    return found


def _skip_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


class _Parser:
    """Reads tokens from left to right; every method returns the SQL of what it has read."""

    def __init__(self, text: str, tokens: list[_Token], series: int) -> None:
        self._tokens = tokens
        self._end = _Token("end", "", len(text) + 1)
        self._next = 0
        self._series = min(series, MAX_SERIES)
        self.names_series = False

    def sum(self, depth: int) -> str:
        sql = self._product(depth)
        while self._peek().text in {"+", "-"}:
            operator = self._take().text
            sql = f"({sql} {operator} {self._product(depth)})"
        return sql

    def expect_end(self) -> None:
        token = self._peek()
        if token.text == ")":
            raise FormulaError("This ')' closes nothing", token.position)
        if token.kind != "end":
            raise FormulaError(f"Before {token.text!r} stands no operator: write +, -, * or /", token.position)

    def _product(self, depth: int) -> str:
        sql = self._factor(depth)
        while self._peek().text in {"*", "/"}:
            if self._take().text == "*":
                sql = f"({sql} * {self._factor(depth)})"
            else:
                sql = f"({sql} / nullIf({self._factor(depth)}, 0))"
        return sql

    def _factor(self, depth: int) -> str:
        token = self._take()
        if depth > MAX_DEPTH:
            raise FormulaError(f"The formula is nested deeper than {MAX_DEPTH} levels", token.position)
        if token.text == "-":
            # In parentheses: two minus signs in a row would begin a comment.
            return f"(-{self._factor(depth + 1)})"
        if token.text == "(":
            sql = self.sum(depth + 1)
            closing = self._peek()
            if closing.text != ")":
                if closing.kind == "end":
                    raise FormulaError("This '(' is never closed", token.position)
                self.expect_end()
            self._take()
            return sql
        if token.kind == "number":
            # Written anew from its value, so that nothing of the text reaches the SQL.
            return repr(float(token.text))
        if token.kind == "letter":
            return self._column(token)
        if token.kind == "end":
            raise FormulaError("The formula ends where a series or a number should stand", token.position)
        raise FormulaError(f"Where {token.text!r} stands, a series or a number should", token.position)

    def _column(self, token: _Token) -> str:
        number = ord(token.text.upper()) - ord("A")
        if number >= self._series:
            known = "only A" if self._series == 1 else f"A to {chr(ord('A') + self._series - 1)}"
            raise FormulaError(f"There is no series {token.text.upper()}, {known}", token.position)
        self.names_series = True
        return token.text.lower()

    def _peek(self) -> _Token:
        return self._tokens[self._next] if self._next < len(self._tokens) else self._end

    def _take(self) -> _Token:
        token = self._peek()
        self._next += 1
        return token
