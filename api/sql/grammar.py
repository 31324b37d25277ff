"""Reads a statement into sqlglot's tree, as plainly as sqlglot can.

Its ClickHouse dialect knows many functions and rewrites them for other databases, so that some come out with another
meaning. Here a call stays a call: each word that calls an allowed function is put before the parser as one and the same
unremarkable aggregate, and its own name is looked up by its place afterwards. (A parser of one's own would be simpler,
but sqlglot's may be compiled, and then nothing inherits from it.)
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from sqlglot import exp
from sqlglot.dialects.clickhouse import ClickHouse
from sqlglot.errors import ParseError, SqlglotError, TokenError
from sqlglot.tokenizer_core import Token, TokenType

from api.errors import SqlInvalidError, SqlNotAllowedError
from api.sql.functions import known_function
from api.sql.place import Place

# It is sent to ClickHouse in an address too, where a byte takes three.
_MAX_BYTES = 20_000
_MAX_TOKENS = 6_000
_MAX_TYPE_CHARACTERS = 100
# As with struct(struct(…, the time doubles with each level.
_MAX_TYPE_DEPTH = 5
# A compiled sqlglot recurses on the thread's own stack, which Python does not guard; what recurses without brackets
# (not not …, case when case when …) counts beside them.
_MAX_DEPTH = 40
_MAX_RECURSING_WORDS = 200

# An aggregate that takes any arguments, once or twice: f(…) and f(…)(…).
_STAND_IN = "theilsU"

_OPENING = {TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE}
_CLOSING = {TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE}
_RECURSING = {TokenType.NOT, TokenType.CASE, TokenType.ARROW, TokenType.PLACEHOLDER, TokenType.INTERVAL}
_SIGNS = {TokenType.DASH, TokenType.PLUS}
# Words behind which brackets may stand that are no call. What else stands before one is a known function or refused:
# sqlglot takes time that doubles with each level of struct(struct(….
_BEFORE_BRACKETS = {
    "all", "and", "as", "between", "by", "case", "cast", "cross", "cube", "distinct", "div", "else", "except",
    "exists", "from", "group by", "having", "ilike", "in", "intersect", "interval", "join", "like", "limit", "mod",
    "not", "offset", "on", "or", "order by", "over", "partition by", "qualify", "rollup", "select", "step", "then",
    "to", "union", "using", "when", "where", "with",
}  # fmt: skip
_TYPES = {
    "array", "datetime", "datetime64", "decimal", "decimal128", "decimal32", "decimal64", "fixedstring",
    "lowcardinality", "map", "nullable", "tuple",
}  # fmt: skip
_WORD = re.compile(r"\w")


class _Dialect(ClickHouse):
    INDEX_OFFSET = 0

    class Tokenizer(ClickHouse.Tokenizer):
        # No word swallows the rest of the text.
        COMMANDS: ClassVar[set[TokenType]] = set()


_DIALECT = _Dialect()


@dataclass(frozen=True, slots=True)
class Parsed:
    """The tree of a statement, its text, and what is called where in it."""

    tree: exp.Expr
    text: str
    calls: Mapping[int, str]

    def place(self, node: exp.Expr) -> Place | None:
        """Return where a node stands: its own place, or that of the first part of it that has one."""
        starts = (each.meta.get("start") for each in node.walk(bfs=False))
        start = next((each for each in starts if each is not None), None)
        return None if start is None else Place.at(self.text, start)

    def called(self, node: exp.Expr) -> str | None:
        """Return the allowed function that a node calls, by its name in ClickHouse; None where it is no such call."""
        name = node.this
        is_call = isinstance(node, (exp.AnonymousAggFunc, exp.ParameterizedAgg)) and isinstance(name, exp.Identifier)
        return self.calls.get(name.meta.get("start", -1)) if is_call else None


def parse(text: str) -> Parsed:
    """Read one query; raises `SqlInvalidError`, or `SqlNotAllowedError` for more than one, or for other statements."""
    if len(text.encode(errors="surrogatepass")) > _MAX_BYTES:
        raise SqlNotAllowedError(f"The statement is longer than {_MAX_BYTES} bytes.")
    try:
        found = _DIALECT.tokenize(text)
        _check(found, text)
        calls = _stand_in(found, text)
        trees = _DIALECT.parser(max_nodes=4 * _MAX_TOKENS).parse(found, text)
    except ParseError as error:
        first = error.errors[0] if error.errors else {}
        place = Place(line=first.get("line") or 1, column=first.get("col") or 1)
        raise SqlInvalidError(
            f"The statement cannot be read: {first.get('description') or 'not SQL'}.", place
        ) from error
    except TokenError as error:
        raise SqlInvalidError("The statement cannot be read: a quote or comment in it does not end.") from error
    except (SqlglotError, RecursionError, ValueError, LookupError, AttributeError, AssertionError, TypeError) as error:
        # What sqlglot stumbles over is no statement that it could be trusted with.
        raise SqlInvalidError("The statement cannot be read.") from error
    if len(trees) != 1 or trees[0] is None:
        raise SqlNotAllowedError("One statement is expected.")
    return Parsed(trees[0], text, calls)


def read_type(text: str) -> exp.Expr:
    """Read a type from its name as a text; raises `SqlglotError` or `ValueError`."""
    if len(text) > _MAX_TYPE_CHARACTERS or text.count("(") > _MAX_TYPE_DEPTH:
        raise ValueError(text)
    return exp.DataType.build(text, dialect=_DIALECT)


def _check(found: list[Token], text: str) -> None:
    """Refuse what recurses too deep, and what does not begin as a query."""
    if not found:
        raise SqlInvalidError("The statement is empty.")
    if len(found) > _MAX_TOKENS:
        raise SqlNotAllowedError(f"The statement has more than {_MAX_TOKENS} words and signs.")
    depth = recursing = 0
    for index, token in enumerate(found):
        kind = token.token_type
        depth += (kind in _OPENING) - (kind in _CLOSING)
        is_sign = kind in _SIGNS and index > 0 and found[index - 1].token_type in _SIGNS
        recursing += kind in _RECURSING or is_sign
        if depth > _MAX_DEPTH or recursing > _MAX_RECURSING_WORDS:
            raise SqlNotAllowedError("The statement is nested too deep.", Place.at(text, token.start))
        if token.token_type == TokenType.SEMICOLON and index < len(found) - 1:
            raise SqlNotAllowedError("One statement is expected.", Place.at(text, token.start))
        if kind in _statement_words() and _begins_statement(found, index):
            raise SqlNotAllowedError(f"A select is expected, not {token.text}.", Place.at(text, token.start))
    first = found[0]
    if first.token_type not in {TokenType.SELECT, TokenType.WITH, TokenType.L_PAREN}:
        raise SqlNotAllowedError("A select is expected.", Place.at(text, first.start))


def _statement_words() -> set[TokenType]:
    # Some of them sqlglot keeps unread, as a command, and says so in the log.
    return set(_DIALECT.parser_class.STATEMENT_PARSERS) - {TokenType.SELECT, TokenType.WITH}


def _begins_statement(found: list[Token], index: int) -> bool:
    before = [token.token_type for token in found[max(0, index - 2) : index]]
    return before in ([], [TokenType.ALIAS, TokenType.L_PAREN]) or before[-1] == TokenType.R_PAREN


def _stand_in(found: list[Token], text: str) -> dict[int, str]:
    """Put the stand-in in place of every function that is called, and return their names by place.

    Raises `SqlNotAllowedError` for one that is not known.
    """
    calls: dict[int, str] = {}
    brackets: list[bool] = []
    is_type_next = False
    for index, token in enumerate(found):
        kind = token.token_type
        if kind in _OPENING:
            brackets.append(is_type_next)
            if sum(brackets) > _MAX_TYPE_DEPTH:
                raise SqlNotAllowedError("This type is nested too deep.", Place.at(text, token.start))
        elif kind in _CLOSING and brackets:
            brackets.pop()
        is_type = bool(brackets and brackets[-1]) or _is_type(found, index)
        is_followed = index + 1 < len(found) and found[index + 1].token_type == TokenType.L_PAREN
        is_type_next = is_type and is_followed and kind not in _OPENING
        word = " ".join(token.text.lower().split())
        if not is_followed or kind == TokenType.STRING or not _WORD.match(word):
            continue
        name = known_function(token.text)
        if (is_type and word in _TYPES) or word in _BEFORE_BRACKETS:
            continue
        is_behind_dot = index > 0 and found[index - 1].token_type == TokenType.DOT
        if kind == TokenType.NUMBER or is_type or is_behind_dot or name is None:
            raise SqlNotAllowedError(f"The function {token.text[:100]} is not allowed.", Place.at(text, token.start))
        calls[token.start] = name
        found[index] = Token(
            TokenType.IDENTIFIER, _STAND_IN, token.line, token.col, token.start, token.end, token.comments
        )
    return calls


def _is_type(found: list[Token], index: int) -> bool:
    """Say whether a type begins here: x::Type, cast(x as Type), {name:Type}."""
    before = [token.token_type for token in found[max(0, index - 3) : index]]
    if not before:
        return False
    is_placeholder = before[-1] == TokenType.COLON and before[0] == TokenType.L_BRACE
    return before[-1] in {TokenType.DCOLON, TokenType.ALIAS} or is_placeholder
