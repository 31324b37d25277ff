"""How long the whole system takes to start and to stop, and how much memory it takes when nothing happens.

    python bench/startup.py [--check] [--json FILE] [--quick]

Starts everything that is installed on a fresh data directory (cold), stops it, starts it again (the figure that counts
in daily life), lets it rest, and measures each process. The ratios are limit ÷ measured, so that 1 is good enough.
"""

import json
import secrets
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
import report

_SECOND_UP_LIMIT_S = 15.0
_STOP_LIMIT_S = 5.0
_MEMORY_LIMIT_BYTES = 2.5 * 1024**3
_REST_S = 30.0
_QUICK_REST_S = 3.0
_MIB = 1024**2


def main() -> int:
    """Measure, print and judge."""
    options = report.parse_options("Time the start and stop of the whole system, and weigh it at rest.")
    table = report.Report("Start, rest and stop of the whole system", ("what", "measured", "limit"))
    port_base = 20000 + secrets.randbelow(1000) * 10
    with tempfile.TemporaryDirectory(prefix="radixinsight-bench-") as folder:
        data_dir = Path(folder) / "data"
        try:
            cold_s = _timed("up", "--detach", "--data-dir", str(data_dir), "--port-base", str(port_base))
            first_stop_s = _timed("down", "--data-dir", str(data_dir))
            second_s = _timed("up", "--detach", "--data-dir", str(data_dir), "--port-base", str(port_base))
            cpu_s = _cpu_seconds(data_dir)
            time.sleep(_QUICK_REST_S if options.quick else _REST_S)
            status = json.loads(_run("status", "--json", "--data-dir", str(data_dir)).stdout)
            second_stop_s = _timed("down", "--data-dir", str(data_dir))
        finally:
            _run("down", "--data-dir", str(data_dir))
    stop_s = max(first_stop_s, second_stop_s)
    table.row("first up, on an empty directory", f"{cold_s:.1f} s", "")
    table.row("second up", f"{second_s:.1f} s", f"{_SECOND_UP_LIMIT_S:.0f} s")
    table.row("  processor time until then, all processes", f"{cpu_s:.1f} s", "")
    table.row("down", f"{stop_s:.1f} s", f"{_STOP_LIMIT_S:.0f} s")
    for process in [*status["processes"], status["supervisor"] | {"name": "supervisor"}]:
        took = process.get("start_duration_s")
        label = f"  {process['name']}" + (f" (ready in {took:.1f} s)" if took is not None else "")
        table.row(label, _mebibytes(process["memory_bytes"]), "")
    total = status["total"]["memory_bytes"]
    table.row("memory at rest, all processes", _mebibytes(total), _mebibytes(_MEMORY_LIMIT_BYTES))
    table.ratio("second_up", _SECOND_UP_LIMIT_S / second_s, goal=1.0)
    table.ratio("stop", _STOP_LIMIT_S / stop_s, goal=1.0)
    table.ratio("idle_memory", _MEMORY_LIMIT_BYTES / total, goal=1.0)
    return table.finish(options)


def _timed(*arguments: str) -> float:
    began = time.monotonic()
    done = _run(*arguments)
    took = time.monotonic() - began
    if done.returncode != 0:
        sys.exit(f"radixinsight {arguments[0]} failed:\n{done.stderr}")
    return took


def _cpu_seconds(data_dir: Path) -> float:
    """Sum up what every process has used so far: on a busy machine it says more than the clock."""
    supervisor = psutil.Process(
        json.loads(_run("status", "--json", "--data-dir", str(data_dir)).stdout)["supervisor"]["pid"]
    )
    total = 0.0
    for process in (supervisor, *supervisor.children(recursive=True)):
        used = process.cpu_times()
        total += used.user + used.system
    ended = supervisor.cpu_times()
    return total + ended.children_user + ended.children_system


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "runtime", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def _mebibytes(value: Any) -> str:
    return f"{value / _MIB:,.0f} MiB"


if __name__ == "__main__":
    sys.exit(main())
