"""`radixinsight rules`: what a project wants done to its events at the collector."""

from typing import Annotated

import msgspec
import typer
from sqlalchemy.orm import Session

from core.metadata.audit import Target, note_operation
from core.metadata.collection_rules import CollectionRules, parse_rules, read_rules, set_rules
from runtime.commands.options import DataDirOption, PortBaseOption, settings_of_existing
from runtime.errors import OperationError
from runtime.instance import Instance
from runtime.transactions import in_transaction

rules = typer.Typer(no_args_is_help=True, help="What is kept of a project's events, and what is refused.")

_ProjectArgument = Annotated[int, typer.Argument(help="Number of the project.")]


@rules.command()
def show(*, project: _ProjectArgument, data_dir: DataDirOption = None, port_base: PortBaseOption = None) -> None:
    """Print the rules in force, as a JSON document that `set` takes."""
    instance = Instance.of(settings_of_existing(data_dir, port_base))
    found = in_transaction(instance.database_url, lambda session: read_rules(session, project))
    if found is None:
        raise OperationError(f"There is no project {project}.")
    # Defaults too: whoever edits the document sees what there is to say.
    document = {name: getattr(found, name) for name in CollectionRules.__struct_fields__}
    typer.echo(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())


@rules.command(name="set")
def put(
    *,
    project: _ProjectArgument,
    document: Annotated[typer.FileBinaryRead, typer.Argument(help="JSON document; - for standard input.")],
    data_dir: DataDirOption = None,
    port_base: PortBaseOption = None,
) -> None:
    """Put the rules of a JSON document in force, in place of those that there are, within 3 seconds."""
    instance = Instance.of(settings_of_existing(data_dir, port_base))
    parsed = parse_rules(document.read())

    def replace(session: Session) -> CollectionRules | None:
        before = read_rules(session, project)
        if not set_rules(session, project, parsed):
            return None
        said = Target("collection_rules", project, {"before": _document(before), "after": _document(parsed)})
        note_operation(session, project, "collection_rules.changed", said)
        return before

    before, nothing = in_transaction(instance.database_url, replace), CollectionRules()
    if before is None:
        raise OperationError(f"There is no project {project}.")
    typer.echo(f"The rules of project {project} are in force in 3 seconds.")
    lapsed = [
        name
        for name in CollectionRules.__struct_fields__
        if getattr(parsed, name) == getattr(nothing, name) != getattr(before, name)
    ]
    if lapsed:
        typer.echo(f"Back to the default, because the document does not say otherwise: {', '.join(lapsed)}.")


def _document(rules: CollectionRules | None) -> object:
    return msgspec.to_builtins(rules)
