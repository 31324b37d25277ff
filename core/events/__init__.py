"""The one event contract: what a client says (`Event`), what is stored of it (`LandedEvent`) or why not (`Reject`).

`Acknowledged` counts what must be stored.

Validation, the landing tables' columns, the collector's OpenAPI document and the SDK's types follow from these structs.
"""

from core.events.event import Event, EventType
from core.events.landing import Acknowledged, LandedEvent, Reject, columns
from core.events.reasons import RejectReason

__all__ = ["Acknowledged", "Event", "EventType", "LandedEvent", "Reject", "RejectReason", "columns"]
