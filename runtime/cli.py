"""The `radixinsight` command."""

import sys

import typer

from core.errors import RadixError
from runtime.commands.down import down
from runtime.commands.env import env
from runtime.commands.logs import logs
from runtime.commands.migrate import migrate
from runtime.commands.reset import reset
from runtime.commands.status import status
from runtime.commands.up import up

app = typer.Typer(
    name="radixinsight",
    help="Self-hosted product analytics, all of it on this machine.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for command in (up, down, status, logs, env, migrate, reset):
    app.command()(command)


def main() -> None:
    """Run the command line; a domain error becomes its sentence on stderr and exit code 1."""
    try:
        app()
    except RadixError as error:
        typer.secho(error.detail, fg=typer.colors.RED, err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
