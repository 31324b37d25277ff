"""How soon an acknowledged event is seen, and what those who watch cost the collector.

    python bench/live.py [--check] [--json FILE] [--quick]

Starts collector, shipper, read API and embedded engines on an empty directory. Single events are sent and watched for
on an event stream, at rest and while another process sends batches. Then batches are sent as fast as they are taken, in
turns to a project that nobody watches and to one with readers.
"""

import asyncio
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
import timeit
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import report
from ingest import Line

from core.events import LandedEvent
from ingestion.live import LivePublisher
from ingestion.metrics import CollectorMetrics
from runtime.instance import Instance
from runtime.project_keys import ProjectKeys, create_project
from runtime.settings import RuntimeSettings

_GOAL_MS = 2000.0
_GOAL_COST = 0.8
_READERS = 5


@dataclass
class Load:
    """What a load did: events a second, and the collector's processor time for each."""

    events_per_s: float
    collector_us: float


def main() -> int:
    """Measure, print and judge."""
    options = report.parse_options("Time how soon an acknowledged event is seen.")
    port_base = 20000 + secrets.randbelow(1000) * 10
    table = report.Report("Live streams, load generator on the same machine", ("what", "measured", "goal"))
    with tempfile.TemporaryDirectory(prefix="radixinsight-bench-") as folder:
        settings = RuntimeSettings(data_dir=Path(folder) / "data", port_base=port_base)
        place = ("--data-dir", str(settings.data_dir))
        _run("up", "--detach", "--only", "collector,shipper,api", "--port-base", str(port_base), *place)
        try:
            asyncio.run(_measure(table, Instance.of(settings), quick=options.quick))
        finally:
            _run("down", *place)
    asyncio.run(_measure_offer(table))
    return table.finish(options)


