"""Files that are sent to the collector, and imported by a process of its own."""

import asyncio
import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from clickhouse_connect.driver.client import Client

from runtime.instance import Instance
from runtime.project_keys import ProjectKeys, create_project
from tests.ingestion.harness import Collector, Line, Program, basic, landed_events, rejects
from tests.ingestion.importing.files import lines
from tests.ingestion.importing.test_run import shop_rows
from tests.ingestion.test_protection import batch, change

MAPPING = json.dumps({"name": "shop", "columns": {"who": "userId", "what": "event", "at": "timestamp"}})
EVENTS = lines(*({"type": "track", "event": "x", "userId": "ada", "timestamp": 1714979289 + n} for n in range(30)))
LIMITS = {
    "RADIXINSIGHT_COLLECTOR_UPLOAD_MAX_BYTES": "100000000",
    "RADIXINSIGHT_COLLECTOR_UPLOADS_MAX_BYTES": "150000000",
    "RADIXINSIGHT_IMPORTER_MAX_UNPACKED_BYTES": "2000000000",
}


class Importer:
    """The importer as a process of its own."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it."""
        command = [sys.executable, "-m", "ingestion.importing.importer"]
        with (self._line.data_dir / "importer.log").open("ab") as log:
            self._process = subprocess.Popen(command, env=os.environ | self._line.environment, stderr=log)

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it, politely or not."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(timeout=60)


@pytest.fixture(scope="module")
def receiving(runtime: Instance, tmp_path_factory: pytest.TempPathFactory) -> Generator[Line]:
    """Return a collector of this module's own; its data directory is `data_dir`."""
    line = Line(runtime.variables, tmp_path_factory.mktemp("receiving"), **LIMITS)
    line.collector.start()
    yield line
    line.collector.stop()


@pytest.fixture(scope="module")
def importer(receiving: Line) -> Generator[Importer]:
    """Return a running importer."""
    importer = Importer(receiving)
    importer.start()
    yield importer
    importer.end()


def send(
    collector: Program, keys: ProjectKeys, content: bytes | Iterator[bytes], *, mapping: str = "segment", **more: Any
) -> httpx.Response:
    """Send a file."""
    headers = basic(keys.write_key) | more.pop("headers", {})
    parameters = {"mapping": mapping} | more
    return httpx.post(f"{collector.url}/v1/import", content=content, params=parameters, headers=headers, timeout=60)


def state(collector: Program, keys: ProjectKeys, identifier: str) -> httpx.Response:
    """Ask how far an import is."""
    return httpx.get(f"{collector.url}/v1/import/{identifier}", headers=basic(keys.write_key))


def wait(collector: Program, keys: ProjectKeys, answer: httpx.Response) -> dict[str, Any]:
    """Wait until an import has ended, and return its state."""
    assert answer.status_code == 202, answer.text
    deadline = time.monotonic() + 120
    while True:
        said = state(collector, keys, answer.json()["id"]).json()
        if said["state"] in {"finished", "failed"}:
            return said
        assert time.monotonic() < deadline, said
        time.sleep(0.1)


@pytest.mark.usefixtures("importer")
@pytest.mark.parametrize("is_packed", [False, True])
def test_a_file_that_was_sent_is_imported_and_its_state_told(
    receiving: Line, project: ProjectKeys, client: Client, *, is_packed: bool
) -> None:
    content = EVENTS + b'{"type":"track"}\n'
    headers = {"content-encoding": "gzip"} if is_packed else {}
    answer = send(receiving.collector, project, gzip.compress(content) if is_packed else content, headers=headers)
    assert answer.headers["location"] == f"/v1/import/{answer.json()['id']}"
    said = wait(receiving.collector, project, answer)
    assert (said["state"], said["rows_read"], said["rows_landed"], said["rows_rejected"]) == ("finished", 31, 30, 1)
    assert not {"project_id", "write_key_id"} & set(said)
    landed = landed_events(client, project.id)
    assert len(landed) == 30
    assert all(row["write_key_id"] for row in landed)
    assert [reason for reason, _, _ in rejects(client, project.id)] == ["invalid_timestamp"]
    assert list((receiving.data_dir / "imports").glob("*.data")) == []


