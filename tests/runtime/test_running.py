"""What can be seen of a system that runs; none of these tests changes it."""

import json
from typing import Any

import psutil
import psycopg
import pytest
import redis

Machine = Any


def test_a_second_up_says_who_is_running(shared_machine: Machine) -> None:
    second = shared_machine.run("up")
    assert second.returncode == 1
    holder = f"(supervisor process {shared_machine.supervisor.pid})"
    assert f"already runs on {shared_machine.data_dir} {holder}" in second.stderr


def test_a_second_detached_up_says_so_too(shared_machine: Machine) -> None:
    assert "already runs" in shared_machine.run("up", "--detach").stderr


@pytest.mark.parametrize("database", ["radixinsight", "dagster"])
def test_postgres_refuses_who_has_no_password(shared_machine: Machine, database: str) -> None:
    url = f"postgresql://radixinsight@127.0.0.1:{shared_machine.port_base + 4}/{database}"
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        psycopg.connect(url)


def test_the_application_user_may_not_look_around_in_postgres(shared_machine: Machine) -> None:
    with psycopg.connect(shared_machine.instance.database_url) as connection:
        row = connection.execute("select rolsuper, rolcreaterole from pg_roles where rolname = current_user").fetchone()
    assert row == (False, False)


def test_valkey_refuses_who_has_no_password(shared_machine: Machine) -> None:
    with redis.Redis(port=shared_machine.port_base + 5) as client, pytest.raises(redis.AuthenticationError):
        client.ping()


def test_no_password_stands_on_a_command_line(shared_machine: Machine) -> None:
    passwords: list[str] = list(json.loads((shared_machine.data_dir / "secrets.json").read_text()).values())
    assert len(passwords) == 6
    for pid in shared_machine.pids():
        arguments = " ".join(psutil.Process(pid).cmdline())
        assert not [password for password in passwords if password in arguments]


def test_only_the_user_can_read_passwords_and_state(shared_machine: Machine) -> None:
    for name in ("secrets.json", "run/state.json", "valkey/valkey.conf", "logs/postgres.log"):
        assert (shared_machine.data_dir / name).stat().st_mode & 0o077 == 0, name


def test_status_tells_state_address_memory_and_uptime_of_each_process(shared_machine: Machine) -> None:
    answer = shared_machine.run("status", "--json")
    assert answer.returncode == 0
    report = json.loads(answer.stdout)
    assert report["phase"] == "up"
    assert {process["name"]: process["state"] for process in report["processes"]} == {
        "postgres": "ready",
        "valkey": "ready",
    }
    for process in report["processes"]:
        assert process["address"].startswith("127.0.0.1:")
        assert process["memory_bytes"] > 1_000_000
        assert process["uptime_s"] > 0
    assert report["total"]["memory_bytes"] > sum(process["memory_bytes"] for process in report["processes"])


def test_status_as_a_table_names_every_process(shared_machine: Machine) -> None:
    table = shared_machine.run("status").stdout
    for word in ("postgres", "valkey", "supervisor", "total", "MiB"):
        assert word in table


def test_env_prints_addresses_that_work(shared_machine: Machine) -> None:
    lines = shared_machine.run("env").stdout.splitlines()
    variables = dict(line.removeprefix("export ").split("=", 1) for line in lines)
    with psycopg.connect(variables["DAGSTER_DATABASE_URL"]) as connection:
        assert connection.info.dbname == "dagster"


def test_a_shell_that_evaluated_env_does_not_make_our_engines_the_operators(shared_machine: Machine) -> None:
    instance = shared_machine.instance
    findings = shared_machine.run("doctor", "--json", DATABASE_URL=instance.database_url).stdout
    subjects = {finding["subject"]: finding["severity"] for finding in json.loads(findings)}
    assert subjects["postgres"] == "ok"
    assert shared_machine.run("status", DATABASE_URL=instance.database_url).stdout.count("yours") == 0


def test_logs_of_one_process_are_its_own(shared_machine: Machine) -> None:
    assert "database system is ready to accept connections" in shared_machine.run("logs", "postgres").stdout
    assert "Ready to accept connections" in shared_machine.run("logs", "valkey", "-n", "50").stdout


def test_logs_of_an_unknown_process_name_the_known_ones(shared_machine: Machine) -> None:
    answer = shared_machine.run("logs", "nothing")
    assert answer.returncode == 1
    assert "postgres, valkey" in answer.stderr
