import pytest
from pydantic import SecretStr

from runtime.clickhouse.access import Guard
from runtime.clickhouse.errors import ClickHouseError
from runtime.clickhouse.url_settings import bounded, split
from runtime.clickhouse.users import Role, User

GUARD = Guard(frozenset({"file"}), frozenset())
READER = User("reader", Role.READER, SecretStr("x"), {"max_execution_time": 60, "max_memory_usage": 1000})
WRITER = User("writer", Role.WRITER, SecretStr("x"))


def test_parameters_are_sorted_by_who_reads_them() -> None:
    url = split(
        [
            ("query", "select 1"),
            ("param_x", "7"),
            ("max_threads", "2"),
            ("compress", "1"),
            ("", ""),
            ("t_structure", "a UInt8"),
        ],
        is_multipart=True,
    )
    assert url.reserved == {"query": "select 1"}
    assert url.query == {"x": "7"}
    assert url.engine == {"max_threads": "2"}
    assert url.flag("compress")
    assert url.external == {"t_structure": "a UInt8"}


def test_a_name_that_cannot_be_a_setting_is_refused() -> None:
    with pytest.raises(ClickHouseError) as caught:
        split([("a = 1, readonly", "0")], is_multipart=False)
    assert caught.value.code == 115


def test_a_reader_always_has_his_limits() -> None:
    assert bounded({}, READER, GUARD) == {"max_execution_time": "60", "max_memory_usage": "1000"}


def test_a_reader_may_tighten_his_limits() -> None:
    assert bounded({"max_execution_time": "0.5"}, READER, GUARD)["max_execution_time"] == "0.5"


@pytest.mark.parametrize("value", ["0", "61", "-1", "nan", "inf", "1e9", "auto", ""])
def test_a_reader_never_lifts_them(value: str) -> None:
    with pytest.raises(ClickHouseError) as caught:
        bounded({"max_execution_time": value}, READER, GUARD)
    assert caught.value.code == 452


@pytest.mark.parametrize("name", ["readonly", "profile", "allow_ddl", "max_memory_usage_for_user", "log_queries"])
def test_a_reader_leaves_alone_what_binds_him(name: str) -> None:
    with pytest.raises(ClickHouseError) as caught:
        bounded({name: "0"}, READER, GUARD)
    assert caught.value.code == 164


def test_others_set_what_they_like() -> None:
    assert bounded({"max_execution_time": "0"}, WRITER, GUARD) == {"max_execution_time": "0"}


def test_a_number_that_is_none_is_an_error() -> None:
    with pytest.raises(ClickHouseError, match="max_query_size"):
        split([("max_query_size", "many")], is_multipart=False).number("max_query_size", 1)
