import base64

import pytest

from runtime.clickhouse.errors import ClickHouseError
from runtime.clickhouse.settings import ClickHouseServerSettings
from runtime.clickhouse.users import Role, Users

SETTINGS = ClickHouseServerSettings.model_validate(
    {"admin_password": "a:b", "radixinsight_password": "ö", "reader_password": "c", "reader_max_memory_bytes": 5}
)
USERS = Users(SETTINGS)


def basic(text: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(text.encode()).decode()}


def test_each_way_of_saying_who_one_is_works() -> None:
    assert USERS.authenticate(basic("admin:a:b"), {}).role is Role.ADMIN
    assert USERS.authenticate({"x-clickhouse-user": "radixinsight", "x-clickhouse-key": "ö"}, {}).role is Role.WRITER
    assert USERS.authenticate({}, {"user": "reader", "password": "c"}).role is Role.READER


def test_the_readers_limits_come_from_the_settings() -> None:
    limits = USERS.authenticate({}, {"user": "reader", "password": "c"}).limits
    assert limits["max_memory_usage"] == 5
    assert "max_result_bytes" not in limits


def test_without_credentials_they_are_asked_for() -> None:
    with pytest.raises(ClickHouseError) as caught:
        USERS.authenticate({}, {})
    assert (caught.value.code, caught.value.status) == (194, 401)


@pytest.mark.parametrize(
    ("headers", "parameters"),
    [
        (basic("admin:wrong"), {}),
        (basic("admin:"), {}),
        (basic("nobody:"), {}),
        (basic("admin"), {}),
        ({"authorization": "Basic !!!"}, {}),
        ({"authorization": "Basic w\u00fc=="}, {}),
        ({"authorization": "Basic /w=="}, {}),
        ({"authorization": "Bearer x"}, {}),
        ({"x-clickhouse-user": "admin"}, {}),
        ({"x-clickhouse-key": "a:b"}, {}),
        ({}, {"password": "c"}),
        (basic("admin:a:b"), {"user": "reader"}),
        (basic("admin:a:b") | {"x-clickhouse-user": "admin"}, {}),
    ],
)
def test_wrong_broken_and_doubled_credentials_are_refused(headers: dict[str, str], parameters: dict[str, str]) -> None:
    with pytest.raises(ClickHouseError) as caught:
        USERS.authenticate(headers, parameters)
    assert (caught.value.code, caught.value.status) == (516, 403)


@pytest.mark.parametrize("missing", ["admin_password", "radixinsight_password", "reader_password"])
def test_a_user_without_a_password_stops_the_start(missing: str) -> None:
    given = {"admin_password": "a", "radixinsight_password": "b", "reader_password": "c", missing: ""}
    with pytest.raises(ValueError, match=missing):
        ClickHouseServerSettings.model_validate(given)
