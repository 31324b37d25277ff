"""`radixinsight logs`: what the processes wrote."""

import time
from pathlib import Path
from typing import Annotated

import typer

from runtime.commands.options import DataDirOption, read_settings
from runtime.directory import DataDirectory
from runtime.errors import OperationError
from runtime.logs import tail

_POLL_S = 0.3


def logs(
    service: Annotated[str | None, typer.Argument(help="One process; all of them when left out.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on printing new lines.")] = False,  # noqa: FBT002 - a flag of the command line
    lines: Annotated[int, typer.Option("--lines", "-n", help="How many lines of each log.")] = 20,
    data_dir: DataDirOption = None,
) -> None:
    """Print the last lines of one log, or of all."""
    directory = DataDirectory.at(read_settings(data_dir).data_dir)
    paths = _paths(directory, service)
    width = max(len(path.stem) for path in paths)
    positions: dict[Path, int] = {}
    for path in paths:
        positions[path] = path.stat().st_size
        for line in tail(path, lines):
            _print(path, line, width if service is None else 0)
    while follow:
        time.sleep(_POLL_S)
        for path in _paths(directory, service):
            positions[path] = _print_new(path, positions.get(path, 0), width if service is None else 0)


def _paths(directory: DataDirectory, service: str | None) -> list[Path]:
    if service is not None and directory.log_of(service).exists():
        return [directory.log_of(service)]
    paths = sorted(directory.logs.glob("*.log"))
    if service is not None or not paths:
        known = ", ".join(path.stem for path in paths) or "none yet"
        raise OperationError(f"There is no log of {service or 'any process'} in {directory.logs}; there is: {known}.")
    return paths


def _print_new(path: Path, position: int, width: int) -> int:
    size = path.stat().st_size
    if size < position:  # emptied by the supervisor
        position = 0
    with path.open("rb") as file:
        file.seek(position)
        content = file.read(size - position)
    complete = content.rfind(b"\n") + 1
    for line in content[:complete].decode(errors="replace").splitlines():
        _print(path, line, width)
    return position + complete


def _print(path: Path, line: str, width: int) -> None:
    typer.echo(f"{path.stem:<{width}} │ {line}" if width else line)
