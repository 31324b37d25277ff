"""Starts the chosen processes in the order of their needs, keeps them running, and stops them."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import msgspec
import psutil

from runtime import orphans
from runtime.addresses import resolve
from runtime.catalogue import Catalogue
from runtime.credentials import load_credentials
from runtime.directory import DataDirectory, DirectoryLock
from runtime.errors import OperationError
from runtime.liveness import is_at_work
from runtime.logs import keep_trimmed, start_log
from runtime.ports import Ports
from runtime.process import SupervisedProcess
from runtime.requests import take_request
from runtime.settings import RuntimeSettings
from runtime.state import SupervisorRecord, write_state

_PARENT_CHECK_S = 1.0


class Supervisor:
    """Owns one data directory from `run` until it returns. `watch` is called with the record after every change."""

    def __init__(
        self,
        settings: RuntimeSettings,
        *,
        only: tuple[str, ...] = (),
        while_alive: int | None = None,
        watch: Callable[[SupervisorRecord], None] | None = None,
    ) -> None:
        self._settings = settings
        self._only = only
        self._while_alive = while_alive
        self._watch = watch
        self.directory = DataDirectory.at(settings.data_dir)
        self._ports = Ports(settings.port_base)
        self._record = SupervisorRecord(
            run_id=uuid4().hex,
            pid=os.getpid(),
            created_at=psutil.Process().create_time(),
            port_base=settings.port_base,
            phase="starting",
        )
        self._stop = asyncio.Event()
        self._processes: dict[str, SupervisedProcess] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._guard: subprocess.Popen[bytes] | None = None
        self._guarded: dict[str, int] = {}
        self._background: set[asyncio.Task[None]] = set()

    async def run(self) -> SupervisorRecord:
        """Run until a stop signal, or until the start fails; return the last record (phase `down` or `failed`).

        Raises AlreadyRunningError, PortTakenError and OperationError before anything was started.
        """
        self.directory.create()
        lock = DirectoryLock(self.directory)
        lock.acquire()
        try:
            catalogue = self._catalogue()
            services = catalogue.select(self._only)
            orphans.end(self.directory)
            self._ports.check(catalogue.ports(services))
            self._start_guard()
            try:
                await self._serve(catalogue, [service.name for service in services])
            finally:
                await self._shut_down()
        finally:
            lock.release()
        return self._record

    def _catalogue(self) -> Catalogue:
        credentials = load_credentials(self.directory)
        addresses = resolve(self._settings, credentials, self._ports)
        self._record.external = sorted(addresses.external)
        return Catalogue(
            self.directory,
            self._ports,
            credentials,
            addresses,
            run_id=self._record.run_id,
            collectors=self._settings.collectors,
            api_processes=self._settings.api_processes,
        )

    def _start_guard(self) -> None:
        self._guard = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-I", "-S", str(Path(__file__).with_name("guard.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _listen_to_signals(self, catalogue: Catalogue) -> None:
        loop = asyncio.get_running_loop()
        for stop in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(stop, self._stop.set)
        loop.add_signal_handler(signal.SIGUSR1, self._carry_out_request, catalogue)

    def _add(self, catalogue: Catalogue, name: str) -> None:
        start_log(self.directory.log_of(name))
        process = SupervisedProcess(
            catalogue[name],
            self.directory.log_of(name),
            start_timeout_s=self._settings.start_timeout_s,
            changed=self._changed,
        )
        self._processes[name] = process
        self._record.processes.append(process.record)
        self._tasks[name] = asyncio.create_task(self._run_when_needs_are_met(process))

    async def _run_when_needs_are_met(self, process: SupervisedProcess) -> None:
        for name in process.service.needs:
            if name in self._processes:
                await self._processes[name].ready.wait()
        await process.run()

    async def _serve(self, catalogue: Catalogue, names: list[str]) -> None:
        self._listen_to_signals(catalogue)
        for name in names:
            self._add(catalogue, name)
        self._changed()
        stopped = asyncio.create_task(self._stop.wait())
        self._background = {asyncio.create_task(keep_trimmed(self.directory.logs))}
        if self._while_alive is not None:
            self._background.add(asyncio.create_task(self._stop_after(self._while_alive)))
        all_ready: asyncio.Task[object] = asyncio.create_task(self._all_ready())
        watched: set[asyncio.Task[object]] = {stopped, all_ready, *self._tasks.values()}  # pyright: ignore[reportAssignmentType] - tasks of any result
        while not self._stop.is_set():
            finished, watched = await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
            failure = next((task.exception() for task in finished if not task.cancelled() and task.exception()), None)
            if failure is not None and self._record.phase == "starting":
                self._record.phase = "failed"
                self._record.message = failure.detail if isinstance(failure, OperationError) else repr(failure)
                self._changed()
                break
        for task in (stopped, all_ready, *self._background):
            task.cancel()

    async def _all_ready(self) -> None:
        for process in list(self._processes.values()):
            await process.ready.wait()
        self._record.phase = "up"
        self._changed()

    async def _stop_after(self, pid: int) -> None:
        while is_at_work(pid):  # noqa: ASYNC110 - the event is another process's end: there is nothing to await
            await asyncio.sleep(_PARENT_CHECK_S)
        self._stop.set()

    def _carry_out_request(self, catalogue: Catalogue) -> None:
        request = take_request(self.directory)
        for name in request.start:
            if name not in self._processes:
                self._add(catalogue, name)
        for name in request.restart:
            if name in self._processes:
                task = asyncio.create_task(self._processes[name].restart())
                self._background.add(task)
                task.add_done_callback(self._background.discard)
        self._changed()

    async def _shut_down(self) -> None:
        if self._record.phase != "failed":
            self._record.phase = "stopping"
        self._changed()
        # First of all nothing is launched any more; a launch that is under way is undone by asyncio.
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        for engines in (False, True):
            leaving = [process for process in self._processes.values() if process.service.is_engine is engines]
            await asyncio.gather(*(process.stop() for process in leaving))
        if self._guard is not None and self._guard.stdin is not None:
            with contextlib.suppress(OSError):
                self._guard.stdin.write(b"done\n")
                self._guard.stdin.close()
            self._guard.wait(timeout=5)
        orphans.end(self.directory)
        if self._record.phase != "failed":
            self._record.phase = "down"
        self._changed()

    def _changed(self) -> None:
        self._tell_guard()
        # A full disk must not end the system; the next change is written again.
        with contextlib.suppress(OSError):
            write_state(self.directory.state_file, self._record)
        if self._watch is not None:
            self._watch(msgspec.convert(msgspec.to_builtins(self._record), SupervisorRecord))

    def _tell_guard(self) -> None:
        if self._guard is None or self._guard.stdin is None:
            return
        for name, process in self._processes.items():
            before, pid = self._guarded.get(name), process.record.pid
            if before == pid:
                continue
            lines = f"-{before}\n" if before is not None else ""
            if pid is not None:
                lines += f"+{pid} {int(process.service.stop_signal)}\n"
                self._guarded[name] = pid
            else:
                del self._guarded[name]
            with contextlib.suppress(OSError):
                self._guard.stdin.write(lines.encode())
                self._guard.stdin.flush()