@pytest.mark.usefixtures("importer")
def test_a_mapping_of_ones_own_is_sent_with_the_file(receiving: Line, project: ProjectKeys, client: Client) -> None:
    answer = send(receiving.collector, project, shop_rows(5), mapping=MAPPING, name="shop.csv")
    assert wait(receiving.collector, project, answer)["rows_landed"] == 5
    assert [row["event"] for row in landed_events(client, project.id)] == ["buy"] * 5


@pytest.mark.usefixtures("importer")
def test_a_file_that_is_sent_twice_counts_once(receiving: Line, project: ProjectKeys, client: Client) -> None:
    assert not wait(receiving.collector, project, send(receiving.collector, project, EVENTS))["was_imported_before"]
    assert wait(receiving.collector, project, send(receiving.collector, project, EVENTS))["was_imported_before"]
    assert len(landed_events(client, project.id)) == 30


@pytest.mark.usefixtures("importer")
def test_a_file_that_cannot_be_read_fails_with_a_code(receiving: Line, project: ProjectKeys) -> None:
    said = wait(receiving.collector, project, send(receiving.collector, project, b'[{"type":"track"}]'))
    assert (said["state"], said["code"]) == ("failed", "unreadable_file")


@pytest.mark.usefixtures("importer")
def test_nobody_sees_another_projects_import(runtime: Instance, receiving: Line, project: ProjectKeys) -> None:
    identifier = send(receiving.collector, project, EVENTS).json()["id"]
    other = create_project(runtime.database_url, "other", key_name="test")
    for keys, name in ((other, identifier), (project, "1700000000000-0000000000000000"), (project, "..%2f..%2fx")):
        answer = state(receiving.collector, keys, name)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert state(receiving.collector, other, identifier).json()["code"] == "unknown_import"
    assert httpx.get(f"{receiving.collector.url}/v1/import/{identifier}").status_code == 401


def test_without_a_live_key_nothing_is_kept(receiving: Line) -> None:
    nobody = ProjectKeys(id=0, name="", write_key="wk_nobody", api_key="")
    before = set((receiving.data_dir / "imports").glob("*.data"))
    assert send(receiving.collector, nobody, EVENTS).status_code == 401
    # Those that were there may be imported by now.
    assert set((receiving.data_dir / "imports").glob("*.data")) <= before


@pytest.mark.parametrize("mapping", ["heap", '{"name":"x"}', '{"name":"x","columns":{"a":"b"}}', "{"])
def test_a_mapping_that_there_is_not_is_refused_at_once(receiving: Line, project: ProjectKeys, mapping: str) -> None:
    answer = send(receiving.collector, project, EVENTS, mapping=mapping)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_mapping")


