"""The columns that a request declares itself: `name Type, …`, for an external table or input()."""

from collections.abc import Sequence

from runtime.clickhouse.engine import quote_name
from runtime.clickhouse.errors import ClickHouseError
from runtime.clickhouse.lexer import Kind, Token, tokens

# What a definition of columns may say besides names and types. Some of it computes.
_NO_TYPE = {
    "ALIAS", "ASSUME", "AUTO_INCREMENT", "CHECK", "CODEC", "COLLATE", "COMMENT", "CONSTRAINT", "DEFAULT", "ENGINE",
    "EPHEMERAL", "INDEX", "MATERIALIZED", "PRIMARY", "PROJECTION", "SETTINGS", "STATISTICS", "TTL", "TYPE",
}  # fmt: skip


def columns(structure: str) -> str:
    """Return `structure` as the columns of a CREATE TABLE, every name quoted.

    Raises ClickHouseError 62 for anything but names and types.
    """
    column: list[Token] = []
    made: list[str] = []
    depth = 0
    for token in tokens(structure):
        is_sign = token.kind is Kind.OTHER
        depth += is_sign * ((token.value == "(") - (token.value == ")"))
        if depth < 0 or (is_sign and not _is_sign_of_type(token)):
            raise _refusal(structure)
        if is_sign and token.value == "," and depth == 0:
            made.append(_column(structure, column))
            column = []
        else:
            column.append(token)
    if depth:
        raise _refusal(structure)
    return ", ".join([*made, _column(structure, column)])


def _column(structure: str, column: Sequence[Token]) -> str:
    names: list[str] = []
    index = 0
    while index < len(column) and column[index].kind in {Kind.WORD, Kind.QUOTED}:
        names.append(column[index].value)
        index += 1
        if index == len(column) or column[index].value != ".":
            break
        index += 1
    kind = column[index:]
    if not names or not kind or kind[0].kind is not Kind.WORD:
        raise _refusal(structure)
    depth = 0
    for token in kind:
        if token.kind is Kind.OTHER:
            depth += (token.value == "(") - (token.value == ")")
        is_word = token.kind is Kind.WORD and token.keyword not in _NO_TYPE
        if depth == 0 and not is_word and token.value != ")":
            raise _refusal(structure)
    return f"{quote_name('.'.join(names))} {structure[kind[0].start : kind[-1].end]}"


def _is_sign_of_type(token: Token) -> bool:
    return token.value in {"(", ")", ",", "=", ".", "-", "+", "*"} or token.value[1:].isdigit()


def _refusal(structure: str) -> ClickHouseError:
    return ClickHouseError(62, f"Cannot parse the structure '{structure}'")
