"""`radixinsight organisation`: a further organisation, apart from all others."""

from typing import Annotated

import typer
from sqlalchemy.orm import Session

from core.metadata.audit import OPERATOR, Target, entry
from core.metadata.organisations import create_organisation, role_named
from core.metadata.organisations import invite as make_invitation
from runtime.commands.options import DataDirOption, PortBaseOption, settings_of_existing
from runtime.instance import Instance
from runtime.transactions import in_transaction


def organisation(
    name: Annotated[str, typer.Argument(help="What its members call it.")],
    owner: Annotated[str, typer.Argument(help="E-mail address of its first owner.")],
    *,
    data_dir: DataDirOption = None,
    port_base: PortBaseOption = None,
) -> None:
    """Make an organisation, invite its first owner, and print the invitation, which works once, for seven days."""
    instance = Instance.of(settings_of_existing(data_dir, port_base))

    def make(session: Session) -> tuple[int, str, str]:
        made = create_organisation(session, name)
        role = role_named(session, made.id, "owner")
        invitation, token = make_invitation(session, made.id, owner, role, invited_by=None, is_mailed=False)
        for action, said in (
            ("organisation.made", Target("organisation", made.id, {"name": made.name})),
            ("invitation.made", Target("invitation", invitation.id, {"email": invitation.email, "role": "owner"})),
        ):
            session.add(entry(OPERATOR, action, said, organisation_id=made.id))
        return made.id, made.name, token

    number, called, token = in_transaction(instance.database_url, make)
    for what, value in (
        ("Organisation", f"{number}  {called}"),
        ("Invitation", token),
        ("Sign up", f"{instance.address_of('api')}/#invitation={token}"),
    ):
        typer.echo(f"{what:<13} {value}")
