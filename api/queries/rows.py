"""Rows of the lists as the lists of an answer."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from api.queries.cursors import cursor
from api.queries.list_documents import EventsDocument, Page, PropertyValuesDocument
from api.queries.list_schemas import (
    EventRow,
    EventsData,
    LatestEvent,
    PersonData,
    PersonProfile,
    PersonRow,
    PersonsData,
    PropertyValue,
    PropertyValuesData,
)

Row = dict[str, Any]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def events_data(rows: list[Row], asked: EventsDocument) -> EventsData:
    """Return a page of events."""
    shown = [EventRow.model_validate(row | {"properties": _object(row["properties"])}) for row in rows[: asked.limit]]
    more = len(rows) > asked.limit
    return EventsData(events=shown, next=cursor(_ms(shown[-1].timestamp), shown[-1].message_id) if more else None)


def persons_data(rows: list[Row], asked: Page) -> PersonsData:
    """Return a page of persons."""
    shown = [PersonRow.model_validate(_person(row)) for row in rows[: asked.limit]]
    size = rows[0]["size"] if rows else None if asked.after else 0
    more = len(rows) > asked.limit
    following = cursor(_ms(shown[-1].last_seen_at), shown[-1].person_number) if more else None
    return PersonsData(size=size, persons=shown, next=following)


def person_data(rows: list[Row]) -> PersonData:
    """Return a person, or nobody."""
    if not rows:
        return PersonData(person=None)
    events = [
        LatestEvent(
            message_id=message_id,
            type=kind,
            event=event,
            timestamp=_EPOCH + timedelta(milliseconds=at_ms),
            properties=_object(properties),
        )
        for message_id, kind, event, at_ms, properties in rows[0]["latest_events"]
    ]
    return PersonData(person=PersonProfile.model_validate(_person(rows[0]) | {"latest_events": events}))


def property_values_data(rows: list[Row], asked: PropertyValuesDocument) -> PropertyValuesData:
    """Return the values of a property."""
    values = [
        PropertyValue(text=row["value"], events=row["events"], persons=row["persons"]) for row in rows[: asked.limit]
    ]
    return PropertyValuesData(values=values, is_truncated=len(rows) > asked.limit)


def _person(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != "size"} | {"traits": _object(row["traits"])}


def _object(text: str) -> dict[str, Any]:
    return msgspec.json.decode(text, type=dict[str, Any]) if text else {}


def _ms(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(milliseconds=1)
