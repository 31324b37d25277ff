"""What doctor sees on a data directory on which nothing runs."""

import os
import shutil
import socket
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from runtime.credentials import load_credentials
from runtime.directory import DataDirectory
from runtime.examination import Finding, examine
from runtime.settings import RuntimeSettings


def _examine(data_dir: Path, port_base: int, **given: str) -> dict[str, Finding]:
    settings = RuntimeSettings.model_validate({"data_dir": data_dir, "port_base": port_base, **given})
    # Of several findings on one subject the worst is meant.
    found = sorted(examine(settings), key=lambda finding: ("ok", "warning", "error").index(finding.severity))
    return {finding.subject: finding for finding in found}


def test_a_fresh_directory_on_a_sound_machine_has_no_error(tmp_path: Path, free_port_base: int) -> None:
    findings = _examine(tmp_path / "data", free_port_base)
    assert not [finding for finding in findings.values() if finding.severity == "error"]
    assert "are free" in findings["ports"].message


def test_a_taken_port_is_an_error_with_a_way_out(tmp_path: Path, free_port_base: int) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", free_port_base + 4))
        holder.listen()
        finding = _examine(tmp_path / "data", free_port_base)["ports"]
    assert finding.severity == "error"
    assert f"Port {free_port_base + 4} (postgres) is taken" in finding.message
    assert "--port-base" in (finding.remedy or "")


def test_looking_leaves_nothing_behind(tmp_path: Path, free_port_base: int) -> None:
    finding = _examine(tmp_path / "data", free_port_base)["data"]
    assert (finding.severity, "does not exist yet" in finding.message) == ("ok", True)
    assert not (tmp_path / "data").exists()


def test_passwords_that_others_can_read_are_an_error(tmp_path: Path, free_port_base: int) -> None:
    load_credentials(DataDirectory.at(tmp_path))
    (tmp_path / "secrets.json").chmod(0o644)
    finding = _examine(tmp_path, free_port_base)["data"]
    assert (finding.severity, finding.remedy) == ("error", f"chmod 600 {tmp_path / 'secrets.json'}")


def test_models_that_dbt_refuses_are_an_error_with_its_words(tmp_path: Path, free_port_base: int) -> None:
    directory = DataDirectory.at(tmp_path)
    directory.refused_models.parent.mkdir(parents=True)
    directory.refused_models.write_text("0123\nmodel one depends on a node named 'missing'\n")
    finding = _examine(tmp_path, free_port_base)["models"]
    assert (finding.severity, "'missing'" in finding.message, "0123" in finding.message) == ("error", True, False)


def test_lost_passwords_are_an_error(tmp_path: Path, free_port_base: int) -> None:
    (tmp_path / "postgres").mkdir()
    assert "passwords are lost" in _examine(tmp_path, free_port_base)["data"].message


def test_an_engine_of_the_operator_that_does_not_answer_is_an_error_without_its_password(
    tmp_path: Path, free_port_base: int, free_port: int
) -> None:
    url = f"postgresql://me:hunter2@127.0.0.1:{free_port}/mine"
    finding = _examine(tmp_path, free_port_base, database_url=url)["postgres"]
    assert finding.severity == "error"
    assert f"127.0.0.1:{free_port}" in finding.message
    assert "hunter2" not in finding.message
    assert "DATABASE_URL" in (finding.remedy or "")


def test_little_disk_is_an_error(tmp_path: Path, free_port_base: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def nearly_full(path: Path) -> SimpleNamespace:
        assert path.exists()
        return SimpleNamespace(free=1024**3)

    monkeypatch.setattr(shutil, "disk_usage", nearly_full)
    assert _examine(tmp_path, free_port_base)["disk"].severity == "error"


def test_little_memory_is_a_warning(tmp_path: Path, free_port_base: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=1024**3, total=2 * 1024**3))
    assert _examine(tmp_path, free_port_base)["memory"].severity == "warning"


def test_processes_left_over_from_an_earlier_run_are_named(tmp_path: Path, free_port_base: int) -> None:
    left = psutil.Popen(
        ["sleep", "60"], env=os.environ | {"RADIXINSIGHT_RUN": "x", "RADIXINSIGHT_DATA_DIR": str(tmp_path)}
    )
    try:
        finding = _examine(tmp_path, free_port_base)["processes"]
        assert str(left.pid) in finding.message
    finally:
        left.kill()
        left.wait()


def test_a_directory_that_cannot_be_made_is_an_error(free_port_base: int) -> None:
    finding = _examine(Path("/proc/none"), free_port_base)["data"]
    assert finding.severity == "error"
    assert "--data-dir" in finding.message
