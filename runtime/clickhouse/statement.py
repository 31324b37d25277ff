"""What a query text is: its first word, its output format, where the rows of an insert begin."""

import re
from dataclasses import dataclass
from functools import lru_cache

from runtime.clickhouse.lexer import Kind, Token, tokens

_SELECTS = {"SELECT", "WITH", "FROM"}
_ANSWERING = _SELECTS | {"SHOW", "DESCRIBE", "DESC", "EXPLAIN", "EXISTS", "CHECK", "KILL", "WATCH", "BACKUP", "RESTORE"}
# Nothing that a query without FROM and without arguments returns can be large: such a query needs no streaming.
_SMALL = re.compile(r"\A\s*select\b(?:(?!\bfrom\b)[^()]|\(\))*\Z", re.IGNORECASE)
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


@dataclass(frozen=True, slots=True)
class InputCall:
    """The call `input('structure')` in an INSERT … SELECT that reshapes its rows, and where it stands in the head."""

    structure: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class FormatClause:
    """A trailing FORMAT clause and where it stands."""

    name: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Statement:
    """A query text that isn't an insert with rows."""

    text: str
    first: str
    second: str
    format: FormatClause | None
    end: int
    """Where the last significant token ends, a closing semicolon left out."""

    @property
    def is_select(self) -> bool:
        """Say whether it can be streamed."""
        return self.first in _SELECTS or self.first == "("

    @property
    def is_small(self) -> bool:
        """Say whether the answer is small whatever the tables hold."""
        return _SMALL.match(self.text) is not None

    @property
    def has_result(self) -> bool:
        """Say whether it answers with rows."""
        return self.is_select or self.first in _ANSWERING

    @property
    def changes_context(self) -> bool:
        """Say whether it leaves something behind in its engine handle: a setting, a database, a temporary table."""
        return self.first in {"SET", "USE"} or (
            self.first in {"CREATE", "ATTACH", "DROP", "REPLACE"} and "temporary" in self.text.lower()
        )

    def to_file(self, path: str, name: str) -> str:
        """Return the query with its result written to `path` in format `name`, as one document."""
        clause = f" into outfile '{path}' truncate format {name} "
        if self.format is None:
            return self.text[: self.end] + clause
        return self.text[: self.format.start] + clause + self.text[self.format.end : self.end]


def first_word(text: str) -> str:
    """Return the first significant token, as upper case; empty for an empty query."""
    for token in tokens(text):
        return token.value.upper()
    return ""


def parse(text: str) -> Statement:
    """Look at a whole query."""
    if len(text) > _CACHED_LENGTH:
        return _parse(text)
    return _parse_cached(text)


_CACHED_LENGTH = 8192


def _parse(text: str) -> Statement:
    found = list(tokens(text))
    while found and found[-1].value == ";" and found[-1].kind is Kind.OTHER:
        found.pop()
    first = found[0].value.upper() if found else ""
    second = found[1].keyword if len(found) > 1 else ""
    end = found[-1].end if found else 0
    return Statement(text, first, second, _format_clause(found), end)


_parse_cached = lru_cache(maxsize=2048)(_parse)


def _format_clause(found: list[Token]) -> FormatClause | None:
    depth = 0
    clause = None
    for index, token in enumerate(found):
        if token.kind is Kind.OTHER:
            depth += (token.value in "([{") - (token.value in ")]}")
            continue
        if depth or token.keyword != "FORMAT" or index == 0 or index + 1 >= len(found):
            continue
        name = found[index + 1]
        after = found[index + 2].keyword if index + 2 < len(found) else "SETTINGS"
        # `select format from t` has the word, not the clause: the clause ends the query, but for settings.
        if name.kind in {Kind.WORD, Kind.QUOTED} and after == "SETTINGS":
            clause = FormatClause(name.value, token.start, name.end)
    return clause


def parse_insert(text: str) -> InsertHead | None:
    """Find where the rows of an INSERT begin; None when it has none, or its head isn't complete.

    That is behind `values`, or behind `format X`, also that of `insert … select … from input('…') format X`. The rows
    are never looked at. As in ClickHouse, they begin behind the line break that follows the format's name.
    """
    depth = 0
    is_select = False
    call: InputCall | None = None
    settings_start: int | None = None
    previous: list[Token] = []
    for index, token in enumerate(tokens(text)):
        if index == 0 and token.keyword != "INSERT":
            return None
        if token.kind is Kind.OTHER:
            if token.value == ";" and depth == 0:
                return None
            depth += (token.value in "([{") - (token.value in ")]}")
            if is_select and token.value == ")":
                call = _input_call(previous, token) or call
        elif depth == 0 and index > 1:
            before = previous[-1]
            if token.keyword == "VALUES" and not is_select and not _is_name(before):
                return InsertHead(
                    text[: token.start], "Values", token.end, is_values=True, settings_start=settings_start
                )
            if before.keyword == "FORMAT" and token.kind is Kind.WORD and (call is not None or not is_select):
                return InsertHead(
                    text[: before.start],
                    token.value,
                    _rows_start(text, token.end),
                    is_values=token.value.lower() == "values" and call is None,
                    input=call,
                    settings_start=settings_start,
                )
            if token.keyword == "INFILE":
                return None
            if token.keyword == "SETTINGS" and not _is_name(before):
                settings_start = token.start
            is_select = is_select or token.keyword in {"SELECT", "WITH"}
        previous.append(token)
        del previous[:-3]
    return None


def _input_call(previous: list[Token], last: Token) -> InputCall | None:
    if len(previous) < len(("input", "(", "structure")):
        return None
    name, opening, structure = previous
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
