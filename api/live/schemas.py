"""Shapes of the live questions and answers."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, Json

from api.insights.schemas import EventName
from api.live.filters import LiveFilter
from api.live.reader import Part, Wanted

Id = Annotated[str, Field(min_length=1, max_length=200)]

MOST_PER_SECOND = 500


class LiveQuery(BaseModel):
    """What a stream shows. Everything that is given has to hold; of several `event`, any."""

    model_config = ConfigDict(frozen=True)

    include: Annotated[
        list[Part],
        Field(
            min_length=1,
            max_length=3,
            description="What comes on the stream: events, counters, alerts; repeat it. Left out: all of them.",
        ),
    ] = ["events", "counters", "alerts"]
    event: Annotated[
        list[EventName], Field(max_length=100, description="Names of the events to show; repeat it. Left out: any.")
    ] = []
    user_id: Annotated[Id | None, Field(description="Show the events of this user only.")] = None
    anonymous_id: Annotated[Id | None, Field(description="Show the events of this device or browser only.")] = None
    filter: Annotated[
        list[Json[LiveFilter]],
        Field(
            max_length=20,
            description="A condition as in insights, as JSON: `property` (a name, or the way to a nested one) or "
            "`column` (type, country, library, group_type, group_id), `operator` (is, is_not, is_set, is_not_set) and "
            "`value`. Repeat it; all have to hold.",
            examples=[['{"property": "plan", "value": "pro"}']],
        ),
    ] = []
    max_per_second: Annotated[
        int, Field(ge=1, le=MOST_PER_SECOND, description="Most events a second; how many are left out is told.")
    ] = 50

    def wanted(self) -> Wanted:
        """Return what a stream is to show."""
        return Wanted(
            parts=frozenset(self.include),
            events=frozenset(self.event),
            user_id=self.user_id,
            anonymous_id=self.anonymous_id,
            filters=tuple(self.filter),
            max_per_second=self.max_per_second,
        )


class SocketQuery(LiveQuery):
    """What a WebSocket shows, with what browsers cannot say in a header."""

    ticket: Annotated[str | None, Field(max_length=200)] = None
    last_event_id: Annotated[str | None, Field(max_length=200)] = None


class Counters(BaseModel):
    """What happened in the last minutes, of what has landed: no refresh of the models is waited for."""

    until: Annotated[datetime, Field(description="The instant up to which is counted, not included.")]
    active_5_minutes: Annotated[int, Field(description="Ids with an event in the 5 minutes before `until`.")]
    active_30_minutes: Annotated[int, Field(description="Ids with an event in the 30 minutes before `until`.")]
    events_last_minute: Annotated[int, Field(description="Events in the minute before `until`.")]
    events_per_minute: Annotated[
        list[int], Field(description="Events in each of the 30 minutes before `until`, the oldest first.")
    ]
    counted: Annotated[
        Literal["distinct_ids"],
        Field(
            description="What `active` counts: user ids, and anonymous ids of events without one. Somebody who was "
            "identified within the time counts as two; persons are known after the next refresh of the models."
        ),
    ]
    is_exact: Annotated[
        bool,
        Field(description="False where more than a million events landed in the time: then within about 1 %."),
    ]


class Ticket(BaseModel):
    """Opens one WebSocket of the project, once."""

    ticket: str
    expires_at: datetime
