"""Shapes of requests and answers about the catalogue."""

from datetime import date, datetime
from typing import Annotated

from pydantic import BaseModel, Field

from api.accounts.schemas import Sent
from api.insights.meta import Meta
from api.saved.contents import EventContent, Id, PropertyContent, PropertySource, Tag
from api.saved.schemas import Stamp

_After = Annotated[str | None, Field(max_length=1_000, description="`next` of the page before.")]


class EventDescription(EventContent, Stamp):
    """What an event means."""


class PropertyDescription(PropertyContent, Stamp):
    """What a property means."""


class _Described(BaseModel):
    description_id: Annotated[int | None, Field(description="Of what is said of it, for its versions; null: nothing.")]
    version: Annotated[int, Field(description="Of what is said of it: the ETag to change it; 0: nothing is.")]
    description: str
    tags: list[str]
    owner_id: int | None
    is_hidden: bool
    is_verified: bool


class EventEntry(_Described):
    """One event."""

    event: str
    first_seen_date: Annotated[date | None, Field(description="In the project's zone; null: it was never sent.")]
    last_seen_date: date | None
    events: Annotated[int, Field(description="How many there are.")]
    events_in_30_days: Annotated[int, Field(description="Of them, of the last 30 days.")]
    persons: Annotated[int, Field(description="How many persons have one.")]


class PropertyEntry(_Described):
    """One property of events, or one trait."""

    property: str
    source: PropertySource
    group_type: str
    events: Annotated[int, Field(description="How many events have it, with any value.")]
    strings: int
    datetimes: int
    numbers: int
    booleans: int
    arrays: int
    objects: int
    nulls: int
    distinct_values: int
    first_seen_at: Annotated[datetime | None, Field(description="null: it was never sent.")]
    last_seen_at: datetime | None


class EventCatalogue(BaseModel):
    """Events by name: those that were sent, and those that are only described."""

    events: list[EventEntry]
    next: Annotated[str | None, Field(description="`after` of the next page; null: these were the last.")]
    is_truncated: Annotated[bool, Field(description="There are more than can be listed: the rarest are left out.")]
    meta: Meta


class PropertyCatalogue(BaseModel):
    """Properties by name: those that were sent, and those that are only described."""

    properties: list[PropertyEntry]
    next: Annotated[str | None, Field(description="`after` of the next page; null: these were the last.")]
    is_truncated: Annotated[bool, Field(description="There are more than can be listed: the rarest are left out.")]
    meta: Meta


class CatalogueQuery(Sent):
    """Which entries, and how many of them."""

    search: Annotated[str | None, Field(min_length=1, max_length=200, description="Part of the name.")] = None
    tag: Tag | None = None
    owner_id: Id | None = None
    is_hidden: bool | None = None
    is_verified: bool | None = None
    limit: Annotated[int, Field(ge=1, le=1_000)] = 100
    after: _After = None


class PropertyQuery(CatalogueQuery):
    """Whose properties."""

    source: PropertySource = "event"
    group_type: Annotated[str, Field(max_length=1_000, description="Of traits of groups: of which.")] = ""
    event: Annotated[str, Field(max_length=1_000, description="Of this event alone; left out: of all together.")] = ""
