"""`radixinsight reset`: forget everything."""

import shutil
from typing import Annotated

import typer

from runtime.commands.down import stop
from runtime.commands.options import DataDirOption, read_settings
from runtime.directory import DataDirectory
from runtime.errors import OperationError


def reset(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,  # noqa: FBT002 - a flag of the command line
    data_dir: DataDirOption = None,
) -> None:
    """Stop everything and delete the data directory with all events, projects, keys and passwords."""
    directory = DataDirectory.at(read_settings(data_dir).data_dir)
    if not directory.root.exists():
        typer.echo(f"{directory.root} does not exist: nothing to delete.")
        return
    if not directory.run.is_dir():
        raise OperationError(f"{directory.root} is not a data directory of RadixInsight; it is left alone.")
    if not yes:
        typer.confirm(f"Delete all events, projects, keys and passwords in {directory.root}?", abort=True)
    stop(directory)
    shutil.rmtree(directory.root)
    typer.echo(f"Deleted {directory.root}.")
