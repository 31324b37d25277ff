import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import psycopg
import redis

Machine = Any
Eventually = Callable[..., None]


def test_ctrl_c_stops_everything(machine: Machine) -> None:
    """How long it takes is measured by bench/startup.py."""
    machine.up()
    pids = machine.pids()
    machine.supervisor.send_signal(signal.SIGINT)
    assert machine.supervisor.wait(60) == 0
    assert not machine.still_running(pids)
    assert machine.record.phase == "down"


def test_a_killed_supervisor_leaves_no_process_behind(machine: Machine, eventually: Eventually) -> None:
    machine.up()
    pids = machine.pids()
    assert len(pids) > 3
    machine.supervisor.kill()
    machine.supervisor.wait()
    eventually(lambda: not machine.still_running(pids), seconds=6)


def test_after_a_killed_supervisor_the_next_start_has_all_data(machine: Machine) -> None:
    machine.up()
    with psycopg.connect(machine.instance.database_url) as connection:
        connection.execute("create table kept as select 7 as number")
    machine.supervisor.kill()
    machine.supervisor.wait()
    machine.up()
    with psycopg.connect(machine.instance.database_url) as connection:
        assert connection.execute("select number from kept").fetchall() == [(7,)]


def test_a_killed_postgres_is_started_again_with_what_was_committed(machine: Machine, eventually: Eventually) -> None:
    machine.up("postgres")
    url = machine.instance.database_url
    with psycopg.connect(url) as connection:
        connection.execute("create table kept as select 7 as number")
    before = machine.pid("postgres")
    psutil.Process(before).kill()
    eventually(lambda: (state := machine.record.process("postgres")).state == "ready" and state.restarts == 1)
    assert machine.pid("postgres") != before
    with psycopg.connect(url) as connection:
        assert connection.execute("select number from kept").fetchall() == [(7,)]


def test_a_killed_valkey_is_started_again_with_what_was_synced(machine: Machine, eventually: Eventually) -> None:
    machine.up("valkey")
    with redis.Redis.from_url(machine.instance.redis_url) as client:
        client.set("kept", "7")
    time.sleep(1.5)  # the file is synced every second
    psutil.Process(machine.pid("valkey")).kill()
    eventually(lambda: (state := machine.record.process("valkey")).state == "ready" and state.restarts == 1)
    with redis.Redis.from_url(machine.instance.redis_url) as client:
        assert client.get("kept") == b"7"


def test_a_taken_port_is_named_with_its_holder_and_an_alternative(machine: Machine) -> None:
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", machine.port_base + 5))
        holder.listen()
        failed = machine.run("up", "--only", "valkey", "--port-base", str(machine.port_base))
    assert failed.returncode == 1
    assert f"Port {machine.port_base + 5} (valkey) is taken by process" in failed.stderr
    assert "--port-base" in failed.stderr


def test_an_unknown_name_is_answered_with_the_known_ones(machine: Machine) -> None:
    failed = machine.run("up", "--only", "postgress")
    assert failed.returncode == 1
    assert "Known: clickhouse, postgres, valkey" in failed.stderr


def test_a_start_that_fails_shows_the_last_lines_of_the_log(machine: Machine) -> None:
    cluster: Path = machine.instance.data_dir / "postgres"
    cluster.mkdir(mode=0o700)
    (cluster / "PG_VERSION").write_text("12\n")
    failed = machine.run("up", "--only", "postgres", "--detach", "--port-base", str(machine.port_base))
    assert failed.returncode == 1
    assert "3 times before it was ready" in failed.stderr
    assert "The last lines of" in failed.stderr
    assert "postgresql.conf" in failed.stderr


def test_an_engine_of_the_operator_is_not_started(machine: Machine) -> None:
    machine.up("valkey,postgres", DATABASE_URL="postgresql://me:secret@db.example:5432/mine")
    assert machine.record.external == ["postgres"]
    assert [process.name for process in machine.record.processes] == ["valkey"]


def test_a_data_directory_with_a_very_long_path_works(machine: Machine) -> None:
    machine.data_dir = machine.data_dir / ("a long name " * 8) / ("another" * 12)
    machine.up()
    assert len(str(machine.data_dir)) > 200
    with psycopg.connect(machine.instance.database_url) as connection:
        assert connection.execute("show timezone").fetchone() == ("UTC",)


