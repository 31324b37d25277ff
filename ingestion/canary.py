"""Sends a canary for each project, as a client would: over HTTP, with a write key of that project."""

import asyncio
import base64

import structlog

from ingestion.metrics import CollectorMetrics
from ingestion.protocols.canary import PATH
from ingestion.settings import CollectorSettings
from ingestion.write_keys import WriteKeys

_FIRST_AFTER_S = 2.0
_TIMEOUT_S = 10.0
_AT_ONCE = 16  # So that they share the disk's flushes: one after the other, a thousand projects are a minute of them.
_OK = 200
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what is listened on, as the settings say it
_logger = structlog.get_logger()


class Canaries:
    """Lives in the collector, so that it needs no process and no key of its own, and talks to it from outside.

    How long ago the latest one reached ClickHouse is the shipper's to tell: it is, whoever is to blame.
    """

    def __init__(self, settings: CollectorSettings, write_keys: WriteKeys, metrics: CollectorMetrics) -> None:
        self._host = _ANY_ADDRESS.get(settings.host, settings.host)
        self._port = settings.listen_port
        self._interval_s = settings.canary_interval_s
        self._write_keys = write_keys
        self._metrics = metrics

    async def run(self) -> None:
        """Send one for each project at once and then every so often, until cancelled."""
        await asyncio.sleep(min(_FIRST_AFTER_S, self._interval_s))
        while True:
            await self.send_all()
            await asyncio.sleep(self._interval_s)

    async def send_all(self) -> None:
        """Send one for each project that has a live write key; one that does not arrive is logged and counted."""
        gate = asyncio.Semaphore(_AT_ONCE)
        async with asyncio.TaskGroup() as tasks:
            for project_id, key in self._write_keys.one_of_each_project().items():
                tasks.create_task(self._send(project_id, key, gate))

    async def _send(self, project_id: int, key: str, gate: asyncio.Semaphore) -> None:
        try:
            async with gate, asyncio.timeout(_TIMEOUT_S):
                status = await self._post(key)
            problem = None if status == _OK else f"answered with {status}"
        except (OSError, ValueError, IndexError) as error:
            problem = str(error) or type(error).__name__
        if problem is None:
            self._metrics.canaries_sent.inc()
        else:
            self._metrics.canaries_failed.inc()
            _logger.warning("canary_not_taken", project_id=project_id, error=problem)

    async def _post(self, key: str) -> int:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        try:
            credentials = base64.b64encode(f"{key}:".encode()).decode()
            head = (
                f"POST {PATH} HTTP/1.1\r\nHost: {self._host}\r\nAuthorization: Basic {credentials}\r\n"
                "User-Agent: radixinsight-canary\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
            )
            writer.write(head.encode())
            return int((await reader.readline()).split()[1])
        finally:
            writer.close()
