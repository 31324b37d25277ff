"""kill -9 under load: what was acknowledged is stored, and stored once."""

import random
import threading
import time
from collections.abc import Generator
from pathlib import Path

import httpx
import pytest
from clickhouse_connect.driver.client import Client

from core import warehouse
from core.warehouse.migrate import migrate
from engine.reconciled import books
from runtime.instance import Instance
from runtime.project_keys import ProjectKeys
from tests.contract.clickhouse.harness import PASSWORDS, Server
from tests.ingestion.harness import Line, Program, Sender, landed_events

SENDERS = 4
pytestmark = pytest.mark.slow


class Load:
    """Clients that send batches all the time and remember what was acknowledged, and what may have been."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._stop = threading.Event()
        self.acknowledged: set[str] = set()
        self.unknown: set[str] = set()
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(SENDERS)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Finish the requests under way."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, number: int) -> None:
        generator = random.Random(number)  # noqa: S311 - a load, not a secret
        batch = 0
        while not self._stop.is_set():
            batch += 1
            ids = [f"{number}-{batch}-{index}" for index in range(generator.randint(1, 40))]
            try:
                answer = self._sender.batch(*({"messageId": message_id} for message_id in ids))
            except httpx.TransportError:
                # Not sent again: an event without an answer may be stored or not, but never twice.
                self.unknown.update(ids)
                time.sleep(0.1)
            else:
                (self.acknowledged if answer.status_code == 200 else self.unknown).update(ids)


@pytest.fixture
def line(runtime: Instance, tmp_path: Path) -> Generator[Line]:
    """Return a collector and a shipper that may be killed."""
    line = Line(runtime.variables, tmp_path)
    line.collector.start()
    line.shipper.start()
    yield line
    line.stop()


def storm(line: Line, victim: Program | Server, project: ProjectKeys, kills: int = 3) -> Load:
    """Send while killing the victim again and again, then let everything be shipped."""
    load = Load(Sender(line.collector.url, project.write_key))
    generator = random.Random(7)  # noqa: S311 - a load, not a secret
    for _ in range(kills):
        time.sleep(generator.uniform(0.2, 0.8))
        victim.kill()
        victim.start()
    time.sleep(0.3)
    load.stop()
    line.wait_until_shipped()
    line.wait_until_reported()
    return load


def verify(client: Client, project: ProjectKeys, load: Load) -> None:
    """Compare what was acknowledged with what is stored."""
    landed = [row["message_id"] for row in landed_events(client, project.id)]
    stored = set(landed)
    assert len(load.acknowledged) > 100
    assert load.acknowledged - stored == set(), "acknowledged events were lost"
    assert len(landed) == len(stored), "events were stored twice"
    assert stored - load.acknowledged <= load.unknown
    with books(client) as made:
        made.model(project.id)
        row = made.today(project.id)
    assert (row.lost, row.doubled, row.unledgered, row.waiting) == (0, 0, 0, 0), "the reconciliation sees what is not"
    assert row.acknowledged + row.unacknowledged == row.landed == len(landed)


def test_a_killed_collector_loses_and_doubles_nothing(line: Line, project: ProjectKeys, client: Client) -> None:
    verify(client, project, storm(line, line.collector, project))


def test_a_killed_shipper_loses_and_doubles_nothing(line: Line, project: ProjectKeys, client: Client) -> None:
    verify(client, project, storm(line, line.shipper, project))


@pytest.fixture
def server(tmp_path: Path) -> Generator[Server]:
    """Return a ClickHouse that may be killed."""
    server = Server(tmp_path / "clickhouse").start()
    yield server
    server.stop()


def test_a_killed_clickhouse_loses_and_doubles_nothing(
    runtime: Instance, server: Server, project: ProjectKeys, tmp_path: Path
) -> None:
    url = f"http://radixinsight:{PASSWORDS['radixinsight']}@127.0.0.1:{server.port}/"
    with warehouse.connect(url) as client:
        migrate(client)
    line = Line(runtime.variables | {"CLICKHOUSE_URL": url}, tmp_path)
    line.collector.start()
    line.shipper.start()
    try:
        load = storm(line, server, project)
    finally:
        line.stop()
    with warehouse.connect(url) as client:
        verify(client, project, load)
