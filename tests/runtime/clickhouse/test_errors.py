import pytest

from runtime.clickhouse.errors import ClickHouseError, from_engine


@pytest.mark.parametrize(
    ("text", "code", "name", "message"),
    [
        ("Code: 60. DB::Exception: Unknown table t. (UNKNOWN_TABLE)", 60, "UNKNOWN_TABLE", "Unknown table t"),
        (
            (
                "Code: 6. DB::Exception: Code: 6. DB::Exception: Bad row 3\n. (CANNOT_PARSE_TEXT) (version 26.9)."
                " (CANNOT_PARSE_TEXT)"
            ),
            6,
            "CANNOT_PARSE_TEXT",
            "Bad row 3\n",
        ),
        ("something else", 1001, "STD_EXCEPTION", "something else"),
    ],
)
def test_an_engines_text_is_taken_apart(text: str, code: int, name: str, message: str) -> None:
    error = from_engine(text)
    assert (error.code, error.name, error.message) == (code, name, message)


def test_a_text_that_quotes_any_bytes_is_read_all_the_same() -> None:
    quoted = b"Code: 27. DB::Exception: Cannot parse \xff. (CANNOT_PARSE_INPUT_ASSERTION_FAILED)"
    error = from_engine(UnicodeDecodeError("utf-8", quoted, 38, 39, "invalid start byte"))
    assert (error.code, error.message) == (27, "Cannot parse \\xff")


def test_an_error_reads_as_clickhouse_writes_it() -> None:
    text = ClickHouseError(62, "Empty query").text("26.9.2.1")
    assert text == "Code: 62. DB::Exception: Empty query. (SYNTAX_ERROR) (version 26.9.2.1 (official build))\n"


@pytest.mark.parametrize(
    ("code", "status"), [(60, 404), (62, 400), (194, 401), (516, 403), (497, 403), (159, 408), (48, 501), (241, 500)]
)
def test_the_status_follows_the_code(code: int, status: int) -> None:
    assert ClickHouseError(code, "x").status == status
