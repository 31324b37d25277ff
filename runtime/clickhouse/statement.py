"""What a query text is: its first word, its output format, and how to have its result written to a file."""

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from runtime.clickhouse.formats import check_name
from runtime.clickhouse.lexer import Kind, Token, tokens

_SELECTS = {"SELECT", "WITH", "FROM"}
_ANSWERING = _SELECTS | {"SHOW", "DESCRIBE", "DESC", "EXPLAIN", "EXISTS", "CHECK", "KILL", "WATCH", "BACKUP", "RESTORE"}
# Nothing that a query without FROM and without arguments returns can be large: such a query needs no streaming.
_SMALL = re.compile(r"\A\s*select\b(?:(?!\bfrom\b)[^()]|\(\))*\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FormatClause:
    """A trailing FORMAT clause and where it stands."""

    name: str
    start: int
    end: int

    def __post_init__(self) -> None:
        """Raise ClickHouseError when it names no format: a quoted name may hold anything."""
        check_name(self.name)


@dataclass(frozen=True, slots=True)
class Statement:
    """A query text that isn't an insert with rows."""

    text: str
    first: str
    second: str
    format: FormatClause | None
    end: int
    """Where the last significant token ends, a closing semicolon left out."""
    writes_file: bool = False
    """Whether it says INTO OUTFILE itself."""

    @property
    def is_select(self) -> bool:
        """Say whether it can be streamed."""
        return (self.first in _SELECTS or self.first == "(") and not self.writes_file

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
    writes_file = any(token.keyword == "OUTFILE" and before.keyword == "INTO" for before, token in pairwise(found))
    return Statement(text, first, second, _format_clause(found), end, writes_file)


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
