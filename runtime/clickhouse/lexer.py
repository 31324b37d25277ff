"""Splits SQL into tokens the way ClickHouse's own lexer does, as far as access rules and rewriting need it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto


class Kind(Enum):
    """What a token is."""

    WORD = auto()
    QUOTED = auto()
    STRING = auto()
    OTHER = auto()


@dataclass(frozen=True, slots=True)
class Token:
    """One significant token: `value` is a word's text, a quoted name or a string without its quotes and escapes."""

    kind: Kind
    value: str
    start: int
    end: int

    @property
    def keyword(self) -> str:
        """Upper case of a bare word; empty for anything else, because a quoted name is never a keyword."""
        return self.value.upper() if self.kind is Kind.WORD else ""

    @property
    def name(self) -> str:
        """Lower case of a bare word or quoted name; empty for anything else."""
        return self.value.lower() if self.kind in {Kind.WORD, Kind.QUOTED} else ""


# A dollar sign goes on with a word, but not with a number; where neither is under way it may begin a here document.
_TOKEN = re.compile(
    r"""
      (?P<skip>[\s\ufeff\u200b-\u200d\u2060]+|--[^\n]*|//[^\n]*|\#[ !][^\n]*)
    | (?P<comment>/\*)
    | (?P<word>[^\W\d][\w$]*|\d\w*)
    | (?P<string>'(?:[^'\\]|''|\\.)*'|\u2018[^\u2019]*\u2019)
    | (?P<quoted>`(?:[^`\\]|``|\\.)*`|"(?:[^"\\]|""|\\.)*"|\u201c[^\u201d]*\u201d)
    | (?P<heredoc>\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
    | (?P<dollar>\$\w[\w$]*)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
# Comments nest: /* /* */ still a comment */.
_COMMENT_EDGE = re.compile(r"/\*|\*/")
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "e": "\x1b"}


def tokens(sql: str, start: int = 0) -> Iterator[Token]:
    """Yield the significant tokens of `sql` from `start`; spaces and comments are left out."""
    position = start
    while match := _TOKEN.match(sql, position):
        position = match.end()
        group = match.lastgroup
        if group == "skip":
            continue
        if group == "comment":
            position = _end_of_comment(sql, position)
            continue
        text = match[0]
        if group in {"word", "dollar"}:
            yield Token(Kind.WORD, text, match.start(), match.end())
        elif group == "string":
            yield Token(Kind.STRING, _unquote(text), match.start(), match.end())
        elif group == "quoted":
            yield Token(Kind.QUOTED, _unquote(text), match.start(), match.end())
        elif match["heredoc"] is not None:
            delimiter = len(match["tag"]) + 2
            yield Token(Kind.STRING, text[delimiter:-delimiter], match.start(), match.end())
        else:
            yield Token(Kind.OTHER, text, match.start(), match.end())


def _end_of_comment(sql: str, position: int) -> int:
    depth = 1
    while depth:
        edge = _COMMENT_EDGE.search(sql, position)
        if edge is None:
            return len(sql)
        depth += 1 if edge[0] == "/*" else -1
        position = edge.end()
    return position


def _unquote(text: str) -> str:
    quote, inner = text[0], text[1:-1]
    if quote in "\u2018\u201c":
        return inner
    inner = inner.replace(quote * 2, quote)
    if "\\" not in inner:
        return inner
    return _ESCAPE.sub(_unescape, inner)


def _unescape(match: re.Match[str]) -> str:
    escaped = match[1]
    if len(escaped) > 1:
        return chr(int(escaped[1:], 16))
    return _ESCAPES.get(escaped, escaped)
