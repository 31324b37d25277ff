"""`radixinsight import`: files of history, around the spool into the same tables."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from sqlalchemy.exc import OperationalError

from runtime.commands.import_display import ImportDisplay
from runtime.commands.options import DataDirOption, JsonOption, PortBaseOption, settings_of_existing
from runtime.errors import OperationError
from runtime.instance import Instance
from runtime.project_keys import owner_of_write_key, project_exists


def import_files(
    *,
    files: Annotated[list[Path], typer.Argument(help="Files, or directories of files.")],
    mapping: Annotated[
        str, typer.Option(help="segment, posthog, mixpanel, amplitude, or a .toml or .json file of one's own.")
    ],
    project: Annotated[int | None, typer.Option(help="Number of the project.", show_default=False)] = None,
    write_key: Annotated[
        str | None, typer.Option(help="A write key, in place of the number.", envvar="RADIXINSIGHT_WRITE_KEY")
    ] = None,
    zone: Annotated[
        str | None, typer.Option(help="IANA time zone of instants that name none.", show_default=False)
    ] = None,
    dry_run: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Only show what the first N rows would become.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Also what was imported before; it still counts once.")
    ] = False,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    port_base: PortBaseOption = None,
) -> None:
    """Import files of events: CSV, JSON lines, Parquet, and other products' exports. Goes on where it was cut off."""
    instance = Instance.of(settings_of_existing(data_dir, port_base))
    project_id, key_id = _owner(instance, project, write_key)
    command = [sys.executable, "-m", "ingestion.importing", "--mapping", mapping, "--project", str(project_id)]
    command += ["--write-key-id", str(key_id)]
    command += ["--zone", zone] if zone is not None else []
    command += ["--dry-run", str(dry_run)] if dry_run is not None else []
    command += ["--force"] if force else []
    command += ["--", *map(str, files)]
    with subprocess.Popen(  # noqa: S603 - our own program
        command, env=os.environ | instance.variables, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None  # noqa: S101 - asked for above; this narrows the type
        said = map(json.loads, process.stdout)
        try:
            if as_json:
                for message in said:
                    typer.echo(json.dumps(message))
            else:
                with ImportDisplay(Console()) as display:
                    for message in said:
                        display.show(message)
        except KeyboardInterrupt:
            process.terminate()
            raise OperationError("Interrupted. The same command goes on where it was.") from None
    if process.returncode != 0:
        raise typer.Exit(1)


def _owner(instance: Instance, project: int | None, write_key: str | None) -> tuple[int, int]:
    if (project is None) == (write_key is None):
        raise OperationError("Say into which project: with --project or with --write-key.")
    try:
        if write_key is not None:
            owner = owner_of_write_key(instance.database_url, write_key)
            if owner is None:
                raise OperationError(f"The write key {write_key[:8]}… is unknown or revoked.")
            return owner
        assert project is not None  # noqa: S101 - one of both is given
        if not project_exists(instance.database_url, project):
            raise OperationError(f"There is no project {project}. `radixinsight project NAME` makes one.")
    except OperationalError as error:
        raise OperationError(
            "The metadata database does not answer. Start the system with `radixinsight up`."
        ) from error
    return project, 0
