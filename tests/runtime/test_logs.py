from pathlib import Path

import pytest

from runtime import logs


def test_the_tail_is_the_last_lines(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("".join(f"{number}\n" for number in range(50)))
    assert logs.tail(tmp_path / "a.log", 3) == ["47", "48", "49"]


def test_a_log_that_is_not_there_has_no_lines(tmp_path: Path) -> None:
    assert logs.tail(tmp_path / "none.log") == []


def test_a_log_that_grew_too_large_is_cut_while_its_process_writes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "_LARGEST_BYTES", 100)
    path = tmp_path / "a.log"
    with path.open("a") as process:
        process.write("old\n" * 50)
        process.flush()
        logs.trim_logs(tmp_path)
        process.write("new\n")
    assert path.read_text() == "new\n"
    assert (tmp_path / "a.log.1").read_text() == "old\n" * 50


def test_a_small_log_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("kept\n")
    logs.trim_logs(tmp_path)
    assert (tmp_path / "a.log").read_text() == "kept\n"
