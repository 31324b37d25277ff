"""`radixinsight demo`: a real data set through the whole system, in one go."""

import asyncio
import html
import os
import time
import webbrowser
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from runtime.commands.options import DataDirOption, PortBaseOption, read_settings
from runtime.commands.up import start_detached
from runtime.credentials import write_private
from runtime.demo.dataset import DemoData
from runtime.demo.record import DemoRecord, find_or_create
from runtime.demo.refresh import Dagster
from runtime.demo.replay import replay
from runtime.demo.result import fetch_funnel, funnel_table
from runtime.demo.verification import DemoCounts
from runtime.directory import DataDirectory
from runtime.errors import OperationError
from runtime.instance import Instance
from runtime.requests import Request, ask
from runtime.settings import RuntimeSettings
from runtime.state import SupervisorRecord, read_state

_NEEDED = ("collector", "shipper", "api", "dagster-web", "dagster-daemon")
_UP_PATIENCE_S = 180.0


def demo(
    rows: Annotated[int | None, typer.Option(min=1, help="Events to send; the data set is replicated.")] = None,
    trickle: Annotated[bool, typer.Option(help="Go on sending events in the background.")] = True,  # noqa: FBT002 - a flag of the command line
    open_page: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in a browser.")] = True,  # noqa: FBT002 - a flag of the command line
    port_base: PortBaseOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Start everything, send the demo's events, model them and show a first result; leave it all running."""
    began = time.monotonic()
    console = Console(soft_wrap=True)
    settings = _running(read_settings(data_dir, port_base), console)
    instance = Instance.of(settings)
    directory = DataDirectory.at(settings.data_dir)
    record = find_or_create(directory, instance.database_url)
    data = DemoData(record.ends_at, rows)
    counts = DemoCounts(instance.clickhouse_url, record.project.id)
    is_repeated = counts.stored() > 0

    _send(console, data, instance, record, counts)
    if trickle:
        ask(directory, Request(start=["trickle"]))
    _model(console, instance)
    if is_repeated:
        console.print("  The demo's events came before: `repeated_deliveries` says so, and each of them counts once.")
    _compare(console, len(data), counts)
    _present(console, instance, record, began)
    if open_page and _has_display():
        # By way of a private file: a browser's command line, which would carry the key, can be read by everybody here.
        write_private(directory.demo_page_file, redirect(_page(instance, record)).encode())
        webbrowser.open(directory.demo_page_file.as_uri())


def _running(settings: RuntimeSettings, console: Console) -> RuntimeSettings:
    """Make sure that everything the demo needs is up, and return the settings of what runs."""
    directory = DataDirectory.at(settings.data_dir)
    record = read_state(directory.state_file)
    if record is None or not record.is_alive:
        start_detached(settings, (), console)
        return settings
    record = _wait_until_up(directory, record)
    missing = [name for name in _NEEDED if record.process(name) is None]
    if missing:
        raise OperationError(
            f"RadixInsight runs without {', '.join(missing)}, which the demo needs: `radixinsight down`, and again."
        )
    console.print(f"RadixInsight already runs on {directory.root}.", highlight=False)
    return settings.model_copy(update={"port_base": record.port_base})


def _wait_until_up(directory: DataDirectory, record: SupervisorRecord) -> SupervisorRecord:
    until = time.monotonic() + _UP_PATIENCE_S
    while record.phase == "starting" and time.monotonic() < until:
        time.sleep(0.2)
        record = read_state(directory.state_file) or record
    if record.phase != "up":
        raise OperationError(f"RadixInsight is {record.phase}: see `radixinsight status`.")
    return record


def _send(console: Console, data: DemoData, instance: Instance, record: DemoRecord, counts: DemoCounts) -> None:
    expected = len(data)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        console=console,
    ) as progress:
        sending = progress.add_task("Sending events to the collector", total=expected, rate="")
        began = time.monotonic()
        total = 0

        def sent(events: int) -> None:
            nonlocal total
            total += events
            rate = total / max(time.monotonic() - began, 1e-3)
            progress.update(sending, completed=total, rate=f"{rate:,.0f} events/s")

        collector = instance.address_of("collector")
        asyncio.run(replay(data, collector, record.project.write_key, sent=sent))
        storing = progress.add_task("Landing in ClickHouse", total=expected, rate="")
        counts.wait_until_stored(expected, progress=lambda stored: progress.update(storing, completed=stored))


def _model(console: Console, instance: Instance) -> None:
    dagster = Dagster(instance.address_of("dagster-web"))
    began = time.monotonic()
    run_id = dagster.launch()
    passed = failed = tables = 0
    with console.status("Modelling: Dagster runs the job refresh …") as status:
        for happening in dagster.follow(run_id):
            match happening.kind:
                case "table":
                    tables += 1
                    console.print(f"  [green]✓[/green] {happening.name}", highlight=False)
                case "check" if happening.is_good:
                    passed += 1
                case "check":
                    failed += 1
                    console.print(f"  [yellow]![/yellow] {happening.name}", highlight=False)
                case "step":
                    status.update(f"Modelling: {happening.name} …")
                case _:
                    console.print(f"  [red]✗[/red] {happening.name}", highlight=False)
    console.print(
        f"Modelled {tables} tables in {time.monotonic() - began:.0f} s; {passed} checks passed"
        + (f", {failed} did not." if failed else "."),
        highlight=False,
    )


def _compare(console: Console, sent: int, counts: DemoCounts) -> None:
    stored, modelled = counts.stored(), counts.modelled()
    line = f"{sent:,} events sent, {stored:,} stored, {modelled:,} modelled"
    if not sent <= stored == modelled:
        raise OperationError(f"The counts differ: {line}.")
    console.print(f"[green]✓[/green] {line}.", highlight=False)


def _page(instance: Instance, record: DemoRecord) -> str:
    return f"{instance.address_of('api')}/?range=180d#key={record.project.api_key}"


def redirect(address: str) -> str:
    """Return a document that sends its reader on to `address`."""
    target = html.escape(address)
    return (
        f'<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url={target}">'
        f'<a href="{target}">RadixInsight</a>'
    )


def _present(console: Console, instance: Instance, record: DemoRecord, began: float) -> None:
    project = record.project
    api = instance.address_of("api")
    steps = fetch_funnel(api, project.api_key, project.id, record.ends_at)
    console.print()
    console.print(funnel_table(steps))
    console.print()
    for what, address in (
        ("Page", _page(instance, record)),
        ("API documentation", f"{api}/docs"),
        ("Dagster", instance.address_of("dagster-web")),
        ("Collector", f"{instance.address_of('collector')}  (write key {project.write_key})"),
    ):
        console.print(f"  {what:<18} {address}", highlight=False, soft_wrap=True)
    console.print(
        f"\nDone in {time.monotonic() - began:.0f} s. It goes on running: `radixinsight status` shows it, "
        "`radixinsight down` stops it.",
        highlight=False,
    )


def _has_display() -> bool:
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")) or os.uname().sysname == "Darwin"
