"""What the audit log keeps of a question: enough to see what was asked, and no values of persons.

Entries are never changed, so that what is erased of a person must not stand in them. Values that a question compares
with are left out; a keyed digest of the whole question tells two of them apart, and shows whether it was a certain one.
"""

import json
from typing import Any

from sqlglot import tokenize
from sqlglot.errors import SqlglotError

_LONGEST = 2_000
_LEFT_OUT = "…"
# Members of query documents that hold values, or parts of them.
_VALUES = frozenset({"value", "search", "user_id", "anonymous_id", "after"})


def document_text(sent: Any) -> str:
    """Return a query document without the values in it."""
    return json.dumps(_without_values(sent), ensure_ascii=False, separators=(",", ":"))[:_LONGEST]


def sql_text(statement: str) -> str:
    """Return a statement without literals and comments; of one that is none nothing is known."""
    try:
        tokens = tokenize(statement, read="clickhouse")
    except SqlglotError:
        return ""
    parts = (
        _LEFT_OUT if token.token_type.name.endswith(("STRING", "NUMBER")) else statement[token.start : token.end + 1]
        for token in tokens
    )
    return " ".join(parts)[:_LONGEST]


def _without_values(sent: Any) -> Any:
    if isinstance(sent, dict):
        return {name: _LEFT_OUT if name in _VALUES else _without_values(value) for name, value in sent.items()}
    if isinstance(sent, list):
        return [_without_values(item) for item in sent]
    return sent
