"""Clients that send without pause, and the comparison of what they were told with what is stored."""

import random
import threading
import time

import httpx
from clickhouse_connect.driver.client import Client

from runtime.project_keys import ProjectKeys
from tests.ingestion.harness import Sender, landed_events

SENDERS = 4


class Load:
    """Clients that send batches all the time and remember what was acknowledged, and what may have been."""

    def __init__(self, sender: Sender, name: str = "") -> None:
        self._sender = sender
        self._name = name
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
            ids = [f"{self._name}{number}-{batch}-{index}" for index in range(generator.randint(1, 40))]
            try:
                answer = self._sender.batch(*({"messageId": message_id} for message_id in ids))
            except httpx.TransportError:
                # Not sent again: an event without an answer may be stored or not, but never twice.
                self.unknown.update(ids)
                time.sleep(0.1)
            else:
                (self.acknowledged if answer.status_code == 200 else self.unknown).update(ids)


def verify(client: Client, project: ProjectKeys, load: Load) -> None:
    """Compare what was acknowledged with what is stored."""
    landed = [row["message_id"] for row in landed_events(client, project.id)]
    stored = set(landed)
    assert len(load.acknowledged) > 100
    assert load.acknowledged - stored == set(), "acknowledged events were lost"
    assert len(landed) == len(stored), "events were stored twice"
    assert stored - load.acknowledged <= load.unknown