def test_the_system_stops_when_the_process_it_was_started_for_ends(machine: Machine, eventually: Eventually) -> None:
    companion = psutil.Popen(["sleep", "60"])
    arguments = ("--only", "valkey", "--detach", "--port-base", str(machine.port_base))
    assert machine.run("up", *arguments, "--while-alive", str(companion.pid)).returncode == 0
    assert machine.record.phase == "up"
    companion.kill()
    companion.wait()
    eventually(lambda: machine.record.phase == "down", seconds=10)


def test_the_log_of_a_supervisor_in_the_background_is_written_on_from_its_beginning_when_it_was_cut(
    machine: Machine,
) -> None:
    assert machine.run("up", "--only", "valkey", "--detach", "--port-base", str(machine.port_base)).returncode == 0
    flags = Path(f"/proc/{machine.record.pid}/fdinfo/2").read_text().split("flags:")[1].split()[0]
    assert int(flags, 8) & os.O_APPEND


def test_what_an_earlier_run_left_behind_is_ended_by_the_next_start(machine: Machine) -> None:
    tags = {"RADIXINSIGHT_RUN": "earlier", "RADIXINSIGHT_DATA_DIR": str(machine.data_dir)}
    left = psutil.Popen(["sleep", "60"], env=os.environ | tags, start_new_session=True)
    other = psutil.Popen(["sleep", "60"], env=os.environ | tags | {"RADIXINSIGHT_DATA_DIR": "/elsewhere"})
    try:
        machine.up("valkey")
        assert left.wait(5) == -signal.SIGTERM
        assert other.is_running()
    finally:
        for process in (left, other):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
            process.wait()


def test_reset_deletes_the_data_and_stops_what_runs(machine: Machine) -> None:
    machine.up("valkey")
    pids = machine.pids()
    assert machine.run("reset", "--yes").returncode == 0
    assert not machine.data_dir.exists()
    assert not machine.still_running(pids)


def test_reset_deletes_what_services_made_beside_the_data_of_the_engines(machine: Machine) -> None:
    """Ids of projects begin anew, so that the next ones' would be found in uploads that were left."""
    machine.up("valkey")
    for part in ("imports", "damaged", "consumer"):
        (machine.data_dir / part / "1").mkdir(parents=True)
    assert machine.run("reset", "--yes").returncode == 0
    assert not machine.data_dir.exists()


def test_reset_leaves_a_directory_alone_that_is_not_ours(machine: Machine) -> None:
    machine.data_dir.mkdir()
    (machine.data_dir / "thesis.txt").write_text("ten years of work")
    refused = machine.run("reset", "--yes")
    assert refused.returncode == 1
    assert "is not a data directory of RadixInsight" in refused.stderr
    assert (machine.data_dir / "thesis.txt").exists()


def test_a_folder_named_run_does_not_make_a_directory_ours(machine: Machine) -> None:
    (machine.data_dir / "run").mkdir(parents=True)
    (machine.data_dir / "secrets.json").write_text('{"mine": "of another program"}')
    (machine.data_dir / "logs").mkdir()
    refused = machine.run("reset", "--yes")
    assert refused.returncode == 1
    assert "is not a data directory of RadixInsight" in refused.stderr
    assert {path.name for path in machine.data_dir.iterdir()} == {"run", "secrets.json", "logs"}


def test_reset_leaves_what_somebody_else_put_into_the_directory(machine: Machine) -> None:
    machine.up("valkey")
    (machine.data_dir / "thesis.txt").write_text("ten years of work")
    (machine.data_dir / ".postgres-killed").mkdir()
    done = machine.run("reset", "--yes")
    assert done.returncode == 0
    assert "was left alone" in done.stdout
    assert [path.name for path in machine.data_dir.iterdir()] == ["thesis.txt"]


def test_a_directory_that_lost_its_passwords_can_be_reset(machine: Machine) -> None:
    machine.up("valkey")
    (machine.data_dir / "secrets.json").unlink()
    assert machine.run("reset", "--yes").returncode == 0
    assert not machine.data_dir.exists()


def test_reset_without_consent_deletes_nothing(machine: Machine) -> None:
    secrets: Path = machine.instance.data_dir / "secrets.json"
    assert machine.run("reset").returncode == 1
    assert secrets.exists()
