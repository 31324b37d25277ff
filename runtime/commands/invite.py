"""`radixinsight invite`: the first owner, and whoever else is to get in without a mail."""

from typing import Annotated

import typer
from sqlalchemy.orm import Session

from core.metadata.audit import OPERATOR, Target, entry
from core.metadata.organisations import invite as make_invitation
from core.metadata.organisations import role_named
from runtime.commands.options import DataDirOption, PortBaseOption, settings_of_existing
from runtime.instance import Instance
from runtime.organisations import find_organisation
from runtime.transactions import in_transaction


def invite(
    email: Annotated[str, typer.Argument(help="Whom: the account will have this address.")],
    role: Annotated[str, typer.Option(help="owner, admin, analyst, viewer, or a role of the organisation's own.")] = (
        "owner"
    ),
    organisation: Annotated[int | None, typer.Option(help="Its number; left out: the first one.")] = None,
    *,
    data_dir: DataDirOption = None,
    port_base: PortBaseOption = None,
) -> None:
    """Invite somebody to an organisation, and print the invitation, which works once, for seven days."""
    instance = Instance.of(settings_of_existing(data_dir, port_base))

    def make(session: Session) -> tuple[str, str]:
        where = find_organisation(session, organisation)
        wanted = role_named(session, where.id, role)
        made, token = make_invitation(session, where.id, email, wanted, invited_by=None, is_mailed=False)
        said = Target("invitation", made.id, {"email": made.email, "role": role})
        session.add(entry(OPERATOR, "invitation.made", said, organisation_id=where.id))
        return where.name, token

    name, token = in_transaction(instance.database_url, make)
    for what, value in (
        ("Organisation", name),
        ("Invitation", token),
        ("Sign up", f"{instance.address_of('api')}/#invitation={token}"),
    ):
        typer.echo(f"{what:<13} {value}")
