"""Puts a query together from the URL and the body, and leaves the rows of an insert in the body."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from runtime.clickhouse.errors import ClickHouseError
from runtime.clickhouse.insert_head import InsertHead, parse_insert
from runtime.clickhouse.statement import first_word

_ENCODING = "utf-8"


@dataclass(slots=True)
class QueryText:
    """A query: its whole text, or the head of an insert and its rows."""

    text: str
    insert: InsertHead | None = None
    rows: Iterator[bytes] | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a query text may be, in bytes: the server's own limit and the setting max_query_size."""

    server: int
    setting: int

    def check(self, size: int) -> None:
        """Raise ClickHouseError for a text that is too long."""
        if size > self.server:
            raise ClickHouseError(
                307, f"The query is longer than {self.server} bytes (RADIXINSIGHT_CLICKHOUSE_MAX_QUERY_BYTES)"
            )
        if 0 < self.setting < size:
            raise ClickHouseError(
                62,
                f"Syntax error: failed at position {self.setting}. Max query size exceeded (can be increased with the "
                "`max_query_size` setting)",
            )

    @property
    def least(self) -> int:
        """The length from which on a text is certainly too long."""
        return min(self.server, self.setting or self.server)


def read_query(from_url: str, body: Iterator[bytes], limits: Limits) -> QueryText:
    """Read as much of the body as belongs to the query's text.

    As in ClickHouse, the text is the URL's `query`, a line break, and the body.
    """
    prefix = (from_url + "\n").encode(_ENCODING, "surrogateescape") if from_url else b""
    if from_url and (head := parse_insert(from_url + "\n")) is not None:
        limits.check(len(prefix))
        return _with_rows(prefix, head, body, limits, is_whole=False)
    buffer = bytearray(prefix)
    looked_at = 0
    for piece in body:
        buffer += piece
        # Looking again only when the text has doubled keeps this linear.
        if len(buffer) >= 2 * looked_at:
            looked_at = len(buffer)
            found = _find_rows(bytes(buffer), body, limits)
            if found is not None:
                return found
        if len(buffer) > limits.least:
            found = _find_rows(bytes(buffer), body, limits)
            if found is not None:
                return found
            limits.check(len(buffer))
    whole = bytes(buffer)
    text = whole.decode(_ENCODING, "surrogateescape")
    head = parse_insert(text) if first_word(text) == "INSERT" else None
    if head is not None:
        return _with_rows(whole, head, iter(()), limits, is_whole=True)
    limits.check(len(whole))
    return QueryText(text)


def _find_rows(buffer: bytes, body: Iterator[bytes], limits: Limits) -> QueryText | None:
    text = buffer[: limits.least + 4].decode(_ENCODING, "surrogateescape")
    if first_word(text) != "INSERT":
        return None
    head = parse_insert(text)
    # A head at the very end of what has come may go on: `format JSON` may become `format JSONEachRow`.
    if head is None or head.data_start >= len(text):
        return None
    return _with_rows(buffer, head, body, limits, is_whole=False)


def _with_rows(whole: bytes, head: InsertHead, body: Iterator[bytes], limits: Limits, *, is_whole: bool) -> QueryText:
    text = whole.decode(_ENCODING, "surrogateescape")
    start = len(text[: head.data_start].encode(_ENCODING, "surrogateescape"))
    if head.is_values:
        return _with_values(whole, start, head, body, limits, is_whole=is_whole)
    rest = whole[start:]
    return QueryText(head.text, head, chain((rest,), body) if rest else body)


def _with_values(
    whole: bytes, start: int, head: InsertHead, body: Iterator[bytes], limits: Limits, *, is_whole: bool
) -> QueryText:
    """VALUES may hold expressions and parameters: short ones are run as a query, long ones are streamed as rows."""
    gathered = bytearray(whole)
    while not is_whole and len(gathered) <= limits.least:
        piece = next(body, None)
        if piece is None:
            is_whole = True
        else:
            gathered += piece
    if is_whole and len(gathered) <= limits.least:
        return QueryText(gathered.decode(_ENCODING, "surrogateescape"))
    return QueryText(head.text, head, chain((bytes(gathered[start:]),), body))
