import asyncio
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


def test_only_the_user_can_read_the_older_generation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_LARGEST_BYTES", 100)
    (tmp_path / "a.log").write_text("old\n" * 50)
    logs.trim_logs(tmp_path)
    assert (tmp_path / "a.log.1").stat().st_mode & 0o077 == 0


def test_a_log_that_can_not_be_kept_is_cut_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_LARGEST_BYTES", 100)
    for name in ("a", "b"):
        (tmp_path / f"{name}.log").write_text("old\n" * 50)
        (tmp_path / f"{name}.log.1").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        logs.trim_logs(tmp_path)
    assert [(tmp_path / f"{name}.log").stat().st_size for name in ("a", "b")] == [0, 0]


async def test_logs_are_trimmed_on_after_the_disk_was_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logs, "_LARGEST_BYTES", 100)
    path = tmp_path / "a.log"
    path.write_text("old\n" * 50)
    (tmp_path / "a.log.1").symlink_to("/dev/full")
    trimming = asyncio.create_task(logs.keep_trimmed(tmp_path, every_s=0.01))
    async with asyncio.timeout(10):
        told = ""
        while "No space left" not in told:
            await asyncio.sleep(0.01)
            told += capsys.readouterr().err
        (tmp_path / "a.log.1").unlink()
        path.write_text("new\n" * 50)
        while path.stat().st_size:  # noqa: ASYNC110 - a thread empties it
            await asyncio.sleep(0.01)
    trimming.cancel()
    assert (tmp_path / "a.log.1").read_text() == "new\n" * 50
