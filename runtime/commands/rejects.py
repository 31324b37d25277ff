"""`radixinsight rejects`: look at refused events, and judge them anew after what was wrong is mended."""

import json
import os
import subprocess
import sys
from datetime import timedelta
from typing import Annotated, Any

import typer
from clickhouse_connect.driver.exceptions import ClickHouseError
from rich.table import Column, Table

from core import warehouse
from core.clock import utc_now
from core.warehouse import ProjectScope
from runtime.commands.options import DataDirOption, JsonOption, PortBaseOption, settings_of_existing
from runtime.commands.tables import show as show_table
from runtime.errors import OperationError
from runtime.instance import Instance

rejects = typer.Typer(no_args_is_help=True, help="Look at refused events, and judge them anew.")

_PREVIEW = 80
_LIST = """
select received_at, reason, detail, protocol, path, message_id, hex(payload) as payload
from raw.rejects
where
    project_id = {project_id:UInt32}
    and received_at >= {since:DateTime64(3, 'UTC')}
    and ({reason:String} = '' or reason = {reason:String})
order by received_at desc
limit {limit:UInt32}
"""
_ProjectArgument = Annotated[int, typer.Argument(help="Number of the project.")]
_ReasonOption = Annotated[str, typer.Option(help="Only those with this reason.", show_default=False)]
_HoursOption = Annotated[float, typer.Option(help="Only those received in the last so many hours.")]


@rejects.command(name="list")
def list_rejects(
    *,
    project: _ProjectArgument,
    reason: _ReasonOption = "",
    hours: _HoursOption = 24.0,
    limit: Annotated[int, typer.Option(min=1, help="Most lines.")] = 20,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    port_base: PortBaseOption = None,
) -> None:
    """Show the latest refused events: when, why, and their bytes."""
    instance = Instance.of(settings_of_existing(data_dir, port_base))
    parameters = {"reason": reason, "since": utc_now() - timedelta(hours=hours), "limit": limit}
    try:
        with warehouse.connect(instance.clickhouse_reader_url) as client:
            found = [*ProjectScope(project).run(client, _LIST, parameters).named_results()]
    except (ClickHouseError, OSError) as error:
        raise OperationError("ClickHouse does not answer. Start the system with `radixinsight up`.") from error
    rows: list[dict[str, Any]] = [
        row | {"payload": bytes.fromhex(row["payload"]).decode(errors="replace")} for row in found
    ]
    if as_json:
        for row in rows:
            typer.echo(json.dumps(row | {"received_at": row["received_at"].isoformat()}))
        return
    _show(rows)


@rejects.command(name="replay")
def replay_rejects(
    *,
    project: _ProjectArgument,
    reason: _ReasonOption = "",
    hours: _HoursOption = 24.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be accepted.")] = False,
    data_dir: DataDirOption = None,
    port_base: PortBaseOption = None,
) -> None:
    """Judge refused events by the rules of today; what is accepted lands as if it had been accepted at once."""
    instance = Instance.of(settings_of_existing(data_dir, port_base))
    since = utc_now() - timedelta(hours=hours)
    command = [sys.executable, "-m", "ingestion.replay", str(project), "--since", since.isoformat(), "--reason", reason]
    if dry_run:
        command.append("--dry-run")
    done = subprocess.run(  # noqa: S603 - our own program
        command, env=os.environ | instance.variables, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode != 0:
        raise OperationError("The replay did not end well: its words are above. It can be repeated.")
    judgement = json.loads(done.stdout)
    typer.echo(f"{judgement['accepted']:,} {'would be' if dry_run else ''} accepted".replace("  ", " "))
    for name, count in sorted(judgement["refused"].items()):
        typer.echo(f"{count:,} still refused: {name}")


def _show(rows: list[dict[str, Any]]) -> None:
    table = Table(Column("Received (UTC)", no_wrap=True), Column("Reason", no_wrap=True), "Detail", "Protocol", "Event")
    for row in rows:
        preview = row["payload"] if len(row["payload"]) <= _PREVIEW else row["payload"][:_PREVIEW] + "…"
        received = f"{row['received_at']:%Y-%m-%d %H:%M:%S}"
        table.add_row(received, row["reason"], row["detail"], row["protocol"], preview)
    show_table(table, "No refused events.")
