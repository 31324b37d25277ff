"""Where the shipper delivers segments."""

from pathlib import Path
from typing import Protocol

from ingestion.shipper.landing import Landing
from ingestion.shipper.ledger import note_found, report_found
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
    """Delivers to ClickHouse, and tells it what was in a segment whose collector had died."""

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


class Noting:
    """Delivers elsewhere, and notes in the ledger what was in a segment whose collector had died.

    ClickHouse is told from there: its troubles neither hold up a delivery nor repeat one.
    """

    def __init__(self, destination: Destination, ledger: Path) -> None:
        self._destination = destination
        self._ledger = ledger

    def deliver(self, segment: Path, contents: Contents, *, split: bool) -> None:
        """Deliver the segment, and note it if its collector may not have come to that."""
        self._destination.deliver(segment, contents, split=split)
        if segment.suffix == ADOPTED:
            note_found(self._ledger, segment.stem, contents)

    def close(self) -> None:
        """Close it."""
        self._destination.close()
