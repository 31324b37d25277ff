"""`radixinsight import` on the session's engines."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from core import warehouse
from core.warehouse import ProjectScope
from runtime.instance import Instance
from runtime.project_keys import ProjectKeys

EVENT = {"type": "track", "event": "buy", "userId": "ada", "timestamp": "2024-05-06T07:08:09Z"}


def command(runtime: Instance, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `radixinsight import`."""
    place = ("--data-dir", str(runtime.data_dir), "--port-base", str(runtime.port_base))
    return subprocess.run(
        [sys.executable, "-m", "runtime", "import", *arguments, *place],
        env=os.environ | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def file(tmp_path: Path) -> str:
    """Return a file of three events, the last of which is rejected."""
    path = tmp_path / "events.jsonl"
    events = [EVENT, EVENT | {"event": "sell"}, EVENT | {"userId": "null"}]
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    return str(path)


def names(client: Client, project: ProjectKeys) -> list[str]:
    """Return the names of a project's events."""
    sql = "select event from raw.events where project_id = {project_id:UInt32} order by sequence"
    return [event for (event,) in ProjectScope(project.id).run(client, sql).result_rows]


@pytest.mark.parametrize("by", ["project", "write key"])
def test_files_are_imported_into_a_project_and_summed_up(
    runtime: Instance, project: ProjectKeys, file: str, by: str
) -> None:
    owner = ("--project", str(project.id)) if by == "project" else ("--write-key", project.write_key)
    done = command(runtime, file, "--mapping", "segment", *owner)
    assert (done.returncode, "3 rows: 2 landed, 1 rejected" in done.stdout) == (0, True), done.stderr
    assert "already imported" in command(runtime, file, "--mapping", "segment", *owner).stdout
    with warehouse.connect(runtime.clickhouse_url) as client:
        assert names(client, project) == ["buy", "sell"]


def test_a_directory_is_all_of_its_files(runtime: Instance, project: ProjectKeys, tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / "logs" / str(number)).mkdir(parents=True)
        (tmp_path / "logs" / str(number) / "1.json").write_text(json.dumps(EVENT | {"event": f"e{number}"}))
    done = command(runtime, str(tmp_path / "logs"), "--mapping", "segment", "--project", str(project.id))
    assert "3 files, 3 rows: 3 landed, 0 rejected" in done.stdout


def test_a_dry_run_shows_what_rows_become_and_lands_nothing(runtime: Instance, project: ProjectKeys, file: str) -> None:
    arguments = (file, "--mapping", "segment", "--project", str(project.id), "--dry-run", "3", "--json")
    said = [json.loads(line) for line in command(runtime, *arguments).stdout.splitlines()]
    assert [message["kind"] for message in said] == ["event", "event", "reject"]
    assert (said[1]["event"]["event"], said[2]["reason"]) == ("sell", "illegal_id")
    assert '"event": "buy"' in command(runtime, *arguments[:-1]).stdout
    with warehouse.connect(runtime.clickhouse_url) as client:
        assert names(client, project) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("FILE", "--mapping", "segment"), "into which project"),
        (("FILE", "--mapping", "segment", "--project", "4000000"), "no project"),
        (("FILE", "--mapping", "segment", "--write-key", "wk_nobody"), "unknown or revoked"),
        (("FILE", "--mapping", "heap", "--project", "PROJECT"), "no mapping"),
        (("FILE", "--mapping", "/nowhere.toml", "--project", "PROJECT"), "nowhere.toml"),
        (("/nowhere", "--mapping", "segment", "--project", "PROJECT"), "no file"),
        (("FILE", "--mapping", "posthog", "--project", "PROJECT"), "0 landed"),
    ],
)
def test_what_cannot_be_imported_is_said_and_is_the_exit_status(
    runtime: Instance, project: ProjectKeys, file: str, arguments: tuple[str, ...], words: str
) -> None:
    """A file of which nothing landed is one too: it was most likely the wrong mapping."""
    stand_ins = {"FILE": file, "PROJECT": str(project.id)}
    done = command(runtime, *(stand_ins.get(argument, argument) for argument in arguments))
    assert done.returncode == 1
    assert words in done.stdout + done.stderr


def test_rejects_of_an_import_are_judged_anew(runtime: Instance, project: ProjectKeys, tmp_path: Path) -> None:
    """A row of a CSV file without an id: imported again after its replay, it still counts once."""
    (tmp_path / "x.csv").write_text(f"who,what,at,note\nada,buy,1714979289,{'x' * 40_000}\nada,sell,1714979290,\n")
    (tmp_path / "x.toml").write_text('[columns]\nwho = "userId"\nwhat = "event"\nat = "timestamp"\n')
    place = ("--data-dir", str(runtime.data_dir), "--port-base", str(runtime.port_base))
    load = (str(tmp_path / "x.csv"), "--mapping", str(tmp_path / "x.toml"), "--project", str(project.id))
    assert "1 landed, 1 rejected" in command(runtime, *load).stdout
    limits = {"RADIXINSIGHT_COLLECTOR_MAX_EVENT_BYTES": "100000", "RADIXINSIGHT_COLLECTOR_MAX_TEXT_BYTES": "100000"}
    allowed = os.environ | limits
    replay = [sys.executable, "-m", "runtime", "rejects", "replay", str(project.id), *place]
    done = subprocess.run(replay, env=allowed, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1 accepted"
