"""Where the shipper delivers segments."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from ingestion.shipper.landing import Landing
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


class Accounted:
    """Delivers to another destination, and accounts for what was in a segment whose collector had died.

    `account` gets the segment's id and contents, which may be more than the collector came to write down.
    """

    def __init__(self, destination: Destination, account: Callable[[str, Contents], None]) -> None:
        self._destination = destination
        self._account = account

    def deliver(self, segment: Path, contents: Contents, *, split: bool) -> None:
        """Deliver the segment, then account for it."""
        self._destination.deliver(segment, contents, split=split)
        if segment.suffix == ADOPTED:
            self._account(segment.stem, contents)

    def close(self) -> None:
        """Close the destination."""
        self._destination.close()
