"""`radixinsight status`: what runs, where, since when, and how much memory it takes."""

import asyncio
from typing import Any
from urllib.parse import urlsplit

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from runtime import dagster_status
from runtime.commands.options import DataDirOption, JsonOption, read_settings
from runtime.directory import DataDirectory
from runtime.memory import Memory, of_tree
from runtime.state import SupervisorRecord, now, read_state

_MIB = 1024 * 1024
_TIMEOUT_S = 2.0
_SHOWN_METRICS = {
    "radixinsight_shipper_oldest_unshipped_age_seconds": "oldest_unshipped_age_s",
    "radixinsight_canary_age_seconds": "canary_age_s",
    "radixinsight_canary_modelled_age_seconds": "canary_modelled_age_s",
}
_COLOURS = {"ready": "green", "done": "green", "failed": "red", "restarting": "yellow", "starting": "yellow"}


def status(data_dir: DataDirOption = None, json: JsonOption = False) -> None:  # noqa: FBT002 - a flag of the command line
    """Show each process: state, address, memory, uptime. Exits with 1 when not everything is up."""
    directory = DataDirectory.at(read_settings(data_dir).data_dir)
    report = describe(directory)
    if json:
        typer.echo(msgspec.json.format(msgspec.json.encode(report)).decode())
    elif not report["processes"]:
        typer.echo(f"Nothing runs on {directory.root}. Start it with `radixinsight up`.")
    else:
        _print_table(report)
    if report["phase"] != "up":
        raise typer.Exit(1)


def describe(directory: DataDirectory) -> dict[str, Any]:
    """Return the state as plain data: bytes, seconds, and per process `name`, `state`, `address`, `pid`, …."""
    record = read_state(directory.state_file)
    if record is None or not record.is_alive:
        return {"phase": "down", "data_dir": str(directory.root), "processes": []}
    processes = [_describe_process(process) for process in record.processes]
    supervisor = of_tree_without(record)
    return {
        "phase": record.phase,
        "events": describe_events(record),
        "refresh": describe_refresh(record),
        "message": record.message,
        "data_dir": str(directory.root),
        "port_base": record.port_base,
        "external": record.external,
        "supervisor": {"pid": record.pid, "uptime_s": now() - record.created_at, **_measures(supervisor)},
        "processes": processes,
        "total": {
            key: sum(process[key] for process in processes) + _measures(supervisor)[key]
            for key in ("memory_bytes", "resident_bytes")
        },
    }


def describe_events(record: SupervisorRecord) -> dict[str, float]:
    """Return in seconds how far ClickHouse and the models are behind; what is not known is left out.

    `oldest_unshipped_age_s` is the age of the oldest segment in the spool, `canary_age_s` and `canary_modelled_age_s`
    those of the newest canary of the project that is worst off.
    """
    import httpx  # noqa: PLC0415 - 0.1 s of the start of every other command

    shipper = record.process("shipper")
    if shipper is None or shipper.pid is None or not shipper.address:
        return {}
    try:
        lines = httpx.get(f"{shipper.address}/metrics", timeout=_TIMEOUT_S).text.splitlines()
    except httpx.HTTPError:
        return {}
    shown: dict[str, float] = {}
    for line in lines:
        metric, _, value = line.rpartition(" ")
        name = _SHOWN_METRICS.get(metric.partition("{")[0])
        if name is not None:
            shown[name] = max(shown.get(name, 0.0), float(value))
    return shown


def describe_refresh(record: SupervisorRecord) -> dict[str, float]:
    """Return how many refreshes failed since the last one that succeeded, and for how many seconds; empty for none."""
    web = record.process("dagster-web")
    if web is None or web.pid is None or not web.address:
        return {}
    failed = asyncio.run(dagster_status.failed_refreshes(urlsplit(web.address).port or 0))
    return {"failed": len(failed), "failing_s": now() - failed[-1]} if failed else {}


def of_tree_without(record: SupervisorRecord) -> Memory:
    """Measure the supervisor and its guard alone: its tree without the processes that are listed one by one."""
    whole = of_tree(record.pid)
    for process in record.processes:
        if process.pid is not None:
            part = of_tree(process.pid)
            whole += Memory(-part.resident_bytes, -part.share_bytes)
    return Memory(max(whole.resident_bytes, 0), max(whole.share_bytes, 0))


def _describe_process(process: Any) -> dict[str, Any]:
    runs = process.pid is not None
    return {
        **msgspec.to_builtins(process),
        "uptime_s": now() - process.started_at if runs and process.started_at is not None else None,
        **_measures(of_tree(process.pid) if runs else Memory(0, 0)),
    }


def _measures(memory: Memory) -> dict[str, int]:
    return {"memory_bytes": memory.share_bytes, "resident_bytes": memory.resident_bytes}


def _print_table(report: dict[str, Any]) -> None:
    table = Table("Process", "State", "Address", "PID", box=None, header_style="bold", pad_edge=False)
    for heading in ("Memory", "Uptime", "Restarts"):
        table.add_column(heading, justify="right")
    for name in report["external"]:
        table.add_row(name, "yours")
    for process in report["processes"]:
        state = process["state"]
        colour = _COLOURS.get(state, "default")
        table.add_row(
            process["name"],
            f"[{colour}]{state}[/{colour}]" + (f" {process['message']}" if process["message"] else ""),
            process["address"] or "",
            str(process["pid"] or ""),
            _mebibytes(process["memory_bytes"]) if process["pid"] else "",
            duration(process["uptime_s"]),
            str(process["restarts"] or ""),
        )
    own = report["supervisor"]
    table.add_row("supervisor", "", "", str(own["pid"]), _mebibytes(own["memory_bytes"]), duration(own["uptime_s"]))
    table.add_section()
    table.add_row("total", report["phase"], "", "", _mebibytes(report["total"]["memory_bytes"]))
    console = Console()
    if not console.is_terminal:
        console.width = 140
    console.print(table)
    if report["events"]:
        console.print(_events_line(report["events"]), highlight=False)
    if report["refresh"]:
        console.print(f"[red]{_refresh_line(report)}[/red]", highlight=False)


def _events_line(events: dict[str, float]) -> str:
    parts = [f"oldest waiting for ClickHouse {duration(events.get('oldest_unshipped_age_s', 0.0))}"]
    for name, place in (("canary_age_s", "ClickHouse"), ("canary_modelled_age_s", "the models")):
        if name in events:
            parts.append(f"newest canary in {place} {duration(events[name])}")
    return f"Events: {', '.join(parts)}"


def _refresh_line(report: dict[str, Any]) -> str:
    refresh = report["refresh"]
    page = next(process["address"] for process in report["processes"] if process["name"] == "dagster-web")
    times = "" if refresh["failed"] == 1 else f"{refresh['failed']} times in a row, first "
    return f"Refresh: failed {times}{duration(refresh['failing_s'])} ago; why: {page}/runs"


def _mebibytes(value: int) -> str:
    return f"{value / _MIB:,.0f} MiB"


def duration(seconds: float | None) -> str:
    """Render a time span in at most two units."""
    if seconds is None:
        return ""
    whole = int(seconds)
    days, hours, minutes = whole // 86400, whole // 3600 % 24, whole // 60 % 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {whole % 60} s" if minutes else f"{whole} s"
