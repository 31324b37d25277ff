"""Shapes of lists: events, persons, values; and of one person."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

Next = Annotated[str | None, Field(description="What `after` of the next page is; null on the last one.")]


class EventRow(BaseModel):
    """An event; what is not known of it is an empty text."""

    timestamp: Annotated[datetime, Field(description="When it happened, on the corrected clock, UTC.")]
    event: str
    type: str
    user_id: Annotated[str, Field(description="As it was sent: an identify or a merge since then changes no event.")]
    anonymous_id: Annotated[str, Field(description="As it was sent.")]
    person_id: Annotated[
        str, Field(description="Whose it is now: `user:` and the user's id, or `anonymous:` and the device's.")
    ]
    person_number: Annotated[int, Field(description="The same person, as questions name it.")]
    session_id: str
    group_type: str
    group_id: str
    page_host: str
    page_path: str
    channel: str
    country: str
    browser: str
    os: str
    device_type: str
    properties: dict[str, Any]
    received_at: Annotated[datetime, Field(description="When it was received, UTC.")]
    message_id: str


class EventsData(BaseModel):
    """Events, the latest first."""

    events: list[EventRow]
    next: Next


class PersonRow(BaseModel):
    """A person, as the latest refresh knows them."""

    person_id: Annotated[str, Field(description="`user:` and the user's id, or `anonymous:` and the device's.")]
    user_id: Annotated[str, Field(description="Empty for an anonymous person.")]
    is_identified: bool
    person_number: int
    first_seen_at: datetime
    last_seen_at: datetime
    events: int
    sessions: int
    traits: dict[str, Any]


class PersonsData(BaseModel):
    """Persons, who was seen last first."""

    size: Annotated[
        int | None, Field(description="How many persons there are in all; null on a page after the last one.")
    ]
    persons: list[PersonRow]
    next: Next


class LatestEvent(BaseModel):
    """One of a person's latest events."""

    timestamp: datetime
    event: str
    type: str
    properties: dict[str, Any]
    message_id: str


class PersonProfile(PersonRow):
    """A person with the ids that lead to them and their latest events."""

    merged_user_ids: Annotated[list[str], Field(description="Users who were merged into this one.")]
    anonymous_ids: Annotated[
        list[str],
        Field(
            description="Devices that were linked to the user, and what an alias named; of an anonymous person its own."
        ),
    ]
    latest_events: list[LatestEvent]


class PersonData(BaseModel):
    """The person whom an id leads to."""

    person: Annotated[PersonProfile | None, Field(description="Null where nobody is known by this id.")]


class PropertyValue(BaseModel):
    """A value of a property, column or trait."""

    text: str
    events: Annotated[int | None, Field(description="Events of the range that have it; null of a trait.")]
    persons: int


class PropertyValuesData(BaseModel):
    """Values, the most frequent first."""

    values: list[PropertyValue]
    is_truncated: Annotated[bool, Field(description="Whether there are more than were asked for.")]
