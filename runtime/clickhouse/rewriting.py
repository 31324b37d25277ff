"""Answers in the query's text what the engine cannot know: who asks, and which handle runs a query_id."""

import re
from collections.abc import Callable, Sequence

from runtime.clickhouse.engine import TAG_SETTING, quote, quote_name
from runtime.clickhouse.lexer import Token, tokens

_USER_FUNCTIONS = {"currentuser", "current_user", "user"}
_USER_CALL = re.compile(r"(?:current_?user|user)\W*\(", re.IGNORECASE)
_COLUMN_STARTS = {"SELECT", "DISTINCT", ","}
_COLUMN_ENDS = {"", ",", "FROM", "FORMAT", "SETTINGS", "WHERE", "LIMIT", "UNION", ")", ";"}


def name_user(text: str, user: str) -> str:
    """Replace calls of currentUser() by the name of the user; the engine itself has one user only."""
    if _USER_CALL.search(text) is None:
        return text
    found = list(tokens(text))
    pieces: list[str] = []
    position = 0
    for index, token in enumerate(found):
        if token.name not in _USER_FUNCTIONS or _value(found, index + 1) != "(" or _value(found, index + 2) != ")":
            continue
        end = found[index + 2].end
        is_column = (
            _value(found, index - 1).upper() in _COLUMN_STARTS and _value(found, index + 3).upper() in _COLUMN_ENDS
        )
        alias = f" as {quote_name(text[token.start : end])}" if is_column else ""
        pieces += [text[position : token.start], quote(user), alias]
        position = end
    return "".join([*pieces, text[position:]]) if pieces else text


def find_killed(text: str, tag_of: Callable[[str], str | None]) -> str:
    """Let `kill query where query_id = '…'` find the query: the engine gives its queries ids of its own."""
    found = list(tokens(text))
    pieces: list[str] = []
    position = 0
    for index, token in enumerate(found):
        if token.name != "query_id" or _value(found, index + 1) != "=" or index + 2 >= len(found):
            continue
        tag = tag_of(found[index + 2].value)
        if tag is not None:
            pieces += [text[position : token.start], f"Settings['{TAG_SETTING}'] = '{tag}'"]
            position = found[index + 2].end
    return "".join([*pieces, text[position:]]) if pieces else text


def _value(found: Sequence[Token], index: int) -> str:
    return found[index].value if 0 <= index < len(found) else ""
