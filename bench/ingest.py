"""What the whole way of an event costs: from a client's socket to a row of `raw.events`.

    python bench/ingest.py [--check] [--json FILE] [--quick]

Starts collector, shipper and embedded ClickHouse on an empty directory and sends events of about 600 bytes from a
separate process on the same machine. The same rows then go straight into the same table with ClickHouse's own
JSONEachRow: the rate that nothing in front of the engine can exceed.
"""

import json
import os
import random
import secrets
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import psutil
import report
from ingest_load import template
from msgspec import Raw

from core import warehouse
from ingestion.protocols import segment
from ingestion.shipper.landing import Landing
from ingestion.spool.directory import usage
from ingestion.spool.records import Kind
from ingestion.validation import Received, Validator
from runtime.directory import DataDirectory
from runtime.instance import Instance
from runtime.project_keys import create_project
from runtime.settings import RuntimeSettings
from runtime.state import read_state

_GOAL_EVENTS_PER_S = 100_000
_GOAL_REQUESTS_PER_S = 5_000
_GOAL_P99_MS = 50.0
_GOAL_OF_ENGINE = 0.3
_SERVICES = ("collector", "shipper", "clickhouse")
"""Whose processor time is told; several collectors (RADIXINSIGHT_COLLECTORS) are one."""
_MIB = 1024**2


@dataclass
class Line:
    """The running system: where it is, and what its processes have used."""

    instance: Instance
    write_key: str
    project_id: int

    @property
    def spool(self) -> Path:
        """Where acknowledged events wait."""
        return self.instance.data_dir / "spool"

    def processes(self) -> dict[str, list[psutil.Process]]:
        """Return each service's processes."""
        record = read_state(DataDirectory.at(self.instance.data_dir).state_file)
        assert record is not None
        found: dict[str, list[psutil.Process]] = {name: [] for name in _SERVICES}
        for process in record.processes:
            name = process.name.split("-")[0]
            if name in found:
                assert process.pid is not None
                first = psutil.Process(process.pid)
                found[name] += [first, *first.children(recursive=True)]
        return found

    def cpu_s(self) -> dict[str, float]:
        """Return the processor time of each service so far, in seconds."""
        return {
            name: sum(process.cpu_times().user + process.cpu_times().system for process in processes)
            for name, processes in self.processes().items()
        }

    def memory_bytes(self) -> dict[str, int]:
        """Return the resident memory of each service."""
        return {
            name: sum(process.memory_info().rss for process in processes)
            for name, processes in self.processes().items()
        }

    def send(self, **options: float) -> dict[str, Any]:
        """Send a load and return its report."""
        flags = [text for name, value in options.items() for text in (f"--{name}", str(value))]
        port = self.instance.address_of("collector").rpartition(":")[2]
        command = [sys.executable, str(Path(__file__).with_name("ingest_load.py")), port, self.write_key, *flags]
        answer = subprocess.run(command, capture_output=True, text=True, check=True)
        return json.loads(answer.stdout)

    def wait_until_landed(self) -> None:
        """Wait until the spool is empty."""
        deadline = time.monotonic() + 300
        while usage(self.spool).segments:
            assert time.monotonic() < deadline, "the spool does not empty"
            time.sleep(0.02)


def main() -> int:
    """Measure, print and judge."""
    options = report.parse_options("Time the way of an event from a socket to a landed row.")
    port_base = 20000 + secrets.randbelow(1000) * 10
    with tempfile.TemporaryDirectory(prefix="radixinsight-bench-") as folder:
        settings = RuntimeSettings(data_dir=Path(folder) / "data", port_base=port_base)
        title = f"Ingest, {settings.collectors} collector processes, load generator on the same machine"
        table = report.Report(title, ("what", "measured", "goal"))
        place = ("--data-dir", str(settings.data_dir))
        # By name each: what is only a companion is not waited for.
        collectors = ["collector", *(f"collector-{number}" for number in range(2, settings.collectors + 1))]
        only = ",".join([*collectors, "shipper"])
        _run("up", "--detach", "--only", only, "--port-base", str(port_base), *place)
        try:
            instance = Instance.of(settings)
            keys = create_project(instance.database_url, "bench", key_name="bench")
            line = Line(instance, keys.write_key, keys.id)
            line.send(requests=200)
            line.wait_until_landed()
            _measure_batches(table, line, requests=10_000 if options.quick else 100_000)
            _measure_singles(table, line, requests=10_000 if options.quick else 50_000)
        finally:
            _run("down", *place)
    return table.finish(options)


