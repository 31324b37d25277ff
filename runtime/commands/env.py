"""`radixinsight env`: the addresses as shell variables."""

import shlex

import typer

from runtime.commands.options import DataDirOption, PortBaseOption, settings_of_existing
from runtime.instance import Instance


def env(data_dir: DataDirOption = None, port_base: PortBaseOption = None) -> None:
    """Print `export …` lines with the engines' addresses and passwords, for `eval "$(radixinsight env)"`."""
    for name, value in Instance.of(settings_of_existing(data_dir, port_base)).variables.items():
        typer.echo(f"export {name}={shlex.quote(value)}")
