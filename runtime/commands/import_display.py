"""What `radixinsight import` shows on a terminal."""

import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

_COUNTS = "{rows_read:,} rows: {rows_landed:,} landed, {rows_rejected:,} rejected"


class ImportDisplay:
    """A bar with bytes, rows, rows per second and time left; a line for each file that is done; a sum of many."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            DownloadColumn(),
            TextColumn("{task.fields[rows]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None
        self._began = self._file_began = time.monotonic()
        self._rows_before: int | None = None
        self._files = 0
        self._totals = {"rows_read": 0, "rows_landed": 0, "rows_rejected": 0}

    def __enter__(self) -> Self:
        """Start the bar, on a terminal."""
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Remove the bar, and say what became of all files together."""
        self._progress.stop()
        if self._files > 1:
            seconds = time.monotonic() - self._began
            self._print(f"{self._files} files, {_COUNTS.format_map(self._totals)}, in {seconds:,.0f} s")

    def show(self, message: dict[str, Any]) -> None:
        """Show what the importing program says."""
        match message["kind"]:
            case "file":
                self._task = self._progress.add_task(Path(message["file"]).name, total=message["size"], rows="")
                self._file_began, self._rows_before = time.monotonic(), None
            case "progress":
                self._advance(message)
            case "finished":
                self._finish(message)
            case "failed":
                self._remove_bar()
                self._print("✗ " + ": ".join(filter(None, (message.get("file"), message["detail"]))), style="red")
            case "event":
                self._console.print_json(data={"row": message["row"]} | message["event"])
            case "reject":
                text = f"row {message['row']} is refused: {message['reason']}: {message['detail']}"
                self._print(text, style="yellow")
            case _:
                pass

    def _advance(self, message: dict[str, Any]) -> None:
        if self._task is None:
            return
        rows = int(message["rows_read"])
        # What an earlier run did says nothing of how fast this one is.
        self._rows_before = rows if self._rows_before is None else self._rows_before
        rate = (rows - self._rows_before) / max(time.monotonic() - self._file_began, 1e-3)
        self._progress.update(self._task, completed=message["done"], rows=f"{rows:,} rows, {rate:,.0f}/s")

    def _finish(self, message: dict[str, Any]) -> None:
        self._remove_bar()
        self._files += 1
        for name in self._totals:
            self._totals[name] += message[name]
        counts = _COUNTS.format_map(message)
        if message["was_imported_before"]:
            self._print(f"= {message['file']}: already imported ({counts}). Again with --force.")
        else:
            self._print(f"✓ {message['file']}: {counts}")

    def _remove_bar(self) -> None:
        if self._task is not None:
            self._progress.remove_task(self._task)
            self._task = None

    def _print(self, text: str, style: str | None = None) -> None:
        self._console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)
