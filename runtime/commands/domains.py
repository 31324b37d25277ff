"""`radixinsight domains`: for whose e-mail addresses an organisation's identity providers speak."""

from typing import Annotated

import typer
from rich.table import Column, Table
from sqlalchemy.orm import Session

from core.metadata.domains import give_domain, list_domains, take_domain
from runtime.commands.options import DataDirOption, PortBaseOption, settings_of_existing
from runtime.commands.tables import show as show_table
from runtime.instance import Instance
from runtime.organisations import find_organisation
from runtime.transactions import in_transaction

domains = typer.Typer(
    no_args_is_help=True, help="For whose e-mail addresses an organisation's identity providers speak."
)
_DomainArgument = Annotated[str, typer.Argument(help="As example.com: addresses of subdomains are not in it.")]


@domains.command(name="list")
def list_all(*, data_dir: DataDirOption = None, port_base: PortBaseOption = None) -> None:
    """Show the domains that were given, and to which organisations."""
    table = Table("Domain", Column("Organisation", justify="right"), "Given (UTC)")
    for each in in_transaction(Instance.of(settings_of_existing(data_dir, port_base)).database_url, list_domains):
        table.add_row(each.domain, str(each.organisation_id), f"{each.created_at:%Y-%m-%d %H:%M}")
    show_table(table, "No domains.")


@domains.command()
def give(
    *,
    domain: _DomainArgument,
    organisation: Annotated[int | None, typer.Option(help="Its number; left out: the first one.")] = None,
    data_dir: DataDirOption = None,
    port_base: PortBaseOption = None,
) -> None:
    """Let an organisation's providers sign in whoever has an address there. Give no domain that others share."""
    instance = Instance.of(settings_of_existing(data_dir, port_base))

    def make(session: Session) -> tuple[str, str]:
        where = find_organisation(session, organisation)
        return give_domain(session, where, domain), where.name

    given, name = in_transaction(instance.database_url, make)
    typer.echo(f"The identity providers of {name} speak for addresses of {given}.")


@domains.command()
def take(*, domain: _DomainArgument, data_dir: DataDirOption = None, port_base: PortBaseOption = None) -> None:
    """Let no provider speak for a domain any more. Sessions that are open stay open."""
    instance = Instance.of(settings_of_existing(data_dir, port_base))
    in_transaction(instance.database_url, lambda session: take_domain(session, domain))
    typer.echo("Nobody signs in by a provider with an address of that domain.")
