"""Options that several commands share."""

from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from core.settings import wrong_settings
from runtime.directory import DataDirectory
from runtime.errors import OperationError
from runtime.settings import RuntimeSettings
from runtime.state import read_state

DataDirOption = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Where everything is kept (default ./.radixinsight).", show_default=False),
]
PortBaseOption = Annotated[
    int | None,
    typer.Option("--port-base", help="First of the ports (default 7100).", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def read_settings(data_dir: Path | None, port_base: int | None = None) -> RuntimeSettings:
    """Return the environment's settings with the given flags before them; raise OperationError for a wrong value.

    Where neither says on which ports, those of the directory's last start hold: addresses that were noted stay true.
    """
    flags: dict[str, Any] = {"data_dir": data_dir, "port_base": port_base}
    try:
        settings = RuntimeSettings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        raise OperationError(wrong_settings(error, RuntimeSettings)) from error
    record = read_state(DataDirectory.at(settings.data_dir).state_file)
    if record is None or "port_base" in settings.model_fields_set:
        return settings
    return settings.model_copy(update={"port_base": record.port_base})


def settings_of_existing(data_dir: Path | None, port_base: int | None = None) -> RuntimeSettings:
    """Return the settings as `settings_of_running` does; raise OperationError when nothing was ever started there."""
    settings = settings_of_running(data_dir, port_base)
    directory = DataDirectory.at(settings.data_dir)
    if not directory.secrets_file.exists():
        raise OperationError(
            f"There is nothing in {directory.root}. Name the directory with --data-dir, or start the system there with "
            "`radixinsight up`."
        )
    return settings


def settings_of_running(data_dir: Path | None, port_base: int | None = None) -> RuntimeSettings:
    """Return the settings, with the port base of the running system when none is given."""
    settings = read_settings(data_dir, port_base)
    record = read_state(DataDirectory.at(settings.data_dir).state_file)
    if port_base is None and record is not None and record.is_alive:
        return read_settings(data_dir, record.port_base)
    return settings
