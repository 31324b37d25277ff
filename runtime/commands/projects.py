"""`radixinsight projects`: which projects there are."""

from typing import Any

import msgspec
import typer
from rich.table import Column, Table
from sqlalchemy.orm import Session

from core.metadata.projects import list_projects
from runtime.commands.options import DataDirOption, JsonOption, PortBaseOption, settings_of_existing
from runtime.commands.tables import show as show_table
from runtime.instance import Instance
from runtime.transactions import in_transaction

projects = typer.Typer(no_args_is_help=True, help="Which projects there are; `project` makes one.")


@projects.command(name="list")
def list_all(*, as_json: JsonOption = False, data_dir: DataDirOption = None, port_base: PortBaseOption = None) -> None:
    """Show every project: its number, name, time zone and organisation."""
    instance = Instance.of(settings_of_existing(data_dir, port_base))
    rows = in_transaction(instance.database_url, _read)
    if as_json:
        for row in rows:
            typer.echo(msgspec.json.encode(row).decode())
        return
    table = Table("Number", "Name", "Time zone", Column("Organisation", justify="right"), "Made (UTC)")
    for row in rows:
        made = f"{row['created_at']:%Y-%m-%d %H:%M}"
        table.add_row(str(row["id"]), row["name"], row["timezone"], str(row["organisation_id"]), made)
    show_table(table, "No projects.")


def _read(session: Session) -> list[dict[str, Any]]:
    return [
        {
            "id": found.id,
            "name": found.name,
            "timezone": found.timezone,
            "organisation_id": found.organisation_id,
            "created_at": found.created_at,
        }
        for found in list_projects(session)
    ]
