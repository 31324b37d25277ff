"""A spool whose segments a test writes itself."""

from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from clickhouse_connect.driver.client import Client

from core.events import LandedEvent
from ingestion.shipper.destination import ClickHouse, Destination
from ingestion.shipper.landing import Landing
from ingestion.shipper.metrics import ShipperMetrics
from ingestion.shipper.shipper import Shipper
from ingestion.spool.directory import SEALED, WriterDirectory, new_id
from ingestion.spool.records import Kind, frame
from tests.ingestion.harness import landed_events, rejects
from tests.ingestion.rows import filled


@dataclass
class Yard:
    """A spool of dead writers, a shipper over it, and the project whose events lie in it."""

    root: Path
    landing: Landing
    client: Client
    project_id: int
    batch_id: str = field(default_factory=new_id)
    """The segment that is put next: its lines carry it."""

    @property
    def spool(self) -> Path:
        """The spool's directory."""
        return self.root / "spool"

    def line(self, message_id: str, **members: object) -> bytes:
        """Return a line for `raw.events`, with members that may be wrong."""
        event = filled(
            LandedEvent,
            project_id=self.project_id,
            message_id=message_id,
            type="track",
            protocol="segment",
            batch_id=self.batch_id,
        )
        row: dict[str, object] = msgspec.json.decode(msgspec.json.encode(event))
        return msgspec.json.encode(row | members) + b"\n"

    def record(self, *lines: bytes) -> bytes:
        """Return a record with these lines."""
        payload = b"".join(lines)
        return frame(Kind.EVENTS, len(lines), payload) + payload

    def put(self, segment: bytes, batch_id: str | None = None, suffix: str = SEALED) -> Path:
        """Put a segment that can be shipped into a directory of its own."""
        directory = WriterDirectory.create(self.spool)
        path = directory.path / f"{batch_id or self.batch_id}{suffix}"
        self.batch_id = new_id()
        path.write_bytes(segment)
        directory.close()
        return path

    def shipper(self) -> Shipper:
        """Return a new shipper that hardly waits between tries."""
        return self.shipper_to(self.landing)

    def shipper_to(
        self,
        destination: Landing | Destination,
        *,
        metrics: ShipperMetrics | None = None,
        max_backoff_s: float = 0.01,
    ) -> Shipper:
        """Return a new shipper to somewhere else."""
        metrics = metrics or ShipperMetrics(self.spool)
        if isinstance(destination, Landing):
            destination = ClickHouse(destination, metrics)
        return Shipper(self.spool, self.root / "damaged", destination, metrics, max_backoff_s=max_backoff_s)

    def ship(self) -> int:
        """Let a new shipper look once."""
        return self.shipper().ship_available()

    def landed(self) -> list[str]:
        """Return the ids of the events that landed."""
        return sorted(row["message_id"] for row in landed_events(self.client, self.project_id))

    def rejected(self) -> list[tuple[str, str, bytes]]:
        """Return the rejects."""
        return rejects(self.client, self.project_id)
