"""`radixinsight reset`: forget everything."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from runtime.commands.down import stop
from runtime.commands.options import DataDirOption, read_settings
from runtime.credentials import Credentials
from runtime.directory import DataDirectory
from runtime.errors import OperationError

# What a start leaves that was killed while it made a cluster or wrote a file.
_UNFINISHED = (".postgres-*", ".secrets.json.*.tmp", ".demo.json.*.tmp")


def reset(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,  # noqa: FBT002 - a flag of the command line
    data_dir: DataDirOption = None,
) -> None:
    """Stop everything and delete the data directory with all events, projects, keys and passwords."""
    directory = DataDirectory.at(read_settings(data_dir).data_dir)
    if not directory.root.exists():
        typer.echo(f"{directory.root} does not exist: nothing to delete.")
        return
    if not _is_ours(directory):
        raise OperationError(f"{directory.root} is not a data directory of RadixInsight; it is left alone.")
    if not yes:
        typer.confirm(f"Delete all events, projects, keys and passwords in {directory.root}?", abort=True)
    stop(directory)
    for path in _parts(directory):
        _delete(path)
    try:
        directory.root.rmdir()
    except OSError:
        typer.echo(f"Deleted all data in {directory.root}; what else lies there was left alone.")
    else:
        typer.echo(f"Deleted {directory.root}.")


def _is_ours(directory: DataDirectory) -> bool:
    """Say whether a supervisor was ever at work here: others have folders named `run` or `logs` too."""
    if directory.lock_file.is_file() and not directory.lock_file.is_symlink():
        return True
    with contextlib.suppress(OSError, msgspec.DecodeError):
        msgspec.json.decode(directory.secrets_file.read_bytes(), type=Credentials)
        return True
    return False


def _parts(directory: DataDirectory) -> Iterator[Path]:
    """Yield what we make below the root; last what we know it by, so that a reset that was cut off can be repeated."""
    for pattern in _UNFINISHED:
        yield from directory.root.glob(pattern)
    yield from (
        directory.clickhouse,
        directory.postgres,
        directory.valkey,
        directory.spool,
        directory.ledger,
        directory.damaged,
        directory.imports,
        directory.consumer,
        directory.dagster,
    )
    yield from (directory.logs, directory.demo_file, directory.run, directory.secrets_file)


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
