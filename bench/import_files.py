"""What importing a file costs, beside the engine's own rate for the same rows.

    python bench/import_files.py [--check] [--json FILE] [--quick]

Imports a million events of about 600 bytes as JSON lines in Segment's shape, and as a packed CSV file with a mapping of
its own whose rows have no ids, with the program that `radixinsight import` starts. The rows of the first then go
straight into the same table with ClickHouse's own JSONEachRow, in inserts of the same size.
"""

import csv
import gzip
import io
import json
import os
import random
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import psutil
import report
from ingest_load import template
from msgspec import Raw

from core import warehouse
from ingestion.importing.exports import export
from ingestion.shipper.landing import Landing
from ingestion.spool.records import Kind
from ingestion.validation import Received, Validator
from runtime.instance import Instance
from runtime.project_keys import create_project
from runtime.settings import RuntimeSettings

_BATCH = 100
_INSERT_ROWS = 25_000
_MIB = 1024**2
_GOAL_OF_ENGINE = 0.2
_GOAL_MEMORY_MIB = 300
_MAPPING = {
    "columns": {"user": "userId", "device": "anonymousId", "what": "event", "at": "timestamp"},
    "timestamp": {"format": "epoch_ms"},
}


def main() -> int:
    """Measure, print and judge."""
    options = report.parse_options("Time the import of files against the engine's own rate.")
    table = report.Report("Import", ("what", "measured", "goal"))
    rows = 200_000 if options.quick else 1_000_000
    port_base = 20000 + secrets.randbelow(1000) * 10
    with tempfile.TemporaryDirectory(prefix="radixinsight-bench-") as folder:
        settings = RuntimeSettings(data_dir=Path(folder) / "data", port_base=port_base)
        place = ("--data-dir", str(settings.data_dir))
        _run("up", "--detach", "--only", "migrate", "--port-base", str(port_base), *place)
        try:
            instance = Instance.of(settings)
            _measure(table, instance, Path(folder), rows)
        finally:
            _run("down", *place)
    return table.finish(options)


def _measure(table: report.Report, instance: Instance, folder: Path, rows: int) -> None:
    jsonl, packed = folder / "events.jsonl", folder / "events.csv.gz"
    _write_jsonl(jsonl, rows)
    _write_csv(packed, rows)
    mapping = folder / "own.json"
    mapping.write_text(json.dumps(_MAPPING))
    size = jsonl.stat().st_size
    _, small = _import(instance, jsonl, "segment", rows // 5, folder)
    seconds, memory = _import(instance, jsonl, "segment", rows, folder)
    rate = rows / seconds
    table.row(f"JSON lines, {size / rows:.0f} bytes a row", f"{rate:,.0f} rows/s", "")
    table.row(f"  memory at most, {rows:,} rows", f"{memory / _MIB:.0f} MiB", f"{_GOAL_MEMORY_MIB} MiB")
    table.row(f"  memory at most, {rows // 5:,} rows", f"{small / _MIB:.0f} MiB", "")
    own_seconds, own_memory = _import(instance, packed, str(mapping), rows, folder)
    table.row("packed CSV, own mapping, ids made", f"{rows / own_seconds:,.0f} rows/s", "")
    table.row("  memory at most", f"{own_memory / _MIB:.0f} MiB", f"{_GOAL_MEMORY_MIB} MiB")
    engine = _engine_rate(instance, jsonl, rows)
    table.row("the engine's own rate, JSONEachRow", f"{engine:,.0f} rows/s", "")
    table.row("JSON lines, of the engine's own rate", f"{rate / engine:.2f}", f"{_GOAL_OF_ENGINE}")
    table.ratio("import_of_engine", rate / engine, goal=_GOAL_OF_ENGINE)
    table.ratio("memory_headroom", _GOAL_MEMORY_MIB * _MIB / max(memory, own_memory), goal=1.0)


def _import(instance: Instance, path: Path, mapping: str, rows: int, folder: Path) -> tuple[float, int]:
    """Import the first rows of a file into a project of their own; return seconds and the most memory, in bytes."""
    project = create_project(instance.database_url, f"bench-{secrets.token_hex(4)}", key_name="bench").id
    file = path if path.suffix == ".gz" else _head(path, rows, folder)
    command = [sys.executable, "-m", "ingestion.importing", "--project", str(project), "--mapping", mapping, str(file)]
    began, most = time.perf_counter(), 0
    with subprocess.Popen(command, env=os.environ | instance.variables, stdout=subprocess.DEVNULL) as process:
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            most = max(most, _memory(watched))
            time.sleep(0.02)
    seconds = time.perf_counter() - began
    assert process.returncode == 0
    with warehouse.connect(instance.clickhouse_url) as client:
        sql = "select count() from raw.events where project_id = {id:UInt32}"
        ((landed,),) = client.query(sql, parameters={"id": project}).result_rows
    assert landed == rows, f"{landed} rows landed of {rows}"
    return seconds, most


def _memory(process: psutil.Process) -> int:
    try:
        return process.memory_info().rss
    except psutil.Error:
        return 0


def _engine_rate(instance: Instance, path: Path, rows: int) -> float:
    project = create_project(instance.database_url, "bench-engine", key_name="bench").id
    validator = Validator(Received(project, 0, "import", time.time_ns() // 1_000_000, "", ""))
    mapping = export("segment")
    landing = Landing(instance.clickhouse_url, timeout_s=120)
    seconds = 0.0
    with path.open("rb") as file:
        for _ in range(0, rows, _INSERT_ROWS):
            lines = [next(file) for _ in range(_INSERT_ROWS)]
            events = (validator.land(mapping.decode(Raw(line)), n, "engine") for n, line in enumerate(lines))
            chunk = msgspec.json.Encoder().encode_lines(list(events))
            began = time.perf_counter()
            landing.insert(Kind.EVENTS, chunk, secrets.token_hex(8))
            seconds += time.perf_counter() - began
    landing.close()
    return rows / seconds


def _events(rows: int) -> Iterator[dict[str, Any]]:
    """Yield events as a browser's library sends them, over a month."""
    chance = random.Random(0)
    batch = msgspec.json.decode(bytes(template(chance, _BATCH)[0]))["batch"]
    start = 1_714_979_289_000
    for number in range(rows):
        event = batch[number % _BATCH]
        event["messageId"] = f"{number:032x}"
        event["timestamp"] = start + number * 2_592_000_000 // rows
        event.pop("sentAt", None)
        event.pop("originalTimestamp", None)
        yield event


def _write_jsonl(path: Path, rows: int) -> None:
    encode = msgspec.json.Encoder().encode
    with path.open("wb") as file:
        for event in _events(rows):
            file.write(encode(event) + b"\n")


def _write_csv(path: Path, rows: int) -> None:
    with gzip.open(path, "wb", compresslevel=1) as packed, io.TextIOWrapper(packed, newline="") as text:
        writer = csv.writer(text)
        writer.writerow(["user", "device", "what", "at", "sku", "price", "quantity"])
        for number, event in enumerate(_events(rows)):
            device = event.get("anonymousId") or f"d{number % 1000}"
            writer.writerow([f"u{number % 999}", device, "buy", event["timestamp"], f"A-{number % 100}", 12.5, 3])


def _head(path: Path, rows: int, folder: Path) -> Path:
    head = folder / f"head-{rows}.jsonl"
    with path.open("rb") as source, head.open("wb") as target:
        for _ in range(rows):
            target.write(next(source))
    return head


def _run(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "runtime", *arguments], capture_output=True, check=True, timeout=300)


if __name__ == "__main__":
    sys.exit(main())
