"""What an answer of the read API costs, computed and cached, and how many of them it gives a second.

    python bench/api.py [--check] [--json FILE] [--quick]

Starts the system without Dagster on an empty directory, models the demo's data (the variable EVENTS asks for so many
made-up events of a year instead: 20000000), and asks each endpoint: anew each time, beside its statement asked of
ClickHouse directly, then the same again from the cache. Then 1, 8 and 32 clients ask cached questions in turn. Engines,
API and load generator share the machine's cores.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import history
import httpx
import report
from clickhouse_connect.driver.client import Client
from instance import build_models, system

from api.warehouse import PLANNING
from core.warehouse import ProjectScope
from runtime import memory
from runtime.demo.dataset import DemoData
from runtime.demo.replay import replay
from runtime.demo.verification import DemoCounts
from runtime.directory import DataDirectory
from runtime.instance import Instance
from runtime.project_keys import ProjectKeys, create_project
from runtime.state import read_state

_GOAL_PER_S = 1_500.0
_GOAL_P95_MS = 15.0
_GOAL_OWN_MS = 15.0
_UNMEASURED = 3
_DAYS = 90
# ClickHouse remembers how big a statement's tables of hashes became, which helps only who asks the same a second time.
_UNREMEMBERED = {"collect_hash_table_stats_during_aggregation": 0, "collect_hash_table_stats_during_joins": 0}
_LOAD = Path(__file__).with_name("api_load.py")
_DEMO_STEPS = ("catalog", "product_view", "add_to_cart", "purchase")
_HISTORY_STEPS = ("product_view", "add_to_cart", "checkout", "purchase")


@dataclass(frozen=True)
class Question:
    """One endpoint with what is asked of it about a range of days; of what has no range so many rows are asked."""

    name: str
    path: str
    query: dict[str, Any] = field(default_factory=dict[str, Any])
    document: dict[str, Any] | None = None
    has_range: bool = True

    def request(self, client: httpx.Client, first: date, last: date) -> httpx.Request:
        """Return the request about a range of days."""
        bounds = {"from": str(first), "to": str(last)} if self.has_range else {"limit": (last - first).days}
        if self.document is None:
            return client.build_request("GET", self.path, params=bounds | self.query)
        return client.build_request("POST", self.path, json=self.document | bounds)


def main() -> int:
    """Measure, print and judge."""
    options = report.parse_options("Time the answers of the read API.")
    events = int(os.environ.get("EVENTS", "0"))
    rounds = 3 if options.quick else 20
    columns = ("endpoint", "computed p50", "p95", "of it ours", "cached p50", "p95")
    what = f"{events:,} made-up events" if events else "the demo's data"
    table = report.Report(f"Answers over {what}, in milliseconds", columns)
    with (
        system("api" if events else "collector,shipper,api") as (instance, client),
        tempfile.TemporaryDirectory() as work,
    ):
        keys, end = _made(instance, client, events)
        build_models(instance, Path(work) / "target")
        with httpx.Client(
            base_url=instance.address_of("api"), headers={"authorization": f"Bearer {keys.api_key}"}, timeout=60
        ) as api:
            questions = _questions(keys.id, _HISTORY_STEPS if events else _DEMO_STEPS)
            for question in questions:
                _time(table, question, api, client, end=end, rounds=rounds)
            requests = [question.request(api, end - timedelta(_DAYS), end) for question in questions]
            file = Path(work) / "requests.json"
            file.write_text(json.dumps([_text(request) for request in requests]))
        print(table.render())
        load = report.Report(
            "Cached answers under load", ("clients", "answers/s", "p50 ms", "p95 ms", "processor, load")
        )
        for clients in (1, 8, 32):
            _load(load, instance, file, clients, seconds=2 if options.quick else 10)
        _weigh(load, instance)
    load.ratios |= table.ratios
    load.goals |= table.goals
    return load.finish(options)


def _made(instance: Instance, client: Client, events: int) -> tuple[ProjectKeys, date]:
    """Land the events; return the project's keys and the day after the last of them."""
    # A project's days are read off rollups only where they are cut in its zone.
    zone = history.ZONE if events else "UTC"
    keys = create_project(instance.database_url, "bench", key_name="bench", timezone=zone)
    if events:
        history.make_history(client, events=events)
        return keys, date(2026, 1, 1)
    until = datetime.now(UTC).replace(microsecond=0)
    data = DemoData(until, None)
    time.sleep(3)  # until the collector knows the key
    asyncio.run(replay(data, instance.address_of("collector"), keys.write_key, sent=lambda _: None))
    DemoCounts(instance.clickhouse_url, keys.id).wait_until_stored(len(data), progress=lambda _: None)
    return keys, until.date() + timedelta(1)


