"""Inserts lines into the landing tables, and tells what a refusal means."""

import contextlib
from datetime import datetime
from typing import ClassVar

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError
from msgspec import Struct
from urllib3.exceptions import HTTPError

from core import warehouse
from core.events import Acknowledged, LandedEvent, Reject, RejectReason, columns
from ingestion.shipper.errors import DeliveryError, RefusedError, UnableError, UnreachableError
from ingestion.spool.records import Kind

_TABLES: dict[Kind, tuple[str, type[Struct]]] = {
    Kind.EVENTS: ("raw.events", LandedEvent),
    Kind.REJECTS: ("raw.rejects", Reject),
    Kind.ACKNOWLEDGED: ("raw.acknowledged", Acknowledged),
}

# ClickHouse's error codes that speak of the rows, not of the server: sending the same rows again cannot help.
_ROWS_ARE_WRONG = frozenset(
    {
        6,  # CANNOT_PARSE_TEXT
        25,  # CANNOT_PARSE_ESCAPE_SEQUENCE
        26,  # CANNOT_PARSE_QUOTED_STRING
        27,  # CANNOT_PARSE_INPUT_ASSERTION_FAILED
        32,  # ATTEMPT_TO_READ_AFTER_EOF
        38,  # CANNOT_PARSE_DATE
        41,  # CANNOT_PARSE_DATETIME
        53,  # TYPE_MISMATCH
        69,  # ARGUMENT_OUT_OF_BOUND
        70,  # CANNOT_CONVERT_TYPE
        72,  # CANNOT_PARSE_NUMBER
        117,  # INCORRECT_DATA
        131,  # TOO_LARGE_STRING_SIZE
        306,  # TOO_DEEP_RECURSION
        321,  # VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
        349,  # CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
        469,  # VIOLATED_CONSTRAINT
    }
)
# Those that speak of the server or of its schema: whatever the rows, it cannot take them now.
_SERVER_IS_UNABLE = frozenset(
    {
        16,  # NO_SUCH_COLUMN_IN_TABLE
        60,  # UNKNOWN_TABLE
        81,  # UNKNOWN_DATABASE
        159,  # TIMEOUT_EXCEEDED
        164,  # READONLY
        202,  # TOO_MANY_SIMULTANEOUS_QUERIES
        209,  # SOCKET_TIMEOUT
        210,  # NETWORK_ERROR
        236,  # ABORTED
        241,  # MEMORY_LIMIT_EXCEEDED
        242,  # TABLE_IS_READ_ONLY
        243,  # NOT_ENOUGH_SPACE
        252,  # TOO_MANY_PARTS
        319,  # UNKNOWN_STATUS_OF_INSERT
        394,  # QUERY_WAS_CANCELLED
        497,  # ACCESS_DENIED
        516,  # AUTHENTICATION_FAILED
        999,  # KEEPER_EXCEPTION
    }
)


class Landing:
    """The landing tables, over one connection that is made when it is needed."""

    # One block per insert, so that it is there whole or not at all: a segment stays far below these bounds.
    _SETTINGS: ClassVar[dict[str, int]] = {
        "insert_deduplicate": 1,
        "async_insert": 0,
        "wait_end_of_query": 1,
        "max_insert_block_size": 100_000_000,
        "min_insert_block_size_rows": 100_000_000,
        "min_insert_block_size_bytes": 1_000_000_000,
        "input_format_json_read_objects_as_strings": 1,
    }

    def __init__(self, url: str, *, timeout_s: int) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._client: Client | None = None

    def insert(self, kind: Kind, lines: bytes, token: str) -> None:
        """Insert lines into the table of this kind; ClickHouse ignores a token that it has seen.

        Raises `UnreachableError`, `UnableError` or `RefusedError`.
        """
        table, row = _TABLES[kind]
        try:
            self._connection().raw_insert(
                table,
                column_names=[name for name, _, _ in columns(row)],
                insert_block=lines,
                settings=self._SETTINGS | {"insert_deduplication_token": token},
                fmt="JSONEachRow",
            )
        except (ClickHouseError, HTTPError, OSError) as error:
            raise _meaning(error) from error

    def count(self, kind: Kind, batch_id: str, *, refused: bool = False, since: datetime | None = None) -> int:
        """Return how many rows of this batch are in the table; raise `DeliveryError` when that cannot be found out.

        Of the rejects these are the client's own, or with `refused` those rows that ClickHouse itself refused. With
        `since` ClickHouse skips whatever was received before.
        """
        table, _ = _TABLES[kind]
        sql = f"select count() from {table} where batch_id = {{batch_id:String}}"  # noqa: S608 - a constant
        parameters: dict[str, object] = {"batch_id": batch_id}
        if kind == Kind.REJECTS:
            sql += f" and reason {'=' if refused else '!='} {{reason:String}}"
            parameters["reason"] = RejectReason.REFUSED_BY_WAREHOUSE
        if since is not None:
            sql += " and received_at >= {since:DateTime64(3, 'UTC')}"
            parameters["since"] = since
        try:
            return int(self._connection().query(sql, parameters=parameters).result_rows[0][0])
        except (ClickHouseError, HTTPError, OSError) as error:
            raise _meaning(error) from error

    def trouble(self) -> str | None:
        """Say why rows cannot land: None while ClickHouse answers."""
        try:
            is_there = self._connection().ping()
        except (ClickHouseError, HTTPError, OSError):
            is_there = False
        return None if is_there else "ClickHouse does not answer"

    def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            with contextlib.suppress(ClickHouseError, HTTPError, OSError):
                self._client.close()
            self._client = None

    def _connection(self) -> Client:
        if self._client is None:
            self._client = warehouse.connect(self._url, connect_timeout_s=5, read_timeout_s=self._timeout_s)
        return self._client


def _meaning(error: Exception) -> DeliveryError:
    text = str(error).splitlines()[0][:500] if str(error) else type(error).__name__
    code = error.code if isinstance(error, DatabaseError) else None
    if code is None:
        return UnreachableError(text)
    meaning = UnableError(text) if code in _SERVER_IS_UNABLE else RefusedError(text)
    meaning.code = code
    if isinstance(meaning, RefusedError):
        meaning.is_certain = code in _ROWS_ARE_WRONG
    return meaning
