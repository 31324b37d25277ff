import time
import uuid

import pytest

from tests.contract.clickhouse.harness import Server, target


@pytest.fixture
def session() -> str:
    return uuid.uuid4().hex


def test_a_session_keeps_temporary_tables_settings_and_database(server: Server, database: str, session: str) -> None:
    assert server.query("create temporary table mine (x UInt8)", session_id=session).status == 200
    assert server.insert("insert into mine format TSV", b"1\n2\n", session_id=session).status == 200
    assert server.query("set max_threads = 3", session_id=session).status == 200
    assert server.query(f"use {database}", session_id=session).status == 200
    seen = server.query("select sum(x), getSetting('max_threads'), currentDatabase() from mine", session_id=session)
    assert seen.text == f"3\t3\t{database}\n"


def test_a_setting_of_one_request_does_not_stay_in_its_session(server: Server, session: str) -> None:
    sql = "select getSetting('max_threads')"
    server.query("set max_threads = 3", session_id=session)
    assert server.query(sql, session_id=session, max_threads=5).text == "5\n"
    assert server.query(sql, session_id=session).text == "3\n"


def test_what_a_session_holds_is_hidden_from_everybody_else(server: Server, session: str) -> None:
    server.query("create temporary table mine (x UInt8)", session_id=session)
    assert server.query("select * from mine").code == 60
    assert server.query("select * from mine", session_id=f"{session}-other").code == 60
    assert server.query("select * from mine", user="radixinsight", session_id=session).code == 60


def test_set_and_use_outside_a_session_leave_no_trace(server: Server, database: str) -> None:
    server.query("set max_threads = 3")
    server.query(f"use {database}")
    for _ in range(5):
        assert server.value("select currentDatabase(), getSetting('max_threads') != 3") == "default\t1"


def test_a_session_ends_after_its_timeout(server: Server, session: str) -> None:
    server.query("create temporary table mine (x UInt8)", session_id=session, session_timeout=1)
    assert server.query("select count() from mine", session_id=session, session_timeout=1).text == "0\n"
    time.sleep(2.5)
    assert server.query("select count() from mine", session_id=session, session_timeout=1).code == 60


def test_a_session_timeout_over_the_limit_is_refused(server: Server, session: str) -> None:
    answer = server.query("select 1", session_id=session, session_timeout=1_000_000)
    assert answer.code == 374
    assert "1000000" in answer.text


def test_session_check_insists_that_the_session_exists(server: Server, session: str) -> None:
    assert server.query("select 1", session_id=session, session_check=1).code == 372
    server.query("select 1", session_id=session)
    assert server.query("select 1", session_id=session, session_check=1).status == 200


def test_a_session_serves_one_query_at_a_time(server: Server, session: str) -> None:
    busy = server.connection()
    credentials = {"user": "admin", "password": "a-secret"}
    busy.request("POST", target(session_id=session, **credentials), "select sleep(1.5)")
    time.sleep(0.4)
    answer = server.query("select 1", session_id=session)
    assert answer.code == 373
    assert busy.getresponse().status == 200
    busy.close()
    assert server.query("select 1", session_id=session).status == 200


def test_a_session_survives_a_failed_query(server: Server, session: str) -> None:
    server.query("create temporary table mine (x UInt8)", session_id=session)
    assert server.query("select nocolumn from mine", session_id=session).status == 404
    assert server.query("select count() from mine", session_id=session).text == "0\n"
