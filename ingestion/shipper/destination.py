"""Where the shipper delivers segments."""

from pathlib import Path
from typing import Protocol

from ingestion.shipper.landing import Landing
from ingestion.shipper.ledger import report_found
from ingestion.shipper.metrics import LandingMetrics
from ingestion.shipper.shipment import Contents, Shipment
from ingestion.spool.directory import ADOPTED


class Destination(Protocol):
    """Takes segments whole: what it took may be deleted."""

    def deliver(self, segment: Path, contents: Contents, *, split: bool) -> None:
        """Deliver a segment's contents; with `split` in parts, so that what is at fault can be told.

        Raises `DeliveryError` when all of it has to be tried again.
        """
        ...

    def close(self) -> None:
        """Close what is open."""
        ...


class ClickHouse:
    """Straight into the landing tables."""

    def __init__(self, landing: Landing, metrics: LandingMetrics) -> None:
        self._landing = landing
        self._metrics = metrics

    def deliver(self, segment: Path, contents: Contents, *, split: bool) -> None:
        """Land the segment under its own name."""
        Shipment(self._landing, self._metrics, segment.stem, segment.parent).land(contents, split=split)

    def close(self) -> None:
        """Close the connection."""
        self._landing.close()


class Reporting:
    """Delivers elsewhere, and tells ClickHouse what was in a segment whose collector had died."""

    def __init__(self, destination: Destination, landing: Landing) -> None:
        self._destination = destination
        self._landing = landing

    def deliver(self, segment: Path, contents: Contents, *, split: bool) -> None:
        """Deliver the segment, and report it if its collector may not have come to that."""
        self._destination.deliver(segment, contents, split=split)
        if segment.suffix == ADOPTED:
            report_found(self._landing, segment.stem, contents)

    def close(self) -> None:
        """Close both."""
        self._destination.close()
        self._landing.close()
