"""Events as the reference reads them, and the two orders among them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class Event:
    """One delivery of an event, as the landing table holds it; instants are aware UTC with milliseconds."""

    message_id: str
    timestamp: datetime
    received_at: datetime
    type: str = "track"
    event: str = ""
    anonymous_id: str = ""
    user_id: str = ""
    previous_id: str = ""
    session_id: str = ""
    sequence: int = 0
    group_type: str = ""
    group_id: str = ""
    properties: str = ""
    traits: str = ""
    traits_once: str = ""
    traits_increment: str = ""
    context: str = ""
    ip: str = ""
    user_agent: str = ""
    country: str = ""
    library: str = ""
    batch_id: str = ""

    @property
    def order(self) -> tuple[datetime, datetime, int, str]:
        """When it happened; among equals the order in which the client sent."""
        return (self.timestamp, self.received_at, self.sequence, self.message_id)


@dataclass(frozen=True, kw_only=True)
class Counted:
    """An event with whom and which session it counts for: what insights are asked over."""

    message_id: str
    event: str
    person: str
    timestamp: datetime
    received_at: datetime
    sequence: int = 0
    session: str = ""
    type: str = "track"
    group: str = ""
    """The account that the event belongs to, empty for none."""
    path: str = ""
    """The page's path, empty for none."""
    properties: Mapping[str, str | float] = field(default_factory=dict[str, str | float])

    @property
    def order(self) -> tuple[datetime, datetime, int, str]:
        """When it happened; among equals the order in which the client sent."""
        return (self.timestamp, self.received_at, self.sequence, self.message_id)


def deduplicate(deliveries: Iterable[Event]) -> list[Event]:
    """Return one event per message id, the earliest received of its deliveries."""
    earliest: dict[str, Event] = {}
    for delivery in deliveries:
        known = earliest.get(delivery.message_id)
        if known is None or _delivered(delivery) < _delivered(known):
            earliest[delivery.message_id] = delivery
    return list(earliest.values())


def _delivered(delivery: Event) -> tuple[datetime, int, str]:
    return (delivery.received_at, delivery.sequence, delivery.batch_id)