def _measure_batches(table: report.Report, line: Line, requests: int) -> None:
    # Nine tenths are timed: by then what remembers a bounded number of things is full.
    first = line.send(requests=requests // 10, connections=8)["events"]
    line.wait_until_landed()
    requests -= requests // 10
    with warehouse.connect(line.instance.clickhouse_url) as client:
        before_rows, before_bytes = _stored(client)
        before_cpu, before_memory = line.cpu_s(), line.memory_bytes()
        began = time.perf_counter()
        sent = line.send(requests=requests, connections=8)
        line.wait_until_landed()
        landed_s = time.perf_counter() - began
        after_cpu, after_memory = line.cpu_s(), line.memory_bytes()
        rows, size = _stored(client)
    events = sent["events"]
    assert not sent["failures"], sent
    assert rows - before_rows == events, f"{rows - before_rows} rows landed of {events}"
    acknowledged, landed = events / sent["seconds"], events / landed_s
    table.row("acknowledged, batches of 100", f"{acknowledged:,.0f} events/s", "")
    table.row("landed", f"{landed:,.0f} events/s", f"{_GOAL_EVENTS_PER_S:,}")
    table.row("acknowledgement at full load, p50 / p99", f"{sent['p50_ms']:.1f} / {sent['p99_ms']:.1f} ms", "")
    for name in _SERVICES:
        table.row(f"  processor, {name}", f"{(after_cpu[name] - before_cpu[name]) / events * 1e6:.2f} µs/event", "")
    table.row("  processor, load generator", f"{sent['cpu_s'] / events * 1e6:.2f} µs/event", "")
    table.row("on disk, before merges", f"{(size - before_bytes) / events:.0f} bytes/event", "")
    for name in _SERVICES[:2]:
        measured = f"{before_memory[name] / _MIB:.0f} / {after_memory[name] / _MIB:.0f} MiB"
        table.row(f"memory after {first / 1e6:.1f} / {(first + events) / 1e6:.1f} M events, {name}", measured, "")
    half = line.send(requests=requests // 4, connections=8, rate=acknowledged / 2)
    line.wait_until_landed()
    table.row("acknowledgement at half load, p99", f"{half['p99_ms']:.1f} ms", f"{_GOAL_P99_MS:.0f} ms")
    engine = _engine_rate(line, events=min(events, 1_000_000))
    table.row("the engine's own rate, JSONEachRow", f"{engine:,.0f} rows/s", "")
    table.row("landed, of the engine's own rate", f"{landed / engine:.2f}", f"{_GOAL_OF_ENGINE}")
    table.ratio("landed", landed / _GOAL_EVENTS_PER_S, goal=1.0)
    table.ratio("landed_of_engine", landed / engine, goal=_GOAL_OF_ENGINE)
    table.ratio("acknowledgement_p99", _GOAL_P99_MS / half["p99_ms"], goal=1.0)


def _measure_singles(table: report.Report, line: Line, requests: int) -> None:
    sent = line.send(requests=requests, connections=16, batch=1)
    line.wait_until_landed()
    rate = sent["requests"] / sent["seconds"]
    assert not sent["failures"], sent
    table.row("single events", f"{rate:,.0f} requests/s", f"{_GOAL_REQUESTS_PER_S:,}")
    table.row("  acknowledgement, p50 / p99", f"{sent['p50_ms']:.1f} / {sent['p99_ms']:.1f} ms", "")
    table.ratio("single_requests", rate / _GOAL_REQUESTS_PER_S, goal=1.0)


def _engine_rate(line: Line, events: int) -> float:
    """Return how many of the same rows per second ClickHouse takes in inserts of a segment's size."""
    chance = random.Random(0)
    received = Received(line.project_id, 1, "segment", time.time_ns() // 1_000_000, "127.0.0.1", "bench")
    validator = Validator(received)
    rows: list[bytes] = []
    for _ in range(200):
        delivery = segment.parse_batch(bytes(template(chance, 100)[0]))
        rows += [
            msgspec.json.encode(validator.land(delivery.decode(Raw(raw)), index, "engine")) + b"\n"
            for index, raw in enumerate(delivery.events)
        ]
    landing = Landing(line.instance.clickhouse_url, timeout_s=120)
    chunk, seconds, done = b"".join(rows * 3), 0.0, 0
    while done < events:
        began = time.perf_counter()
        landing.insert(Kind.EVENTS, chunk, secrets.token_hex(8))
        seconds += time.perf_counter() - began
        done += len(rows) * 3
    landing.close()
    return done / seconds


def _stored(client: Any) -> tuple[int, int]:
    where = "database = 'raw' and table = 'events' and active"
    sql = f"select sum(rows), sum(bytes_on_disk) from system.parts where {where}"
    rows, size = client.query(sql).result_rows[0]
    return int(rows), int(size)


def _run(*arguments: str) -> None:
    # Every row that lands is one that was sent.
    environment = os.environ | {"RADIXINSIGHT_COLLECTOR_CANARY_INTERVAL_S": "0"}
    command = [sys.executable, "-m", "runtime", *arguments]
    subprocess.run(command, env=environment, capture_output=True, check=True, timeout=300)


if __name__ == "__main__":
    sys.exit(main())
