"""One line per process as it becomes ready, and a spinner for what is still awaited."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.status import Status

from runtime.directory import DataDirectory
from runtime.state import ProcessRecord, SupervisorRecord


class StartProgress:
    """Shows a supervisor's records on a terminal; give it each new one."""

    def __init__(self, console: Console, directory: DataDirectory) -> None:
        self._console = console
        self._directory = directory
        self._shown: dict[str, tuple[str, int]] = {}
        self._phase = ""
        self._status = Status("", console=console)

    def __enter__(self) -> Self:
        """Start the spinner, on a terminal."""
        if self._console.is_terminal:
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop the spinner."""
        self._status.stop()

    def show(self, record: SupervisorRecord) -> None:
        """Print what changed since the record before."""
        if not self._phase:
            self._console.print(f"[bold]RadixInsight[/bold] keeps its data in {self._directory.root}", highlight=False)
            for name in record.external:
                self._console.print(f"  [blue]·[/blue] {name:<15}yours, as configured", highlight=False)
        for process in record.processes:
            key = (process.state, process.restarts)
            if self._shown.get(process.name) != key:
                self._shown[process.name] = key
                self._line(process, record.phase)
        awaited = [process.name for process in record.processes if process.state in ("waiting", "starting")]
        self._status.update(f"Starting {', '.join(awaited)} …" if awaited and record.phase == "starting" else "")
        if record.phase != self._phase:
            self._phase = record.phase
            self._announce(record)

    def _line(self, process: ProcessRecord, phase: str) -> None:
        took = f"{process.start_duration_s:.1f} s" if process.start_duration_s is not None else ""
        if process.state in ("ready", "done") and phase in ("starting", "up"):
            self._console.print(
                f"  [green]✓[/green] {process.name:<15}{took:>7}  {process.address or ''}", highlight=False
            )
        elif process.state in ("failed", "restarting"):
            mark = "[red]✗[/red]" if process.state == "failed" else "[yellow]↻[/yellow]"
            self._console.print(f"  {mark} {process.name:<15}{process.message or ''}", highlight=False)

    def _announce(self, record: SupervisorRecord) -> None:
        if record.phase == "up":
            self._status.stop()
            self._console.print(f"Ready, {len(record.processes)} processes. `radixinsight status` shows them.")
        elif record.phase == "stopping":
            self._status.stop()
            self._console.print("Stopping …")
        elif record.phase == "down":
            self._console.print("Stopped.")
