"""One supervised process: launched, watched until ready, restarted with back-off, stopped with its descendants."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from runtime.errors import OperationError, StartFailedError
from runtime.privileges import launched
from runtime.service import Service
from runtime.state import ProcessRecord, now

_START_ATTEMPTS = 3
_FIRST_BACKOFF_S = 0.5
_LONGEST_BACKOFF_S = 30.0
# A process that served this long starts with the shortest back-off again.
_STEADY_S = 60.0
# One that accepts a connection and says nothing is not ready, and is asked again.
_ANSWER_TIMEOUT_S = 10.0


class SupervisedProcess:
    """Runs one service until it is told to stop. `changed` is called after every change of `record`."""

    def __init__(self, service: Service, log: Path, *, start_timeout_s: float, changed: Callable[[], None]) -> None:
        self.service = service
        self.record = ProcessRecord(name=service.name, address=service.address)
        self.ready = asyncio.Event()
        self._log = log
        self._start_timeout_s = start_timeout_s
        self._changed = changed
        self._child: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()
        self._restart_wanted = False

    async def run(self) -> None:
        """Keep the process running; return when it was stopped, or when a one-shot program has done its work.

        Raises StartFailedError when it doesn't become ready in three attempts or in the time allowed, or when
        starting it raises an OperationError, which another attempt would not change.
        """
        failures = 0
        while not self._stopping.is_set():
            launched_at = time.monotonic()
            became_ready, trouble = False, None
            try:
                became_ready = await self._launch_until_ready()
            except OperationError as error:
                await self._end_child()
                if not self.ready.is_set():
                    self._set(state="failed", pid=None, message=error.detail)
                    raise StartFailedError(f"{self.service.name}: {error.detail}") from error
                trouble = error.detail
            except Exception as error:  # noqa: BLE001 - a full disk, or a server that hangs up, passes
                await self._end_child()
                trouble = f"could not be started ({type(error).__name__}: {error})"
            if became_ready:
                self._set(state="ready", start_duration_s=time.monotonic() - launched_at, message=None)
                self.ready.set()
            code = await self._ended()
            if self._stopping.is_set():
                return
            if self.service.once and code == 0 and trouble is None:
                self._set(state="done", pid=None, exit_code=0, start_duration_s=time.monotonic() - launched_at)
                self.ready.set()
                return
            trouble = trouble or f"ended with {_described(code)}"
            failures = 0 if became_ready and time.monotonic() - launched_at > _STEADY_S else failures + 1
            if not self.ready.is_set() and failures >= _START_ATTEMPTS:
                message = f"{trouble} {failures} times before it was ready"
                self._set(state="failed", pid=None, exit_code=code, message=message)
                raise StartFailedError(f"{self.service.name} {message}.")
            await self._back_off(trouble, code, failures)

    async def _launch_until_ready(self) -> bool:
        """Launch, then ask until ready. Return False when the process ended first, or is a one-shot program."""
        service = self.service
        self._child = None
        self._set(state="starting", pid=None, started_at=now(), message=None)
        if service.prepare is not None:
            await asyncio.to_thread(service.prepare)
        identity = await asyncio.to_thread(service.identity)
        if self._stopping.is_set():
            return False
        command = launched(service.command(), identity, parent=os.getpid(), death_signal=service.stop_signal)
        descriptor = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            self._child = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=descriptor,
                stderr=descriptor,
                env=service.environment,
                cwd=Path(__file__).parent.parent,
            )
        finally:
            os.close(descriptor)
        self._set(pid=self._child.pid)
        if service.once:
            return False
        deadline = time.monotonic() + self._start_timeout_s
        while self._child.returncode is None and not self._stopping.is_set():
            if await self._is_ready(deadline):
                if service.on_ready is not None:
                    await service.on_ready()
                return True
            if time.monotonic() > deadline:
                await self._end_child()
                raise OperationError(f"was not ready within {self._start_timeout_s:.0f} s")
            await asyncio.sleep(service.poll_s)
        return False

    async def _is_ready(self, deadline: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(_ANSWER_TIMEOUT_S, max(deadline - time.monotonic(), 0))):
                return await self.service.is_ready()
        return False

    async def _ended(self) -> int | None:
        """Wait for the process's end and return its exit code; None when there is none because it wasn't launched."""
        if self._child is None:
            return None
        child = self._child
        code = await child.wait()
        # What it started must not outlive it: a second copy would fight over ports, locks and runs.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        return code

    async def _back_off(self, trouble: str, code: int | None, failures: int) -> None:
        wanted, self._restart_wanted = self._restart_wanted, False
        delay = 0.0 if wanted else min(_FIRST_BACKOFF_S * 2 ** max(failures - 1, 0), _LONGEST_BACKOFF_S)
        message = "restart asked for" if wanted else f"{trouble}, starts again in {delay:.1f} s"
        self.record.restarts += 1
        self._set(state="restarting", pid=None, exit_code=code, message=message)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(delay):
                await self._stopping.wait()

    async def restart(self) -> None:
        """End the process; `run` starts it again at once."""
        self._restart_wanted = True
        await self._end_child()

    async def stop(self) -> None:
        """End the process and all that descends from it: politely, and after its grace by force."""
        self._stopping.set()
        if self.record.state not in ("done", "failed"):
            self._set(state="stopping")
            await self._end_child()
            self._set(state="stopped", pid=None)

    async def _end_child(self) -> None:
        child = self._child
        if child is None or child.returncode is not None:
            return
        descendants = _descendants(child.pid)
        with contextlib.suppress(ProcessLookupError):
            child.send_signal(self.service.stop_signal)
        try:
            async with asyncio.timeout(self.service.grace_s):
                await child.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()
        for descendant in descendants:
            with contextlib.suppress(psutil.Error):
                descendant.kill()

    def _set(self, **values: object) -> None:
        for name, value in values.items():
            setattr(self.record, name, value)
        self._changed()


def _descendants(pid: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        return psutil.Process(pid).children(recursive=True)
    return []


def _described(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit code {code}"
    with contextlib.suppress(ValueError):
        return f"signal {signal.Signals(-code).name}"
    return f"signal {-code}"
