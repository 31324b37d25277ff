"""`radixinsight doctor`: what is wrong, and what to do about it."""

import msgspec
import typer
from rich.console import Console

from runtime.commands.options import DataDirOption, JsonOption, PortBaseOption, settings_of_running
from runtime.examination import Finding, examine

_MARKS = {"ok": "[green]✓[/green]", "warning": "[yellow]![/yellow]", "error": "[red]✗[/red]"}


def doctor(data_dir: DataDirOption = None, port_base: PortBaseOption = None, json: JsonOption = False) -> None:  # noqa: FBT002 - a flag of the command line
    """Check versions, permissions, disk, memory, ports, engines and processes. Exits with 1 when something is wrong."""
    findings = examine(settings_of_running(data_dir, port_base))
    if json:
        typer.echo(msgspec.json.format(msgspec.json.encode(findings)).decode())
    else:
        _print(findings)
    if any(finding.severity == "error" for finding in findings):
        raise typer.Exit(1)


def _print(findings: list[Finding]) -> None:
    console = Console()
    for finding in findings:
        console.print(f"{_MARKS[finding.severity]} {finding.subject:<12} {finding.message}", highlight=False)
        if finding.remedy:
            console.print(f"               → {finding.remedy}", highlight=False)
    errors = sum(finding.severity == "error" for finding in findings)
    warnings = sum(finding.severity == "warning" for finding in findings)
    console.print(f"\n{_counted(errors, 'problem')}, {_counted(warnings, 'warning')}.", highlight=False)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
