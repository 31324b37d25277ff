"""One supervised process at a time, with programs of the test's own."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from runtime import process as process_module
from runtime.errors import OperationError, StartFailedError
from runtime.liveness import is_at_work
from runtime.process import SupervisedProcess
from runtime.service import Service


def _process(tmp_path: Path, script: str, *, start_timeout_s: float = 5, **options: object) -> SupervisedProcess:
    settings: dict[str, object] = {"grace_s": 1.0, **options}
    service = Service(
        name="program",
        command=lambda: ["/bin/sh", "-c", script],
        environment={"PATH": os.environ["PATH"]},
        **settings,  # pyright: ignore[reportArgumentType] - each test gives fitting ones
    )
    return SupervisedProcess(service, tmp_path / "program.log", start_timeout_s=start_timeout_s, changed=lambda: None)


async def _eventually(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - other processes make it true
            await asyncio.sleep(0.02)


async def _written(path: Path) -> int:
    """Return the number that a program writes into a file, once it is there."""
    await _eventually(lambda: path.exists() and path.read_text().endswith("\n"))
    return int((await asyncio.to_thread(path.read_text)).strip() or 0)


async def test_what_a_process_started_ends_with_it(tmp_path: Path) -> None:
    process = _process(tmp_path, f"sleep 60 & echo $! > {tmp_path}/child; wait")
    running = asyncio.create_task(process.run())
    child = await _written(tmp_path / "child")
    assert is_at_work(child)
    await process.stop()
    await running
    await _eventually(lambda: not is_at_work(child))


async def test_what_a_process_started_in_a_session_of_its_own_ends_with_it_too(tmp_path: Path) -> None:
    process = _process(tmp_path, f"setsid sh -c 'echo $$ > {tmp_path}/child; exec sleep 60' & wait")
    running = asyncio.create_task(process.run())
    child = await _written(tmp_path / "child")
    await process.stop()
    await running
    await _eventually(lambda: not is_at_work(child))


async def test_what_a_crashed_process_started_does_not_outlive_it(tmp_path: Path) -> None:
    process = _process(tmp_path, f"sleep 60 & echo $! > {tmp_path}/child; wait")
    running = asyncio.create_task(process.run())
    child = await _written(tmp_path / "child")
    assert process.record.pid is not None
    os.kill(process.record.pid, signal.SIGKILL)
    await _eventually(lambda: not is_at_work(child))
    await process.stop()
    await running


async def test_a_process_that_ignores_the_signal_is_killed_after_its_grace(tmp_path: Path) -> None:
    process = _process(tmp_path, f"trap '' TERM; echo > {tmp_path}/up; while true; do sleep 0.1; done", grace_s=0.3)
    running = asyncio.create_task(process.run())
    await _written(tmp_path / "up")
    pid = process.record.pid
    assert pid is not None
    await process.stop()
    await running
    assert not is_at_work(pid)
    assert process.record.state == "stopped"


async def test_a_process_that_never_becomes_ready_fails_the_start_after_three_attempts(tmp_path: Path) -> None:
    async def never() -> bool:
        return False

    process = _process(tmp_path, f"echo once >> {tmp_path}/attempts; exit 3", is_ready=never)
    with pytest.raises(StartFailedError, match="exit code 3 3 times before it was ready"):
        await process.run()
    assert (tmp_path / "attempts").read_text() == "once\n" * 3
    assert process.record.state == "failed"


async def test_a_process_that_takes_too_long_fails_the_start(tmp_path: Path) -> None:
    async def never() -> bool:
        return False

    process = _process(tmp_path, "sleep 60", is_ready=never, start_timeout_s=0.2)
    with pytest.raises(StartFailedError, match="was not ready within"):
        await process.run()


async def test_a_crash_after_being_ready_is_followed_by_a_restart(tmp_path: Path) -> None:
    process = _process(tmp_path, f"echo >> {tmp_path}/starts; sleep 60")
    running = asyncio.create_task(process.run())
    await asyncio.wait_for(process.ready.wait(), 5)
    await _written(tmp_path / "starts")
    assert process.record.pid is not None
    os.kill(process.record.pid, signal.SIGKILL)
    await _eventually(lambda: (tmp_path / "starts").read_text().count("\n") == 2)
    assert process.record.restarts == 1
    await process.stop()
    await running


async def test_a_start_that_raises_is_tried_three_times(tmp_path: Path) -> None:
    attempts: list[int] = []

    def full_disk() -> None:
        attempts.append(1)
        raise OSError(28, "No space left on device")

    process = _process(tmp_path, "sleep 60", prepare=full_disk)
    with pytest.raises(StartFailedError, match=r"No space left on device\) 3 times before it was ready"):
        await process.run()
    assert len(attempts) == 3
    assert process.record.state == "failed"


async def test_a_start_that_raises_once_goes_on(tmp_path: Path) -> None:
    process = _process(tmp_path, "sleep 60")
    (tmp_path / "program.log").mkdir()  # the log can't be opened
    running = asyncio.create_task(process.run())
    await _eventually(lambda: process.record.state == "restarting")
    assert "IsADirectoryError" in (process.record.message or "")
    (tmp_path / "program.log").rmdir()
    await asyncio.wait_for(process.ready.wait(), 5)
    await process.stop()
    await running


async def test_a_refusal_that_another_attempt_would_not_change_fails_the_start_at_once(tmp_path: Path) -> None:
    def refuse() -> None:
        raise OperationError("is not installed")

    process = _process(tmp_path, "sleep 60", prepare=refuse)
    with pytest.raises(StartFailedError, match="is not installed"):
        await process.run()
    assert process.record.restarts == 0


async def test_a_once_program_that_was_never_launched_is_not_done(tmp_path: Path) -> None:
    def broken() -> None:
        raise RuntimeError

    with pytest.raises(StartFailedError, match="RuntimeError"):
        await _process(tmp_path, "exit 0", once=True, prepare=broken).run()


@pytest.mark.parametrize("error", [ConnectionResetError("hung up"), OperationError("does not take our password")])
async def test_a_question_that_raises_after_a_crash_does_not_end_the_supervision(
    tmp_path: Path, error: Exception
) -> None:
    answers: list[bool | Exception] = [True, error, True]
    pids: list[int] = []

    async def is_ready() -> bool:
        assert process.record.pid is not None
        pids.append(process.record.pid)
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    process = _process(tmp_path, "exec sleep 60", is_ready=is_ready)
    running = asyncio.create_task(process.run())
    await asyncio.wait_for(process.ready.wait(), 5)
    os.kill(pids[0], signal.SIGKILL)
    await _eventually(lambda: not answers and process.record.state == "ready")
    assert process.record.restarts == 2
    assert [is_at_work(pid) for pid in pids] == [False, False, True]
    await process.stop()
    await running


async def test_a_process_that_accepts_a_question_and_says_nothing_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_module, "_ANSWER_TIMEOUT_S", 0.1)
    asked: list[int] = []

    async def silent_at_first() -> bool:
        asked.append(1)
        if len(asked) == 1:
            await asyncio.Event().wait()
        return True

    process = _process(tmp_path, "exec sleep 60", is_ready=silent_at_first)
    running = asyncio.create_task(process.run())
    await asyncio.wait_for(process.ready.wait(), 5)
    assert (len(asked), process.record.restarts) == (2, 0)
    await process.stop()
    await running


async def test_a_process_that_never_answers_fails_the_start_in_the_time_allowed(tmp_path: Path) -> None:
    async def silent() -> bool:
        return await asyncio.Event().wait()

    process = _process(tmp_path, "exec sleep 60", is_ready=silent, start_timeout_s=0.2)
    async with asyncio.timeout(5):
        with pytest.raises(StartFailedError, match="was not ready within"):
            await process.run()


async def test_a_program_that_runs_once_is_done_when_it_has_succeeded(tmp_path: Path) -> None:
    process = _process(tmp_path, "exit 0", once=True)
    await process.run()
    assert process.record.state == "done"
    assert process.ready.is_set()


async def test_a_program_that_runs_once_and_fails_is_tried_again(tmp_path: Path) -> None:
    process = _process(tmp_path, f"test -e {tmp_path}/again || {{ touch {tmp_path}/again; exit 1; }}", once=True)
    await process.run()
    assert (process.record.state, process.record.restarts) == ("done", 1)


async def test_output_goes_to_the_log(tmp_path: Path) -> None:
    process = _process(tmp_path, "echo out; echo err >&2", once=True)
    await process.run()
    assert (tmp_path / "program.log").read_text().splitlines() == ["out", "err"]


async def test_a_launched_program_ends_when_its_parent_is_already_gone() -> None:
    launcher = Path(sys.modules["runtime.launch"].__file__ or "")
    wishes = '{"parent": 1, "signal": 9, "user": "keep"}'
    done = await asyncio.create_subprocess_exec(sys.executable, "-I", "-S", launcher, wishes, "true", stderr=-3)
    assert await done.wait() == 1


def test_the_guard_ends_the_processes_of_a_dead_supervisor(tmp_path: Path) -> None:
    script = f"trap '' TERM; sleep 60 & echo $! > {tmp_path}/child; while true; do wait; done"
    stubborn = psutil.Popen(["/bin/sh", "-c", script], start_new_session=True)
    guard_file = Path(sys.modules["runtime.process"].__file__ or "").with_name("guard.py")
    guard = psutil.Popen([sys.executable, "-I", "-S", str(guard_file), "0.5"], stdin=-1)
    assert guard.stdin is not None
    guard.stdin.write(f"+{stubborn.pid} 15\n".encode())
    guard.stdin.flush()
    while not (tmp_path / "child").exists() or not (tmp_path / "child").read_text():
        pass
    guard.stdin.close()  # as when the supervisor is killed
    assert stubborn.wait(10) == -9
    assert guard.wait(10) == 0
    assert not is_at_work(int((tmp_path / "child").read_text()))


def test_the_guard_leaves_alone_what_a_supervisor_stopped_itself() -> None:
    other = psutil.Popen(["sleep", "60"], start_new_session=True)
    guard_file = Path(sys.modules["runtime.process"].__file__ or "").with_name("guard.py")
    guard = psutil.Popen([sys.executable, "-I", "-S", str(guard_file)], stdin=-1)
    assert guard.stdin is not None
    guard.stdin.write(f"+{other.pid} 15\n-{other.pid}\ndone\n".encode())
    guard.stdin.close()
    assert guard.wait(10) == 0
    assert other.is_running()
    other.kill()
    other.wait()
