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


# A dollar sign goes on with a word, but not always with a number; elsewhere it may begin a here document.
_TOKEN = re.compile(
    r"""
      (?P<skip>[\s\ufeff\u200b-\u200d\u2060]+|--[^\n]*|//[^\n]*|\#[ !][^\n]*)
    | (?P<comment>/\*)
    | (?P<word>[^\W\d][\w$]*)
    | (?P<number>\d\w*\$?)
    | (?P<fraction>\.\d+(?:[eE][+-]?\d*)?)
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
    previous: Token | None = None
    while match := _TOKEN.match(sql, position):
        position = match.end()
        group = match.lastgroup
        if group == "skip":
            continue
        if group == "comment":
            position = _end_of_comment(sql, position)
            continue
        previous = _token(match, group, previous)
        position = previous.end
        yield previous


def _token(match: re.Match[str], group: str | None, previous: Token | None) -> Token:
    text, begin, end = match[0], match.start(), match.end()
    if group in {"word", "dollar"} or (group == "number" and not text.endswith("$")):
        return Token(Kind.WORD, text, begin, end)
    if group == "string":
        return Token(Kind.STRING, _unquote(text), begin, end)
    if group == "quoted":
        return Token(Kind.QUOTED, _unquote(text), begin, end)
    if match["heredoc"] is not None:
        delimiter = len(match["tag"]) + 2
        return Token(Kind.STRING, text[delimiter:-delimiter], begin, end)
    if group == "fraction" and previous is not None and _takes_dot(previous):
        return Token(Kind.OTHER, ".", begin, begin + 1)
    return Token(Kind.OTHER, text, begin, end)


def _takes_dot(previous: Token) -> bool:
    """Tell `a.1b`, a part of `a`, from `.1b`, which is a number and a word."""
    if previous.kind is Kind.OTHER:
        return previous.value in {")", "]"} or previous.value[-1].isdigit()
    return previous.kind is not Kind.STRING


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
