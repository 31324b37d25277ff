"""`radixinsight up`: start everything, or some of it, in this terminal or in the background."""

import asyncio
import os
import subprocess
import sys
import time
from typing import Annotated

import typer
from rich.console import Console

from runtime.commands.options import DataDirOption, PortBaseOption, read_settings
from runtime.commands.progress import StartProgress
from runtime.directory import DataDirectory, DirectoryLock
from runtime.errors import AlreadyRunningError, StartFailedError
from runtime.logs import tail
from runtime.settings import RuntimeSettings
from runtime.state import SupervisorRecord, read_state

_POLL_S = 0.1


def up(
    only: Annotated[
        str, typer.Option(help="Names to start, separated by commas; what they need starts too.", show_default=False)
    ] = "",
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return when ready; leave it running.")] = False,  # noqa: FBT002 - a flag of the command line
    port_base: PortBaseOption = None,
    data_dir: DataDirOption = None,
    while_alive: Annotated[int | None, typer.Option(hidden=True, help="Stop when this process ends.")] = None,
) -> None:
    """Start the engines and services; Ctrl-C stops them."""
    settings = read_settings(data_dir, port_base)
    names = tuple(name.strip() for name in only.split(",") if name.strip())
    console = Console(stderr=True)
    if detach:
        start_detached(settings, names, console, while_alive=while_alive)
    else:
        _run_here(settings, names, console, while_alive)


def _run_here(settings: RuntimeSettings, only: tuple[str, ...], console: Console, while_alive: int | None) -> None:
    from runtime.supervisor import Supervisor  # noqa: PLC0415 - a detached start does without its 0.4 s of imports

    directory = DataDirectory.at(settings.data_dir)
    with StartProgress(console, directory) as progress:
        supervisor = Supervisor(settings, only=only, while_alive=while_alive, watch=progress.show)
        last = asyncio.run(supervisor.run())
    raise_if_failed(last, directory)


def start_detached(
    settings: RuntimeSettings, only: tuple[str, ...], console: Console, *, while_alive: int | None = None
) -> SupervisorRecord:
    """Start a supervisor in the background and return its record when all is ready.

    Raises AlreadyRunningError at once, PortTakenError and StartFailedError with the last lines of the log.
    """
    directory = DataDirectory.at(settings.data_dir)
    directory.create()
    holder = DirectoryLock(directory).holder()
    if holder is not None:
        raise AlreadyRunningError(
            f"RadixInsight already runs on {directory.root} (supervisor process {holder or 'unknown'}). "
            "See it with `radixinsight status`, stop it with `radixinsight down`."
        )
    command = [sys.executable, "-m", "runtime", "up", "--data-dir", str(directory.root)]
    command += ["--port-base", str(settings.port_base)]
    if only:
        command += ["--only", ",".join(only)]
    if while_alive is not None:
        command += ["--while-alive", str(while_alive)]
    log = directory.log_of("supervisor")
    with open(log, "wb", opener=_private) as file:
        child = subprocess.Popen(  # noqa: S603 - ourselves
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
            env=os.environ | {"COLUMNS": "200", "NO_COLOR": "1"},
        )
    with StartProgress(console, directory) as progress:
        while True:
            ended = child.poll() is not None
            record = read_state(directory.state_file)
            if record is not None and record.pid == child.pid:
                progress.show(record)
                raise_if_failed(record, directory)
                if record.phase == "up":
                    return record
            if ended:
                raise StartFailedError("\n".join(tail(log)) or f"The supervisor ended with {child.returncode}.")
            time.sleep(_POLL_S)


def _private(path: str, flags: int) -> int:
    # For appending: the log is cut while it is written.
    return os.open(path, flags | os.O_APPEND, 0o600)


def raise_if_failed(record: SupervisorRecord, directory: DataDirectory) -> None:
    """Raise StartFailedError with the last lines of the log of the process that failed."""
    if record.phase != "failed":
        return
    lines = [record.message or "The start failed."]
    for process in record.processes:
        if process.state == "failed":
            log = directory.log_of(process.name)
            lines += [f"The last lines of {log}:", *(f"  {line}" for line in tail(log))]
    raise StartFailedError("\n".join(lines))
