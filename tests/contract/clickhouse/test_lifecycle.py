import ctypes
import os
import platform
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.contract.clickhouse.harness import Answer, Server, free_port

_TGKILL = {"x86_64": 234, "aarch64": 131}
"""The number of the system call that signals one thread of another process: neither libc nor Python has a name."""


def test_it_listens_on_loopback_only(server: Server) -> None:
    assert server.process is not None
    listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    addresses = [fields[1] for fields in listening if fields[3] == "0A" and fields[1].endswith(f":{server.port:04X}")]
    assert addresses == [f"0100007F:{server.port:04X}"]


def test_a_stop_lets_a_short_query_finish(new_server: Callable[..., Server]) -> None:
    server = new_server().start()
    answers: list[Answer] = []
    client = threading.Thread(target=lambda: answers.append(server.query("select sleep(1), 'finished'")))
    client.start()
    time.sleep(0.4)
    assert server.stop() == 0
    client.join()
    assert answers[0].text == "0\tfinished\n"


def test_a_stop_does_not_wait_for_a_long_query(new_server: Callable[..., Server]) -> None:
    server = new_server(RADIXINSIGHT_CLICKHOUSE_STOP_TIMEOUT_S="1").start()
    answers: list[Answer | OSError] = []

    def ask() -> None:
        try:
            answers.append(
                server.query("select sleepEachRow(1) from numbers(100) settings max_block_size = 1 format Null")
            )
        except OSError as error:
            answers.append(error)

    client = threading.Thread(target=ask)
    client.start()
    time.sleep(0.5)
    assert server.stop() == 0
    client.join()
    assert not (isinstance(answers[0], Answer) and answers[0].status == 200 and answers[0].complete)


def test_idle_connections_do_not_delay_a_stop(new_server: Callable[..., Server]) -> None:
    server = new_server().start()
    idle = server.connection()
    idle.request("GET", "/ping")
    idle.getresponse().read()
    assert server.stop() == 0
    idle.close()


def test_an_interrupt_from_the_keyboard_is_a_clean_stop(new_server: Callable[..., Server]) -> None:
    server = new_server().start()
    assert server.signal(signal.SIGINT) in {0, 130}
    assert "Traceback" not in server.log.read_text()


def _name(thread: Path) -> str | None:
    """Return the name of a thread, or None where it has ended since it was listed."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return (thread / "comm").read_text().strip()
    return None


def test_a_signal_that_reaches_a_thread_of_the_engine_stops_it_too(new_server: Callable[..., Server]) -> None:
    server = new_server().start()
    assert server.process is not None
    pid = server.process.pid
    of_the_engine = next(thread for thread in Path(f"/proc/{pid}/task").iterdir() if _name(thread) == "BgSchPool")
    assert ctypes.CDLL(None).syscall(_TGKILL[platform.machine()], pid, int(of_the_engine.name), signal.SIGTERM) == 0
    assert server.process.wait(timeout=30) == 0


def test_a_second_process_on_the_same_directory_is_refused_clearly(new_server: Callable[..., Server]) -> None:
    first = new_server().start()
    second = Server(first.data_dir, port=free_port())
    process = second.launch()
    assert process.wait(timeout=20) != 0
    told = second.log.read_text()
    assert str(first.data_dir) in told
    assert "in use" in told or "already" in told
    assert "Traceback" not in told
    assert first.value("select 1") == "1"


def test_a_taken_port_is_named(new_server: Callable[..., Server]) -> None:
    first = new_server().start()
    second = new_server()
    second.port = first.port
    process = second.launch()
    assert process.wait(timeout=20) != 0
    told = second.log.read_text()
    assert str(first.port) in told
    assert "Traceback" not in told


def test_what_was_stored_is_there_after_a_stop_and_after_a_kill(new_server: Callable[..., Server]) -> None:
    server = new_server().start()
    server.query("create database kept")
    server.query("create table kept.t (x UInt64) engine MergeTree order by x")
    select = "select 1 as k, count() as n from kept.t group by k"
    server.query(f"create materialized view kept.m engine SummingMergeTree order by k as {select}")
    server.query("insert into kept.t select number from numbers(1000)")
    assert server.stop() == 0
    server.start()
    assert server.value("select count() from kept.t") == "1000"
    server.query("insert into kept.t select number from numbers(1000)")
    server.kill()
    server.start()
    assert server.value("select count() from kept.t") == "2000"
    assert server.value("select sum(n) from kept.m") == "2000"


def test_it_starts_again_after_a_kill_in_mid_query(new_server: Callable[..., Server]) -> None:
    server = new_server().start()
    server.query("create table t (x UInt64) engine MergeTree order by x")
    assert server.process is not None
    streaming = server.connection()
    streaming.request("POST", "/?user=admin&password=a-secret", "select number from numbers(1e12) format JSON")
    streaming.getresponse().read(1000)
    server.kill()
    streaming.close()
    server.start()
    assert server.value("select count() from t") == "0"


def test_a_killed_server_leaves_no_pipes_or_files_of_results_behind(new_server: Callable[..., Server]) -> None:
    server = new_server().start()
    streaming = server.connection()
    streaming.request("POST", "/?user=admin&password=a-secret", "select number from numbers(1e12) format JSON")
    streaming.getresponse().read(1000)
    server.kill()
    streaming.close()
    server.start()
    left = [path for path in server.data_dir.rglob("*") if path.is_fifo()]
    assert left == []


def test_logs_of_queries_and_parts_are_kept_for_a_short_time_only(server: Server) -> None:
    server.query("create table if not exists default.logged (x UInt8) engine MergeTree order by x")
    server.query("insert into default.logged values (1)")
    server.query("system flush logs")
    for table in ("query_log", "part_log"):
        definition = server.value(
            f"select create_table_query from system.tables where database = 'system' and name = '{table}'"
        )
        assert " TTL " in definition
    assert server.value("select count() > 0 from system.query_log where type = 'QueryFinish'") == "1"
    assert (
        server.value("select count() > 0 from system.part_log where event_type = 'NewPart' and table = 'logged'") == "1"
    )


def test_inserts_are_synced_to_disk(server: Server) -> None:
    names = "'fsync_after_insert', 'fsync_part_directory'"
    synced = f"select name, value from system.merge_tree_settings where name in ({names}) order by name"
    assert server.query(synced).text == "fsync_after_insert\t1\nfsync_part_directory\t1\n"


def test_a_missing_password_stops_the_start(new_server: Callable[..., Server]) -> None:
    server = new_server(RADIXINSIGHT_CLICKHOUSE_ADMIN_PASSWORD="")
    process: subprocess.Popen[bytes] = server.launch()
    try:
        assert process.wait(timeout=20) != 0
    finally:
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
    assert "password" in server.log.read_text().lower()
