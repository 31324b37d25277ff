"""`radixinsight keys`: look at a project's keys, make, change, replace and revoke them."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any

import msgspec
import typer
from rich.table import Column, Table
from sqlalchemy.orm import Session

from core.clock import utc_now
from core.metadata import ApiKey, Project, WriteKey
from core.metadata.keys import (
    InvalidKeyError,
    Key,
    change_write_key,
    find_key,
    list_keys,
    rename_key,
    revoke_key,
    rotate_key,
)
from core.metadata.projects import create_api_key, create_write_key
from runtime.commands.options import DataDirOption, JsonOption, PortBaseOption, settings_of_existing
from runtime.commands.tables import show as show_table
from runtime.errors import OperationError
from runtime.instance import Instance
from runtime.project_keys import note_key
from runtime.transactions import in_transaction

keys = typer.Typer(no_args_is_help=True, help="Look at a project's keys, make, change, replace and revoke them.")


class Kind(StrEnum):
    """What a key is for."""

    WRITE = "write"
    API = "api"


_ProjectArgument = Annotated[int, typer.Argument(help="Number of the project.")]
_KeyArgument = Annotated[str, typer.Argument(help="The key, or its first nine characters, as `list` shows them.")]
_OriginOption = Annotated[
    list[str] | None,
    typer.Option("--origin", help="Pages of this origin may use it, as https://*.shop.example; can be given again."),
]
_RateOption = Annotated[
    int | None, typer.Option("--events-per-second", min=0, help="Most events a second; 0 for no rate of its own.")
]


@keys.command(name="list")
def list_all(
    *,
    project: _ProjectArgument,
    revoked: Annotated[bool, typer.Option("--revoked", help="Also those that work no more.")] = False,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    port_base: PortBaseOption = None,
) -> None:
    """Show a project's keys. Write keys are no secret; of API keys only the beginning is known."""

    def read(session: Session) -> list[dict[str, Any]]:
        if session.get(Project, project) is None:
            raise OperationError(f"There is no project {project}.")
        now = utc_now()
        found = list_keys(session, project)
        return [_described(key) for key in found if revoked or key.revoked_at is None or key.revoked_at > now]

    rows = in_transaction(_database(data_dir, port_base), read)
    if as_json:
        for row in rows:
            typer.echo(msgspec.json.encode(row).decode())
        return
    table = Table(
        Column("Key", no_wrap=True), "Name", "Made (UTC)", "Ends (UTC)", "Last used (UTC)", "Origins", "Events/s"
    )
    for row in rows:
        times = (_shown(row["created_at"]), _shown(row["revoked_at"]), _last_use(row))
        origins, rate = "\n".join(row.get("allowed_origins", [])), row.get("events_per_second")
        table.add_row(row["key"], row["name"], *times, origins, "" if rate is None else str(rate))
    show_table(table, "No keys.")


@keys.command()
def create(
    *,
    project: _ProjectArgument,
    name: Annotated[str, typer.Argument(help="What it is for.")],
    kind: Annotated[Kind, typer.Option(help="For sending events, or for reading figures.")] = Kind.WRITE,
    origin: _OriginOption = None,
    events_per_second: _RateOption = None,
    data_dir: DataDirOption = None,
    port_base: PortBaseOption = None,
) -> None:
    """Make a key and print it. An API key is shown only this once."""

    def make(session: Session) -> str:
        if session.get(Project, project) is None:
            raise OperationError(f"There is no project {project}.")
        made = create_api_key(session, project, name) if kind is Kind.API else create_write_key(session, project, name)
        key = find_key(session, made)
        rename_key(key, name)
        _change(key, origin, events_per_second)
        return note_key(session, made, "created")

    typer.echo(in_transaction(_database(data_dir, port_base), make))


@keys.command()
def rotate(
    *,
    key: _KeyArgument,
    overlap_days: Annotated[float, typer.Option(min=0, help="For so long the old key works as well.")] = 7.0,
    data_dir: DataDirOption = None,
    port_base: PortBaseOption = None,
) -> None:
    """Make a key that takes another's place, with its name and settings, and print it."""

    def replace(session: Session) -> tuple[str, datetime | None]:
        old = find_key(session, key)
        note_key(session, key, "replaced")
        new = rotate_key(session, old, timedelta(days=overlap_days))
        return note_key(session, new, "created"), old.revoked_at

    new, end = in_transaction(_database(data_dir, port_base), replace)
    typer.echo(new)
    typer.echo(f"The old key works until {_shown(end)} UTC.", err=True)


@keys.command()
def revoke(*, key: _KeyArgument, data_dir: DataDirOption = None, port_base: PortBaseOption = None) -> None:
    """Have a key refused from now on, within 5 seconds, for good."""

    def end(session: Session) -> None:
        note_key(session, key, "revoked")
        revoke_key(find_key(session, key))

    in_transaction(_database(data_dir, port_base), end)
    typer.echo("The key is refused within 5 seconds.")


@keys.command(name="set")
def change(
    *,
    key: _KeyArgument,
    name: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    origin: _OriginOption = None,
    any_origin: Annotated[bool, typer.Option("--any-origin", help="Every page may use it.")] = False,
    events_per_second: _RateOption = None,
    data_dir: DataDirOption = None,
    port_base: PortBaseOption = None,
) -> None:
    """Change a key's name, the origins that may use it (all of them anew), or its rate."""
    if any_origin and origin:
        raise InvalidKeyError("Either --origin or --any-origin.")

    def apply(session: Session) -> None:
        found = find_key(session, key)
        if name is not None:
            rename_key(found, name)
        _change(found, [] if any_origin else origin, events_per_second)
        note_key(session, key, "changed")

    in_transaction(_database(data_dir, port_base), apply)
    typer.echo("In force within 5 seconds.")


def _change(key: Key, origins: list[str] | None, events_per_second: int | None) -> None:
    if origins is None and events_per_second is None:
        return
    if isinstance(key, ApiKey):
        raise InvalidKeyError("Origins and rates are for write keys.")
    change_write_key(key, origins=origins, events_per_second=events_per_second)


def _described(key: Key) -> dict[str, Any]:
    common = {"name": key.name, "created_at": key.created_at, "revoked_at": key.revoked_at}
    if isinstance(key, WriteKey):
        settings = {"allowed_origins": key.allowed_origins, "events_per_second": key.events_per_second}
        return {"key": key.key, **common, **settings}
    return {"key": f"{key.prefix}…", **common, "last_used_at": key.last_used_at}


def _database(data_dir: Any, port_base: int | None) -> str:
    return Instance.of(settings_of_existing(data_dir, port_base)).database_url


def _last_use(row: dict[str, Any]) -> str:
    return _shown(row["last_used_at"]) if "last_used_at" in row else "not noted"


def _shown(instant: datetime | None) -> str:
    return "" if instant is None else f"{instant:%Y-%m-%d %H:%M}"
