"""Where the rows of an INSERT begin in a query text."""

from dataclasses import dataclass

from runtime.clickhouse.formats import check_name
from runtime.clickhouse.lexer import Kind, Token, tokens

_SPACES = " \t\f"


@dataclass(frozen=True, slots=True)
class InsertHead:
    """An INSERT up to its rows: `text` without the FORMAT clause, `format`, and where the rows begin in the query."""

    text: str
    format: str
    data_start: int
    is_values: bool
    input: "InputCall | None" = None
    settings_start: int | None = None
    """Where the SETTINGS of the insert begin in `text`, when it has any."""

    def __post_init__(self) -> None:
        """Raise ClickHouseError when `format` is no name."""
        check_name(self.format)


@dataclass(frozen=True, slots=True)
class InputCall:
    """The call `input('structure')` in an INSERT … SELECT that reshapes its rows, and where it stands in the head."""

    structure: str
    start: int
    end: int


def parse_insert(text: str) -> InsertHead | None:
    """Find where the rows of an INSERT begin; None when it has none, or its head isn't complete.

    That is behind `values`, or behind `format X`, also that of `insert … select … from input('…') format X`. The rows
    are never looked at. As in ClickHouse, they begin behind the line break that follows the format's name.
    """
    scan = _Scan(text)
    for index, token in enumerate(tokens(text)):
        if (index == 0 and token.keyword != "INSERT") or scan.ends_without_rows(token):
            return None
        head = scan.take(token) if index > 1 else None
        if head is not None:
            return head
        scan.previous = [*scan.previous[-2:], token]
    return None


class _Scan:
    """Goes through the tokens of an INSERT."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._depth = 0
        self._is_select = False
        self._input: InputCall | None = None
        self._settings_start: int | None = None
        self.previous: list[Token] = []

    def ends_without_rows(self, token: Token) -> bool:
        """Say whether no rows can follow: at the end of the statement, or when they are in a file."""
        is_end = token.value == ";" and token.kind is Kind.OTHER
        return self._depth == 0 and (is_end or token.keyword == "INFILE")

    def take(self, token: Token) -> InsertHead | None:
        """Take in one token; returns the head when the token ends it."""
        if token.kind is Kind.OTHER:
            self._depth += (token.value in "([{") - (token.value in ")]}")
            if self._is_select and token.value == ")":
                self._input = self._input_call(token) or self._input
            return None
        if self._depth:
            return None
        before = self.previous[-1]
        if token.keyword == "VALUES" and not self._is_select and not _is_name(before):
            return self._head("Values", token.start, token.end, is_values=True)
        may_have_rows = self._input is not None or not self._is_select
        if before.keyword == "FORMAT" and token.kind is Kind.WORD and may_have_rows:
            is_values = token.value.lower() == "values" and self._input is None
            return self._head(token.value, before.start, _rows_start(self._text, token.end), is_values=is_values)
        if token.keyword == "SETTINGS" and not _is_name(before):
            self._settings_start = token.start
        self._is_select = self._is_select or token.keyword in {"SELECT", "WITH"}
        return None

    def _head(self, name: str, end: int, data_start: int, *, is_values: bool) -> InsertHead:
        return InsertHead(
            text=self._text[:end],
            format=name,
            data_start=data_start,
            is_values=is_values,
            input=self._input,
            settings_start=self._settings_start,
        )

    def _input_call(self, last: Token) -> InputCall | None:
        if len(self.previous) < len(("input", "(", "structure")):
            return None
        name, opening, structure = self.previous
        if name.name == "input" and opening.value == "(" and structure.kind is Kind.STRING:
            return InputCall(structure.value, name.start, last.end)
        return None


def _is_name(previous: Token) -> bool:
    """Tell the table in `insert into values …` and `insert into db.values …` from the keyword."""
    return previous.keyword in {"INTO", "TABLE"} or previous.value == "."


def _rows_start(text: str, position: int) -> int:
    while position < len(text) and text[position] in _SPACES:
        position += 1
    if text[position : position + 1] == "\r":
        position += 1
    if text[position : position + 1] == "\n":
        position += 1
    return position