def test_a_file_needs_the_name_of_a_mapping(receiving: Line, project: ProjectKeys) -> None:
    headers = basic(project.write_key) | {"content-type": "text/csv; charset=utf-8"}
    answer = httpx.post(f"{receiving.collector.url}/v1/import", content=b"a,b\n", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_mapping")


def test_batches_of_segments_libraries_are_taken_on_the_same_path(receiving: Line, project: ProjectKeys) -> None:
    body = {"batch": [{"type": "track", "event": "x", "userId": "ada"}]}
    for headers in ({}, {"content-type": "application/x-www-form-urlencoded"}):
        answer = httpx.post(
            f"{receiving.collector.url}/v1/import", json=body, headers=basic(project.write_key) | headers
        )
        assert answer.json() == {"success": True}


def test_a_file_that_is_too_large_is_refused_and_nothing_kept(receiving: Line, project: ProjectKeys) -> None:
    """Whether it says so at once, or turns out to be."""

    def endless() -> Iterator[bytes]:
        for _ in range(101):
            yield b"x" * 1_000_000

    for content in (b"x" * 100_000_001, endless()):
        answer = send(receiving.collector, project, content)
        assert (answer.status_code, answer.json()["code"]) == (413, "request_too_large")
    assert list((receiving.data_dir / "imports").glob("*.part")) == []


def test_while_too_much_waits_the_next_file_is_refused_for_now(
    runtime: Instance, project: ProjectKeys, tmp_path: Path
) -> None:
    """Nobody imports here."""
    line = Line(runtime.variables, tmp_path, RADIXINSIGHT_COLLECTOR_UPLOADS_MAX_BYTES=str(len(EVENTS) + 10))
    line.collector.start()
    try:
        assert send(line.collector, project, EVENTS).status_code == 202
        answer = send(line.collector, project, EVENTS)
        assert (answer.status_code, answer.json()["code"]) == (429, "uploads_busy")
        assert int(answer.headers["retry-after"]) > 0
    finally:
        line.collector.stop()


async def test_a_project_cannot_keep_the_others_files_out(
    runtime: Instance, collector: Collector, project: ProjectKeys
) -> None:
    """One file may be large; a second one of the same project has to leave room. Nobody imports here."""
    other = create_project(runtime.database_url, "other", key_name="test")
    async with collector(uploads_max_bytes=len(EVENTS) * 3) as client:

        async def sent(keys: ProjectKeys, content: bytes) -> int:
            url = "/v1/import?mapping=segment"
            return (await client.post(url, content=content, headers=basic(keys.write_key))).status_code

        assert await sent(project, EVENTS) == 202
        assert await sent(project, EVENTS) == 429
        assert await sent(other, EVENTS) == 202


async def test_a_key_sends_one_file_at_once(collector: Collector, project: ProjectKeys) -> None:
    async with collector() as client:
        is_begun, is_told = asyncio.Event(), asyncio.Event()

        async def slowly() -> AsyncIterator[bytes]:
            yield EVENTS
            is_begun.set()
            await is_told.wait()

        url, headers = "/v1/import?mapping=segment", basic(project.write_key)
        first = asyncio.create_task(client.post(url, content=slowly(), headers=headers))
        await is_begun.wait()
        answer = await client.post(url, content=EVENTS, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (429, "uploads_busy")
        is_told.set()
        assert (await first).status_code == 202
        assert (await client.post(url, content=EVENTS, headers=headers)).status_code == 202


async def test_files_obey_the_bounds_on_pages_and_rates(
    runtime: Instance, collector: Collector, project: ProjectKeys
) -> None:
    """As events do."""
    url, headers = "/v1/import?mapping=segment", basic(project.write_key)
    change(runtime, project, allowed_origins=["https://shop.example"])
    async with collector(key_events_per_second=0.5, rate_burst_s=2) as client:
        answer = await client.post(url, content=EVENTS, headers=headers | {"origin": "https://evil.example"})
        assert (answer.status_code, answer.json()["code"]) == (403, "origin_not_allowed")
        assert (await client.post(url, content=EVENTS, headers=headers)).status_code == 202
        await client.post("/v1/batch", json=batch(12), headers=headers)
        answer = await client.post(url, content=EVENTS, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
    async with collector(address_requests_per_second=0.1, rate_burst_s=10) as client:
        codes = [(await client.post(url, content=EVENTS, headers=headers)).status_code for _ in range(3)]
        assert codes[-1] == 429


def test_a_disk_with_too_little_room_takes_no_file(runtime: Instance, project: ProjectKeys, tmp_path: Path) -> None:
    line = Line(runtime.variables, tmp_path, RADIXINSIGHT_COLLECTOR_SPOOL_MIN_FREE_BYTES=str(2**60))
    line.collector.start()
    try:
        answer = send(line.collector, project, EVENTS)
        assert (answer.status_code, answer.json()["code"]) == (503, "uploads_unavailable")
    finally:
        line.collector.stop()


@pytest.mark.slow
def test_a_killed_importer_goes_on_with_what_it_had(
    runtime: Instance, project: ProjectKeys, client: Client, tmp_path: Path
) -> None:
    line = Line(runtime.variables, tmp_path)
    line.collector.start()
    importer = Importer(line)
    try:
        answer = send(line.collector, project, shop_rows(200_000), mapping=MAPPING)
        importer.start()
        deadline = time.monotonic() + 60
        while state(line.collector, project, answer.json()["id"]).json()["rows_landed"] == 0:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        importer.end(signal.SIGKILL)
        importer.start()
        assert wait(line.collector, project, answer)["rows_landed"] == 200_000
    finally:
        importer.end()
        line.collector.stop()
    sql = "select count(), uniqExact(message_id) from raw.events where project_id = {id:UInt32}"
    assert client.query(sql, parameters={"id": project.id}).result_rows == [(200_000, 200_000)]
