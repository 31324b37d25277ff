"""Commands as a person types them, and what they say when something is wrong."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from core import warehouse
from runtime.credentials import load_credentials
from runtime.directory import DataDirectory
from runtime.instance import Instance
from runtime.project_keys import project_of_api_key
from runtime.state import read_state, write_state


def _radixinsight(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "runtime", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=os.environ | variables)


@pytest.mark.parametrize("command", [("env",), ("project", "My shop"), ("migrate",)])
def test_a_command_for_a_running_system_makes_nothing_where_there_is_none(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    ran = _radixinsight(*command, "--data-dir", str(tmp_path / "nothing"))
    assert ran.returncode == 1
    assert ran.stdout == ""
    assert "--data-dir" in ran.stderr
    assert not (tmp_path / "nothing").exists()


def test_migrating_without_engines_is_one_sentence(tmp_path: Path, free_port_base: int) -> None:
    load_credentials(DataDirectory.at(tmp_path))
    ran = _radixinsight("migrate", "--data-dir", str(tmp_path), "--port-base", str(free_port_base))
    assert ran.returncode == 1
    assert "engine_unreachable" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_directory_remembers_the_ports_of_its_last_start(runtime: Instance, tmp_path: Path) -> None:
    """Noted addresses, and the page's keys, which browsers keep by address, stay true after a `down`."""
    directory = DataDirectory.at(tmp_path)
    directory.create()
    load_credentials(directory)
    record = read_state(DataDirectory.at(runtime.data_dir).state_file)
    assert record is not None
    record.pid, record.port_base = 2**22, 17_600
    write_state(directory.state_file, record)
    assert ":17603" in _radixinsight("env", "--data-dir", str(tmp_path)).stdout
    assert ":18203" in _radixinsight("env", "--data-dir", str(tmp_path), "--port-base", "18200").stdout
    assert ":18303" in _radixinsight("env", "--data-dir", str(tmp_path), RADIXINSIGHT_PORT_BASE="18300").stdout


@pytest.mark.parametrize(("flags", "variables"), [(("--port-base", "80"), {}), ((), {"RADIXINSIGHT_PORT_BASE": "abc"})])
def test_a_wrong_setting_is_one_sentence(tmp_path: Path, flags: tuple[str, ...], variables: dict[str, str]) -> None:
    ran = _radixinsight("up", "--data-dir", str(tmp_path / "data"), *flags, **variables)
    assert ran.returncode == 1
    assert "port_base" in ran.stderr.lower()
    assert "Traceback" not in ran.stderr


def test_a_project_of_ones_own_has_keys_that_work(runtime: Instance) -> None:
    ran = _radixinsight(
        "project", "My shop", "--timezone", "Europe/Berlin",
        "--data-dir", str(runtime.data_dir), "--port-base", str(runtime.port_base),
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    number = int(re.findall(r"Project\s+(\d+)  My shop", ran.stdout)[0])
    assert re.search(r"Write key\s+wk_\w{32}\n", ran.stdout)
    assert project_of_api_key(runtime.database_url, re.findall(r"API key\s+(rk_\w+)", ran.stdout)[0]) == number


def test_a_project_in_an_unknown_zone_is_refused(runtime: Instance) -> None:
    ran = _radixinsight("project", "Shop on Mars", "--timezone", "Mars/Olympus", "--data-dir", str(runtime.data_dir))
    assert ran.returncode == 1
    assert "Mars/Olympus" in ran.stderr


def test_the_printed_addresses_reach_the_engines(runtime: Instance) -> None:
    ran = _radixinsight("env", "--data-dir", str(runtime.data_dir), "--port-base", str(runtime.port_base))
    url = re.findall(r"^export CLICKHOUSE_URL=(\S+)$", ran.stdout, re.MULTILINE)[0].strip("'")
    with warehouse.connect(url) as client:
        assert client.query("select 1").result_rows == [(1,)]
