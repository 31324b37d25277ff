"""`radixinsight insights`: the insights that are defined in files."""

from pathlib import Path
from typing import Annotated

import typer

from core.insights.files import InvalidDefinitionsError
from core.insights.marts import read_project, write_marts

insights = typer.Typer(no_args_is_help=True, help="Insights that are defined in files, each with a mart of its own.")

_INSTALLED = Path(__file__).resolve().parents[2] / "dbt_project"
_ProjectDirOption = Annotated[Path, typer.Option(help="The dbt project.", file_okay=False, exists=True)]


@insights.command()
def check(*, project_dir: _ProjectDirOption = _INSTALLED) -> None:
    """Read all definitions, and name file, line and key of everything that is wrong."""
    found, problems = read_project(project_dir)
    for insight in found:
        typer.echo(f"{insight.name}: {insight.definition.description}")
    if problems:
        raise InvalidDefinitionsError(problems)


@insights.command()
def write(*, project_dir: _ProjectDirOption = _INSTALLED) -> None:
    """Write the dbt models of all definitions, as each refresh does first."""
    changed, problems = write_marts(project_dir)
    for file in changed:
        typer.echo(f"{'wrote' if file.exists() else 'removed'} {file.relative_to(project_dir)}")
    if problems:
        raise InvalidDefinitionsError(problems)
    if not changed:
        typer.echo("Every model is that of its definition already.")
