import pytest

from runtime.clickhouse.rewriting import find_killed, name_user


@pytest.mark.parametrize(
    ("sql", "rewritten"),
    [
        ("select currentUser()", "select 'ann' as `currentUser()`"),
        ("select USER ( ), 1", "select 'ann' as `USER ( )`, 1"),
        ("select 1, user() from t", "select 1, 'ann' as `user()` from t"),
        ("select upper(user())", "select upper('ann')"),
        ("select 'user()'", "select 'user()'"),
        ("select user(1)", "select user(1)"),
        ("select user from t", "select user from t"),
    ],
)
def test_the_name_of_the_user_is_put_in(sql: str, rewritten: str) -> None:
    assert name_user(sql, "ann") == rewritten


def test_a_query_is_killed_by_the_id_that_its_client_gave_it() -> None:
    sql = "kill query where query_id = 'mine' sync"
    assert find_killed(sql, {"mine": "handle-3"}.get) == (
        "kill query where Settings['stream_like_engine_insert_queue'] = 'handle-3' sync"
    )


def test_an_unknown_query_id_is_left_to_the_engine() -> None:
    sql = "kill query where query_id = 'other'"
    assert find_killed(sql, {"mine": "handle-3"}.get) == sql