def _questions(project_id: int, steps: tuple[str, ...]) -> list[Question]:
    insights, query = f"/v1/projects/{project_id}/insights", f"/v1/projects/{project_id}/query"
    documents: dict[str, dict[str, Any]] = {
        "trend by country": {
            "interval": "day",
            "series": [{"name": "active", "measure": "persons", "event": steps[0]}],
            "breakdown": [{"column": "country"}],
            "top": 5,
        },
        "funnel": {"steps": list(steps), "window": "14d"},
        "funnel_trend": {"steps": list(steps), "window": "14d", "interval": "week"},
        "funnel_persons": {"steps": list(steps), "window": "14d", "step": 2, "is_lost": True},
        "retention": {"period": "week", "periods": 8},
        "lifecycle": {"interval": "week"},
        "stickiness": {},
        "paths": {"max_steps": 4},
        "web": {"breakdown": ["channel"], "total": True},
        "events": {"limit": 50},
        "persons": {},
        "property_values": {"column": "country"},
    }
    return [
        Question("GET event-names", f"/v1/projects/{project_id}/event-names"),
        Question("GET timeseries", f"{insights}/timeseries", {"measure": "persons"}),
        Question("GET funnel", f"{insights}/funnel", {"step": list(steps)}),
        Question("GET retention", f"{insights}/retention"),
        *(
            Question(f"query: {name}", query, document={"kind": name.split()[0]} | asked, has_range=name != "persons")
            for name, asked in documents.items()
        ),
    ]


def _time(
    table: report.Report, question: Question, api: httpx.Client, client: Client, *, end: date, rounds: int
) -> None:
    computed: list[float] = []
    own: list[float] = []
    for number in range(_UNMEASURED + rounds):
        took, meta = _asked(api, question.request(api, end - timedelta(_DAYS + number), end))
        # The first finds out what all of them need and reads from disk; ClickHouse compiles what comes again.
        if number >= _UNMEASURED:
            assert not meta["cached"], meta
            computed.append(took)
            own.append(took - _directly(client, meta))
    request = question.request(api, end - timedelta(_DAYS), end)
    cached = [_asked(api, request) for _ in range(rounds * 5)]
    assert cached[-1][1]["cached"], cached[-1][1]
    figures = (*_p50_p95(computed), statistics.median(own), *_p50_p95([took for took, _ in cached]))
    table.row(question.name, *(f"{figure:.1f}" for figure in figures))
    table.ratio(f"own_of_{question.name.replace(' ', '_')}", _GOAL_OWN_MS / max(figures[2], 1.0), goal=1)


def _asked(api: httpx.Client, request: httpx.Request) -> tuple[float, dict[str, Any]]:
    """Return how long an answer took, in milliseconds, and where it is from."""
    began = time.perf_counter()
    answer = api.send(request)
    took = (time.perf_counter() - began) * 1000
    assert answer.is_success, answer.text
    return took, answer.json()["meta"]


def _directly(client: Client, meta: dict[str, Any]) -> float:
    """Return how long the statement of an answer takes without the API, in milliseconds."""
    parameters = {name: value for name, value in meta["parameters"].items() if name != "project_id"}
    began = time.perf_counter()
    scope, settings = ProjectScope(meta["parameters"]["project_id"]), PLANNING | _UNREMEMBERED
    scope.run(client, meta["sql"], parameters, settings=settings)
    return (time.perf_counter() - began) * 1000


def _text(request: httpx.Request) -> str:
    head = f"{request.method} {request.url.raw_path.decode()} HTTP/1.1\r\nHost: localhost\r\n"
    head += f"Authorization: {request.headers['authorization']}\r\n"
    body = request.read().decode()
    return head + (f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}" if body else "\r\n")


def _load(load: report.Report, instance: Instance, file: Path, clients: int, *, seconds: float) -> None:
    port = instance.address_of("api").rpartition(":")[2]
    command = [sys.executable, str(_LOAD), port, str(file), "--connections", str(clients), "--seconds", str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    said = json.loads(done.stdout)
    assert not said["failures"], said
    per_second = said["succeeded"] / said["seconds"]
    load.row(
        str(clients),
        f"{per_second:,.0f}",
        f"{said['p50_ms']:.1f}",
        f"{said['p95_ms']:.1f}",
        f"{said['cpu_s'] / seconds:.0%}",
    )
    judged = clients == 8  # noqa: PLR2004 - the goals are for eight
    load.ratio(f"cached_per_s_{clients}_clients", per_second / _GOAL_PER_S, goal=1 if judged else None)
    load.ratio(f"cached_p95_{clients}_clients", _GOAL_P95_MS / said["p95_ms"], goal=1 if judged else None)


def _weigh(load: report.Report, instance: Instance) -> None:
    record = read_state(DataDirectory.at(instance.data_dir).state_file)
    assert record is not None
    used = [
        memory.of_tree(process.pid) for process in record.processes if process.name.startswith("api") and process.pid
    ]
    for number, each in enumerate(used, 1):
        load.row(f"memory of API process {number}", f"{each.resident_bytes / 2**20:.0f} MiB", "", "", "")


def _p50_p95(took: list[float]) -> tuple[float, float]:
    ordered = sorted(took)
    return statistics.median(ordered), ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]


if __name__ == "__main__":
    sys.exit(main())
