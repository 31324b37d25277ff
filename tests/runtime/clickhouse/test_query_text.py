from collections.abc import Iterator

import pytest

from runtime.clickhouse.errors import ClickHouseError
from runtime.clickhouse.query_text import Limits, QueryText, read_query

LIMITS = Limits(server=10_000, setting=1_000)


def cut(data: bytes, size: int = 7) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def rows(text: QueryText) -> bytes:
    assert text.rows is not None
    return b"".join(text.rows)


def test_url_and_body_are_joined_by_a_line_break() -> None:
    assert read_query("select", cut(b"42"), LIMITS).text == "select\n42"
    assert read_query("", cut(b"select 42"), LIMITS).text == "select 42"


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_rows_in_the_body_stay_in_the_body(size: int) -> None:
    body = b"1\n" * 5_000
    text = read_query("insert into t format TSV", cut(body, size), LIMITS)
    assert text.insert is not None
    assert text.insert.format == "TSV"
    assert rows(text) == body


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_rows_behind_their_statement_are_found_wherever_the_body_is_cut(size: int) -> None:
    body = b'{"a":1}\n' * 2_000
    text = read_query("", cut(b"insert into t format JSONEachRow\n" + body, size), LIMITS)
    assert text.insert is not None
    assert text.insert.format == "JSONEachRow"
    assert rows(text) == body


def test_short_values_stay_in_the_query_for_their_expressions() -> None:
    text = read_query("", cut(b"insert into t values (1 + {x:UInt8})"), LIMITS)
    assert text.insert is None
    assert text.text == "insert into t values (1 + {x:UInt8})"


def test_long_values_are_rows() -> None:
    values = b"(1)," * 1_000
    text = read_query("insert into t values", cut(values), LIMITS)
    assert text.insert is not None
    assert rows(text).strip() == values


def test_bytes_that_are_not_utf_8_survive() -> None:
    text = read_query("", cut(b"select '\xff\xfe'"), LIMITS).text
    assert text.encode(errors="surrogateescape") == b"select '\xff\xfe'"
    head = read_query("", cut("insert into `ü` format TSV\n".encode() + b"\xff"), LIMITS)
    assert rows(head) == b"\xff"


def test_max_query_size_is_named_when_it_is_exceeded() -> None:
    with pytest.raises(ClickHouseError, match="max_query_size") as caught:
        read_query("", cut(b"select " + b"1" * 2_000), LIMITS)
    assert caught.value.code == 62


def test_the_servers_own_limit_holds_whatever_the_setting_says() -> None:
    with pytest.raises(ClickHouseError) as caught:
        read_query("", cut(b"select " + b"1" * 20_000), Limits(server=10_000, setting=0))
    assert caught.value.status == 413
