"""The `radixinsight` command."""

import sys
from importlib import import_module

import typer

from core.errors import RadixError

_COMMANDS = (
    "up",
    "down",
    "status",
    "logs",
    "doctor",
    "demo",
    "project",
    "projects",
    "invite",
    "organisation",
    "domains",
    "keys",
    "rules",
    "schemas",
    "rejects",
    "insights",
    "import",
    "env",
    "migrate",
    "reset",
)
_CALLED = {"import": "import_files"}
"""What a command is called in Python, where that is another name."""


def build(arguments: list[str]) -> typer.Typer:
    """Return the command line with the one command that `arguments` name, or with all of them.

    A command is imported when it is wanted: `status` needs no database driver, and answers in a third of the time.
    """
    app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)
    app.callback()(_radixinsight)
    wanted = arguments[0] if arguments else ""
    for name in (wanted,) if wanted in _COMMANDS else _COMMANDS:
        called = _CALLED.get(name, name)
        command = getattr(import_module(f"runtime.commands.{called}"), called)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    return app


def _radixinsight() -> None:
    """Self-hosted product analytics, all of it on this machine."""


def main() -> None:
    """Run the command line; a domain error becomes its sentence on stderr and exit code 1."""
    try:
        build(sys.argv[1:])()
    except RadixError as error:
        typer.secho(error.detail, fg=typer.colors.RED, err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
