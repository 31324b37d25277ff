"""`python -m runtime.demo.trickle`: visitors that never end, so that the demo's page is alive."""

import asyncio
import os
import random
import sys
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from runtime.demo.dataset import DemoEvent, SourceRow, read_rows
from runtime.demo.record import read_record
from runtime.demo.replay import Sender
from runtime.directory import DataDirectory
from runtime.errors import OperationError
from runtime.ports import LOOPBACK, Ports

_NEW_VISIT_S = 20.0
_LONGEST_PAUSE_S = 15.0
_NEW_VISITOR_SHARE = 0.4
_KNOWN_VISITORS = 300
_SEND_EVERY_S = 1.0
_MOST_WAITING = 1000


class Trickle:
    """Plays sessions of the data set again, now and by other visitors, with pauses of at most 15 s."""

    def __init__(self, sender: Sender, chance: random.Random) -> None:
        self._sender = sender
        self._chance = chance
        self._sessions = _sessions(read_rows())
        # Never the data set's own users: the demo's first result stays what it was.
        self._visitors: list[str] = []
        self._waiting: list[DemoEvent] = []

    async def run(self) -> None:
        """Play until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._send())
            while True:
                group.create_task(self._visit(self._chance.choice(self._sessions)))
                await asyncio.sleep(self._chance.expovariate(1 / _NEW_VISIT_S))

    async def _visit(self, session: list[SourceRow]) -> None:
        user_id = self._visitor()
        session_id = f"live_{uuid4().hex[:12]}"
        before = session[0].timestamp
        for row in session:
            await asyncio.sleep(min((row.timestamp - before).total_seconds(), _LONGEST_PAUSE_S))
            before = row.timestamp
            if len(self._waiting) < _MOST_WAITING:
                self._waiting.append(
                    DemoEvent(
                        event=row.event,
                        message_id=str(uuid4()),
                        user_id=user_id,
                        session_id=session_id,
                        timestamp=datetime.now(UTC),
                        properties=row.properties,
                    )
                )

    def _visitor(self) -> str:
        if self._visitors and self._chance.random() > _NEW_VISITOR_SHARE:
            return self._chance.choice(self._visitors)
        self._visitors = [*self._visitors, f"visitor_{uuid4().hex[:8]}"][-_KNOWN_VISITORS:]
        return self._visitors[-1]

    async def _send(self) -> None:
        while True:
            await asyncio.sleep(_SEND_EVERY_S)
            batch, self._waiting = self._waiting, []
            if batch:
                await self._sender.send(batch)


def _sessions(rows: list[SourceRow]) -> list[list[SourceRow]]:
    by_session: dict[str, list[SourceRow]] = {}
    for row in rows:
        by_session.setdefault(row.session_id, []).append(row)
    return list(by_session.values())


async def _main(directory: DataDirectory, collector_url: str) -> None:
    record = read_record(directory)
    if record is None:
        raise OperationError("There is no demo project: run `radixinsight demo` first.")
    sender = Sender(collector_url, record.project.write_key, connections=1)
    try:
        await Trickle(sender, random.Random()).run()  # noqa: S311 - visitors, not secrets
    finally:
        await sender.close()


def main() -> int:
    """Send to the collector of the installation that the environment names."""
    directory = DataDirectory.at(Path(os.environ["RADIXINSIGHT_DATA_DIR"]))
    ports = Ports(int(os.environ["RADIXINSIGHT_PORT_BASE"]))
    failures: list[BaseException] = []
    try:
        asyncio.run(_main(directory, f"http://{LOOPBACK}:{ports.of('collector')}"))
    except* OperationError as errors:
        failures.extend(errors.exceptions)
    for failure in failures:
        sys.stderr.write(f"{failure}\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
