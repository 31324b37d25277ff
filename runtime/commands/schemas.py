"""`radixinsight schemas`: what the properties of a project's events must look like."""

import json
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Annotated, Any, TypeVar

import typer
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from rich.console import Console
from rich.table import Column, Table
from sqlalchemy.orm import Session

from core import warehouse
from core.clock import utc_now
from core.metadata.audit import Target, note_operation
from core.metadata.collection_rules import Schemas, read_rules
from core.metadata.event_schemas import Added, add_schema, find_schema, list_schemas, retire_schema
from core.metadata.schema_changes import SchemaChanges, compare
from runtime import schema_inference, schema_report
from runtime.commands.options import DataDirOption, JsonOption, PortBaseOption, settings_of_existing
from runtime.commands.tables import show as show_table
from runtime.errors import OperationError
from runtime.instance import Instance
from runtime.transactions import in_transaction

schemas = typer.Typer(no_args_is_help=True, help="What the properties of a project's events must look like.")

_Result = TypeVar("_Result")
_ProjectArgument = Annotated[int, typer.Argument(help="Number of the project.")]
_EventArgument = Annotated[
    str, typer.Argument(help="Name of the event; $identify or $group for traits, * for every other track and page.")
]
_DaysOption = Annotated[float, typer.Option(help="Look at the last so many days.")]


@schemas.command(name="list")
def list_versions(
    *, project: _ProjectArgument, data_dir: DataDirOption = None, port_base: PortBaseOption = None
) -> None:
    """Show every version of every schema, and which of them hold."""
    instance = Instance.of(settings_of_existing(data_dir, port_base))
    rules = in_transaction(instance.database_url, lambda session: read_rules(session, project))
    if rules is None:
        raise OperationError(f"There is no project {project}.")
    found = in_transaction(instance.database_url, lambda session: list_schemas(session, project))
    holding = {row.event: row.version for row in found if row.retired_at is None}
    table = Table("Event", Column("Version", justify="right"), "Added (UTC)", "State")
    for row in found:
        state = "retired" if row.retired_at else "holds" if holding[row.event] == row.version else "superseded"
        table.add_row(row.event, str(row.version), f"{row.created_at:%Y-%m-%d %H:%M}", state)
    show_table(table, "No schemas.")
    typer.echo(f"Events that do not fit: {_fate(rules.schemas)}")


@schemas.command()
def show(
    *,
    project: _ProjectArgument,
    event: _EventArgument,
    version: Annotated[int | None, typer.Option(help="Which one; the one that holds unless told.")] = None,
    data_dir: DataDirOption = None,
    port_base: PortBaseOption = None,
) -> None:
    """Print a schema, as a JSON document that `add` takes."""
    instance = Instance.of(settings_of_existing(data_dir, port_base))
    found = in_transaction(instance.database_url, lambda session: find_schema(session, project, event, version))
    typer.echo(_pretty(found.schema))


@schemas.command()
def add(
    *,
    project: _ProjectArgument,
    event: _EventArgument,
    document: Annotated[typer.FileBinaryRead, typer.Argument(help="JSON Schema; - for standard input.")],
    data_dir: DataDirOption = None,
    port_base: PortBaseOption = None,
) -> None:
    """Make a JSON Schema the next version of an event's schema, which holds within 3 seconds."""
    instance = Instance.of(settings_of_existing(data_dir, port_base))
    read = document.read()

    def put(session: Session) -> Added:
        made = add_schema(session, project, event, read)
        if made.is_new:
            said = Target("event_schema", event, {"version": made.version})
            note_operation(session, project, "event_schema.added", said)
        return made

    added = in_transaction(instance.database_url, put)
    if not added.is_new:
        typer.echo(f"Version {added.version} of the schema of {event} says the same already.")
        return
    typer.echo(f"Version {added.version} of the schema of {event} holds in 3 seconds.")
    if added.former is not None:
        _tell(added.former, added.changes)
    rules = in_transaction(instance.database_url, lambda session: read_rules(session, project))
    typer.echo(f"Events that do not fit: {_fate(rules.schemas if rules else Schemas.OFF)}")


