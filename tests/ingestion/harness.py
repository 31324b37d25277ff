"""The collector and the shipper as processes of their own, to be talked to, killed and started again."""

import asyncio
import base64
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx
import msgspec
from clickhouse_connect.driver.client import Client

from ingestion.spool.directory import ADOPTED, OPEN, SEALED, segments, usage, writers

_EMPTY_LOOKS = 3
_SERVICES = {"api": "API", "ingestion": "COLLECTOR", "ingestion.shipper": "SHIPPER", "ingestion.kafka": "CONSUMER"}
Collector = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]
"""Makes collectors in this process, with settings of their own."""


@dataclass
class Program:
    """One of our programs, run with an environment of its own."""

    module: str
    log: Path
    environment: dict[str, str]
    port: int = field(default_factory=lambda: free_port())  # noqa: PLW0108 - defined below
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def url(self) -> str:
        """Its HTTP address."""
        return f"http://127.0.0.1:{self.port}"

    def start(self, **more: str) -> Self:
        """Start it and wait until it answers."""
        own = {f"RADIXINSIGHT_{_SERVICES[self.module]}_PORT": str(self.port)}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", self.module], env=os.environ | self.environment | own | more, stderr=log
            )
        deadline = time.monotonic() + 150
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if httpx.get(f"{self.url}/healthz").is_success:
                    return self
            except httpx.TransportError:
                time.sleep(0.05)
        raise AssertionError(f"{self.module} did not start:\n{self.log.read_text()}")

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it politely."""
        self._end(signal.SIGTERM)

    def metrics(self) -> dict[str, float]:
        """Return what it counts."""
        lines = httpx.get(f"{self.url}/metrics").text.splitlines()
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[:1] != "#")}

    def _end(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(timeout=20)


class Line:
    """A collector and a shipper with a spool of their own, which hand events over faster than usual."""

    def __init__(self, variables: dict[str, str], data_dir: Path, **more: str) -> None:
        self.data_dir = data_dir
        environment = variables | {
            "RADIXINSIGHT_DATA_DIR": str(data_dir),
            "RADIXINSIGHT_COLLECTOR_SEGMENT_MAX_AGE_S": "0.05",
            "RADIXINSIGHT_COLLECTOR_CANARY_INTERVAL_S": "0",
            "RADIXINSIGHT_SHIPPER_LEDGER_INTERVAL_S": "0.2",
            "RADIXINSIGHT_SHIPPER_POLL_INTERVAL_S": "0.02",
            "RADIXINSIGHT_SHIPPER_MAX_BACKOFF_S": "0.5",
            **more,
        }
        self.collector = Program("ingestion", data_dir / "collector.log", environment)
        self.shipper = Program("ingestion.shipper", data_dir / "shipper.log", environment)
        self.environment = environment

    def stop(self) -> None:
        """End both politely."""
        self.collector.stop()
        self.shipper.stop()

    def wait_until_shipped(self, timeout_s: float = 120) -> None:
        """Wait until nothing is left in the spool."""
        deadline = time.monotonic() + timeout_s
        looks = 0
        # Several looks: one that meets a segment while it is renamed does not see it.
        while looks < _EMPTY_LOOKS:
            assert time.monotonic() < deadline, f"the spool is not shipped:\n{self.shipper.log.read_text()[-2000:]}"
            looks = 0 if usage(self.data_dir / "spool").segments else looks + 1
            time.sleep(0.02)

    def wait_until_sealed(self, timeout_s: float = 20) -> None:
        """Wait until the collector has no segment open."""
        self._wait(lambda: any(segments(owner, OPEN) for owner in writers(self.data_dir / "spool")), timeout_s)

    def wait_until_reported(self, timeout_s: float = 60) -> None:
        """Wait until ClickHouse knows of everything that was acknowledged."""
        ledger = self.data_dir / "ledger"
        self._wait(lambda: any(segments(owner, OPEN, SEALED, ADOPTED) for owner in writers(ledger)), timeout_s)

    def _wait(self, is_unfinished: Callable[[], bool], timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while is_unfinished():
            assert time.monotonic() < deadline, self.shipper.log.read_text()[-2000:] if self.shipper.process else ""
            time.sleep(0.02)


@dataclass(frozen=True)
class Sender:
    """A client of the collector that has a write key."""

    url: str
    write_key: str

    def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        """Send a body, as it is or as JSON, with the write key as the user name."""
        content = body if isinstance(body, bytes) else msgspec.json.encode(body)
        return httpx.post(f"{self.url}{path}", content=content, headers=basic(self.write_key) | headers, timeout=30)

    def batch(self, *events: dict[str, Any], **members: Any) -> httpx.Response:
        """Send events, tracks of `buy` by `ada` unless they say otherwise, as one batch."""
        common = {"type": "track", "event": "buy", "userId": "ada"}
        return self.post("/v1/batch", {"batch": [common | event for event in events]} | members)


async def eventually(condition: Callable[[], Awaitable[bool]], timeout_s: float = 20) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(timeout_s):
        while not await condition():  # noqa: ASYNC110 - other processes make it true
            await asyncio.sleep(0.05)


def basic(user: str) -> dict[str, str]:
    """Return the header of Basic authentication without a password."""
    return {"authorization": "Basic " + base64.b64encode(f"{user}:".encode()).decode()}


def free_port() -> int:
    """Return a port on which nobody listens at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def landed_events(client: Client, project_id: int) -> list[dict[str, Any]]:
    """Return a project's landed events in the order in which they were sent."""
    sql = "select * from raw.events where project_id = {project_id:UInt32} order by received_at, sequence"
    return list(client.query(sql, parameters={"project_id": project_id}).named_results())


def rejects(client: Client, project_id: int) -> list[tuple[str, str, bytes]]:
    """Return reason, message id and raw bytes of a project's rejects, by reason."""
    sql = """
        select reason, message_id, hex(payload) from raw.rejects
        where project_id = {project_id:UInt32}
        order by reason, payload
    """
    found = client.query(sql, parameters={"project_id": project_id}).result_rows
    return [(reason, message_id, bytes.fromhex(payload)) for reason, message_id, payload in found]