async def _measure(table: report.Report, instance: Instance, *, quick: bool) -> None:
    watched, unwatched = (create_project(instance.database_url, name, key_name="bench") for name in ("seen", "unseen"))
    await asyncio.sleep(3)  # until the collector knows their keys
    lines = {keys.id: Line(instance, keys.write_key, keys.id) for keys in (watched, unwatched)}
    probes = 200 if quick else 1000
    _tell(table, "at rest", await _latencies_ms(instance, watched, probes))
    # Below what is published of one project: above it, what is seen is a matter of chance.
    load = asyncio.create_task(asyncio.to_thread(lines[watched.id].send, requests=probes // 5, rate=800))
    _tell(table, "with 800 events/s more", await _latencies_ms(instance, watched, probes))
    await load
    requests = 1_000 if quick else 3_000
    without: list[Load] = []
    with_readers: list[Load] = []
    async with _readers(instance, watched):
        for _ in range(3 if quick else 5):
            without.append(await asyncio.to_thread(_send, lines[unwatched.id], requests))
            with_readers.append(await asyncio.to_thread(_send, lines[watched.id], requests))
    for what, loads in (("nobody watches", without), (f"{_READERS} readers", with_readers)):
        rate = statistics.median(load.events_per_s for load in loads)
        cost = statistics.median(load.collector_us for load in loads)
        table.row(f"acknowledged at full load, {what}", f"{rate:,.0f} events/s", "")
        table.row("  processor, collector", f"{cost:.2f} µs/event", "")
    turns = list(zip(without, with_readers, strict=True))
    # Reader, API and load share the cores with the collector: what it pays itself is judged.
    throughput = statistics.median(seen.events_per_s / unseen.events_per_s for unseen, seen in turns)
    cost = statistics.median(unseen.collector_us / seen.collector_us for unseen, seen in turns)
    table.row("acknowledged with readers, of that without", f"{throughput:.2f}", "")
    table.row("processor of the collector without readers, of that with", f"{cost:.2f}", f"{_GOAL_COST}")
    table.ratio("throughput_with_readers", throughput)
    table.ratio("processor_with_readers", cost, goal=_GOAL_COST)


async def _latencies_ms(instance: Instance, keys: ProjectKeys, probes: int) -> list[float]:
    """Send single events; return how long after its acknowledgement each was seen, infinite for one that was not."""
    seen: dict[str, float] = {}
    acknowledged: dict[str, float] = {}
    ready = asyncio.Event()

    async def watch() -> None:
        async for line in _lines(instance, keys, "event=probe&include=events"):
            if line == "event: hello":
                ready.set()
            elif line.startswith('data: {"message_id"'):
                seen[json.loads(line.removeprefix("data: "))["message_id"]] = time.perf_counter()

    watching = asyncio.create_task(watch())
    await ready.wait()
    async with httpx.AsyncClient(auth=(keys.write_key, "")) as client:
        for _ in range(probes):
            message_id = secrets.token_hex(8)
            event = {"messageId": message_id, "event": "probe", "userId": "ada"}
            answer = await client.post(f"{instance.address_of('collector')}/v1/track", json=event)
            acknowledged[message_id] = time.perf_counter()
            assert answer.is_success, answer.text
            await asyncio.sleep(0.02)
    await asyncio.sleep(_GOAL_MS / 1000)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    return [(seen.get(name, float("inf")) - at) * 1000 for name, at in acknowledged.items()]


@asynccontextmanager
async def _readers(instance: Instance, keys: ProjectKeys) -> AsyncGenerator[None]:
    """Watch a project on several streams."""

    async def watch(ready: asyncio.Event) -> None:
        async for line in _lines(instance, keys, "max_per_second=50"):
            if line == "event: hello":
                ready.set()

    all_ready = [asyncio.Event() for _ in range(_READERS)]
    watching = [asyncio.create_task(watch(ready)) for ready in all_ready]
    for ready in all_ready:
        await ready.wait()
    yield
    for task in watching:
        task.cancel()
    await asyncio.gather(*watching, return_exceptions=True)


async def _lines(instance: Instance, keys: ProjectKeys, query: str) -> AsyncGenerator[str]:
    url = f"{instance.address_of('api')}/v1/projects/{keys.id}/live/events?{query}"
    headers = {"authorization": f"Bearer {keys.api_key}"}
    async with (
        httpx.AsyncClient(timeout=httpx.Timeout(60), headers=headers) as client,
        client.stream("GET", url) as answer,
    ):
        async for line in answer.aiter_lines():
            yield line


def _send(line: Line, requests: int) -> Load:
    before = line.cpu_s()["collector"]
    sent = line.send(requests=requests, connections=8)
    assert not sent["failures"], sent
    used = line.cpu_s()["collector"] - before
    line.wait_until_landed()
    return Load(sent["events"] / sent["seconds"], used / sent["events"] * 1e6)


async def _measure_offer(table: report.Report) -> None:
    """Time what each request pays where nobody listens to its project."""
    live = LivePublisher("redis://127.0.0.1:1/0", CollectorMetrics(), events_per_second=1, oldest_unshipped_s=float)
    events: list[LandedEvent] = []
    times = 1_000_000
    seconds = timeit.timeit(lambda: live.offer(1, events), number=times)
    table.row("a request of a project that nobody watches", f"{seconds / times * 1e9:.0f} ns", "")


def _tell(table: report.Report, when: str, latencies: list[float]) -> None:
    latencies.sort()
    p50, p95 = latencies[len(latencies) // 2], latencies[int(len(latencies) * 0.95)]
    table.row(f"from acknowledgement to reader, {when}, p50 / p95", f"{p50:.0f} / {p95:.0f} ms", f"{_GOAL_MS:,.0f} ms")
    unseen = latencies.count(float("inf"))
    table.row("  not seen", f"{unseen} of {len(latencies)}", "")
    table.ratio(f"latency_{when.replace(' ', '_').replace('/', '_')}", _GOAL_MS / p95, goal=1.0)


def _run(*arguments: str) -> None:
    environment = os.environ | {"RADIXINSIGHT_COLLECTOR_CANARY_INTERVAL_S": "0"}
    command = [sys.executable, "-m", "runtime", *arguments]
    subprocess.run(command, env=environment, capture_output=True, check=True, timeout=300)


if __name__ == "__main__":
    sys.exit(main())