@schemas.command()
def retire(
    *,
    project: _ProjectArgument,
    event: _EventArgument,
    version: Annotated[int | None, typer.Option(help="Which one; all of them unless told.")] = None,
    data_dir: DataDirOption = None,
    port_base: PortBaseOption = None,
) -> None:
    """Let versions hold no more; the latest that is left holds again, within 3 seconds."""
    instance = Instance.of(settings_of_existing(data_dir, port_base))

    def end(session: Session) -> list[int]:
        ended = retire_schema(session, project, event, version)
        note_operation(session, project, "event_schema.retired", Target("event_schema", event, {"versions": ended}))
        return ended

    retired = in_transaction(instance.database_url, end)
    typer.echo(f"Retired of {event}: {', '.join(f'version {each}' for each in retired)}")


@schemas.command()
def diff(
    *,
    project: _ProjectArgument,
    event: _EventArgument,
    former: Annotated[int, typer.Argument(help="Version that is compared …")],
    latter: Annotated[int | None, typer.Argument(help="… with this one; the one that holds unless told.")] = None,
    data_dir: DataDirOption = None,
    port_base: PortBaseOption = None,
) -> None:
    """Say what one version changes of another, and whether what fitted the first fits the second."""
    instance = Instance.of(settings_of_existing(data_dir, port_base))
    one = in_transaction(instance.database_url, lambda session: find_schema(session, project, event, former))
    other = in_transaction(instance.database_url, lambda session: find_schema(session, project, event, latter))
    _tell(former, compare(one.schema, other.schema))


@schemas.command()
def infer(
    *,
    project: _ProjectArgument,
    event: _EventArgument,
    days: _DaysOption = 7.0,
    data_dir: DataDirOption = None,
    port_base: PortBaseOption = None,
) -> None:
    """Propose a schema from the events that landed, to be edited and added."""
    instance = Instance.of(settings_of_existing(data_dir, port_base))
    since = utc_now() - timedelta(days=days)
    proposed = _ask(instance, partial(schema_inference.infer, project_id=project, event=event, since=since))
    if proposed is None:
        raise OperationError(f"No event {event!r} was received in the last {days:g} days.")
    typer.secho(f"Read from {proposed.events:,} events of the last {days:g} days.", err=True)
    typer.echo(_pretty(proposed.schema))


@schemas.command()
def report(
    *,
    project: _ProjectArgument,
    days: _DaysOption = 7.0,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    port_base: PortBaseOption = None,
) -> None:
    """Show what is new about the events, and how many do not fit their schema."""
    instance = Instance.of(settings_of_existing(data_dir, port_base))
    since = utc_now() - timedelta(days=days)
    found = _ask(instance, partial(schema_report.report, project_id=project, since=since))
    if as_json:
        for change in found.changes:
            typer.echo(json.dumps(change._asdict() | {"noticed_at": change.noticed_at.isoformat()}))
        for deviation, events in found.deviations:
            typer.echo(json.dumps(deviation._asdict() | {"events": events}))
        return
    console = Console()
    changes = Table(Column("Noticed (UTC)", no_wrap=True), "Event", "Property", "Change", "Detail")
    for change in found.changes:
        noticed = f"{change.noticed_at:%Y-%m-%d %H:%M}"
        changes.add_row(noticed, change.event, change.property, change.change, change.detail)
    console.print(changes if found.changes else "Nothing new was noticed.", markup=False)
    deviations = Table("Event", "Version", "Deviation", "Outcome", Column("Events", justify="right"))
    for each, events in found.deviations:
        deviations.add_row(each.event, str(each.version), each.deviation, each.outcome, f"{events:,}")
    console.print(deviations if found.deviations else "Every judged event fits its schema.", markup=False)


def _ask(instance: Instance, question: Callable[[Client], _Result]) -> _Result:
    try:
        with warehouse.connect(instance.clickhouse_reader_url) as client:
            return question(client)
    except (ClickHouseError, OSError) as error:
        raise OperationError("ClickHouse does not answer. Start the system with `radixinsight up`.") from error


def _tell(former: int, changes: SchemaChanges) -> None:
    if not changes.texts:
        typer.echo(f"No difference from version {former} for any event.")
        return
    if changes.is_breaking:
        typer.echo(f"Breaking: what fitted version {former} may not fit it.")
    else:
        typer.echo(f"Compatible: what fitted version {former} fits it too.")
    for change in changes.texts:
        typer.echo(f"  {change}")


def _fate(mode: Schemas) -> str:
    match mode:
        case Schemas.OFF:
            return 'they land, and nobody looks (rules of the project: "schemas": "off").'
        case Schemas.WARN:
            return 'they land, and say so in schema_deviations ("schemas": "warn").'
        case Schemas.ENFORCE:
            return 'they are rejected as schema_violation ("schemas": "enforce").'


def _pretty(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False)
