"""An event as a client sends it: Segment's shape, which is also our own."""

from enum import StrEnum
from typing import Annotated

from msgspec import UNSET, Meta, Raw, Struct, UnsetType


class EventType(StrEnum):
    """What an event does. Only identify and alias link ids to persons."""

    TRACK = "track"
    IDENTIFY = "identify"
    PAGE = "page"
    SCREEN = "screen"
    GROUP = "group"
    ALIAS = "alias"


EVENT_NAMES = {
    EventType.IDENTIFY: "$identify",
    EventType.PAGE: "$pageview",
    EventType.SCREEN: "$screen",
    EventType.GROUP: "$group",
    EventType.ALIAS: "$alias",
}
"""What stands in the `event` column for a type other than track."""

# Ids and instants come as text from most clients and as numbers from some; both are kept as text.
Id = str | int | float | bool | None
Instant = str | int | float | None
JsonObject = Annotated[Raw | UnsetType, Meta(description="JSON object.", extra_json_schema={"type": "object"})]


class Event(Struct, rename="camel", kw_only=True, gc=False):
    """One event, as it stands in a request.

    `properties`, `traits` and `context` are never decoded here: they are kept as they came. Unknown members are
    allowed and dropped.
    """

    type: Annotated[
        str | None, Meta(description="track, identify, page, screen, group or alias. Needed in a batch only.")
    ] = None
    message_id: Annotated[
        str | None, Meta(description="The event's own id. Sent again with the same id, it still counts once.")
    ] = None
    event: Annotated[str | None, Meta(description="Name of what happened. Needed for track.")] = None
    name: Annotated[str | None, Meta(description="For page and screen: its name; kept in properties.")] = None
    category: Annotated[str | None, Meta(description="For page and screen: its category; kept in properties.")] = None
    anonymous_id: Annotated[Id, Meta(description="Device or browser.")] = None
    user_id: Annotated[Id, Meta(description="Identified user.")] = None
    previous_id: Annotated[Id, Meta(description="For alias: the id that becomes one with userId.")] = None
    group_id: Annotated[Id, Meta(description="For group: the group's id.")] = None
    group_type: Annotated[str | None, Meta(description="For group: the kind of group. Default: group.")] = None
    session_id: Annotated[Id, Meta(description="Session that the client keeps; else from context.sessionId.")] = None
    timestamp: Annotated[
        Instant, Meta(description="When it happened: ISO 8601, or seconds or milliseconds since 1970. Default: now.")
    ] = None
    original_timestamp: Annotated[
        Instant, Meta(description="When it happened on the client's clock; wins over timestamp.")
    ] = None
    sent_at: Annotated[
        Instant, Meta(description="The client's clock on sending, by which a wrong clock is mended.")
    ] = None
    properties: JsonObject = UNSET
    traits: JsonObject = UNSET
    traits_once: Annotated[
        Raw | UnsetType,
        Meta(description="Traits to set where there are none of that name yet.", extra_json_schema={"type": "object"}),
    ] = UNSET
    traits_increment: Annotated[
        Raw | UnsetType,
        Meta(description="Numbers to add to numeric traits.", extra_json_schema={"type": "object"}),
    ] = UNSET
    context: JsonObject = UNSET
