"""`radixinsight project`: a project of one's own."""

from typing import Annotated

import typer

from runtime.commands.options import DataDirOption, PortBaseOption, settings_of_existing
from runtime.instance import Instance
from runtime.project_keys import create_project


def project(
    name: Annotated[str, typer.Argument(help="What the page calls it.")],
    timezone: Annotated[str, typer.Option(help="IANA zone in which its days are cut.")] = "UTC",
    *,
    organisation: Annotated[int | None, typer.Option(help="Whose it is, by number; left out: the first one's.")] = None,
    same_name: Annotated[bool, typer.Option("--same-name", help="Though another project has this name.")] = False,
    data_dir: DataDirOption = None,
    port_base: PortBaseOption = None,
) -> None:
    """Make a project with a key for writing and one for reading, and print them. The read key is shown only once."""
    instance = Instance.of(settings_of_existing(data_dir, port_base))
    made = create_project(
        instance.database_url,
        name,
        key_name="radixinsight project",
        timezone=timezone,
        organisation=organisation,
        allow_same_name=same_name,
    )
    for what, value in (
        ("Project", f"{made.id}  {made.name}"),
        ("Write key", made.write_key),
        ("API key", made.api_key),
        ("Collector", instance.address_of("collector")),
        ("Page", f"{instance.address_of('api')}/#key={made.api_key}"),
    ):
        typer.echo(f"{what:<10} {value}")
