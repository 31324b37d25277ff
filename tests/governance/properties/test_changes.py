"""What counts as new about events."""

from datetime import UTC, datetime, timedelta
from typing import Any

from core.warehouse.json_paths import MOST_PATHS
from governance.properties.changes import Change, Event, Known, Property, Schema, find_changes, fit

UNTIL = datetime(2026, 3, 30, tzinfo=UTC)
LONG_AGO = UNTIL - timedelta(days=60)
BUY = Event(1, "buy")


def seen(path: str, *types: str) -> Property:
    return Property(BUY, tuple(path.split(".")), frozenset(types), UNTIL, UNTIL, 5)


def known(*types: str, last: datetime = UNTIL, first: datetime = LONG_AGO, deliveries: int = 100) -> Known:
    return Known(frozenset(types), first, last, deliveries)


def changes(
    properties: list[Property], before: dict[str, Known], *, since: datetime | None = LONG_AGO, schema: Any = None
) -> list[tuple[str, str, str]]:
    found: list[Change] = list(
        find_changes(
            {BUY: properties},
            {BUY: before} if before else {},
            projects_since={1: since} if since else {},
            schemas={BUY: Schema.of(3, schema)} if schema else {},
            until=UNTIL,
        )
    )
    return [(change.change, change.property, change.detail) for change in found]


EVENT = {"": known("object")}


def test_an_event_that_was_never_seen_is_new_and_its_properties_are_not_told_one_by_one() -> None:
    found = changes([seen("properties", "object"), seen("properties.a", "string")], {})
    assert found == [("new_event", "", "first seen")]


def test_in_the_first_day_of_a_project_nothing_is_new() -> None:
    properties = [seen("properties", "object")]
    assert changes(properties, {}, since=None) == []
    assert changes(properties, {}, since=UNTIL - timedelta(hours=23)) == []
    assert changes(properties, {}, since=UNTIL - timedelta(hours=24)) != []


def test_in_the_first_day_of_an_event_its_properties_are_not_new() -> None:
    young = {"": known("object", first=UNTIL - timedelta(hours=2))}
    assert changes([seen("properties.a", "string")], young) == []
    assert changes([seen("properties.a", "string")], EVENT) == [("new_property", "properties.a", "string")]


def test_a_new_property_that_the_schema_does_not_name_says_so_from_the_first_day_on() -> None:
    young = {"": known("object", first=UNTIL - timedelta(hours=2))}
    schema = {"properties": {"list": {"items": {"properties": {"sku": {}}}}}}
    found = changes([seen("properties.list.[].sku", "string"), seen("properties.b", "null")], young, schema=schema)
    assert found == [
        ("new_property", "properties.list[].sku", "string"),
        ("new_property", "properties.b", "null; not named by version 3"),
    ]


def test_a_type_that_a_property_did_not_have_is_new() -> None:
    before = EVENT | {"properties.a": known("integer", "null")}
    assert changes([seen("properties.a", "integer", "string")], before) == [
        ("new_type", "properties.a", "number → string")
    ]


def test_null_and_a_number_with_decimals_are_no_new_types() -> None:
    before = EVENT | {"properties.a": known("integer"), "properties.b": known("null")}
    assert changes([seen("properties.a", "number", "null"), seen("properties.b", "string")], before) == []


def test_a_property_has_vanished_when_its_event_came_without_it_for_a_week() -> None:
    gone, lately = UNTIL - timedelta(days=7), UNTIL - timedelta(days=6)
    before = EVENT | {
        "properties.gone": known("string", last=gone),
        "properties.back": known("string", last=gone),
        "properties.lately": known("string", last=lately),
        "properties.rare": known("string", last=gone, deliveries=9),
    }
    found = changes([seen("properties", "object"), seen("properties.back", "string")], before)
    assert found == [("vanished", "properties.gone", "last seen 2026-03-23")]


def test_properties_beyond_the_room_of_an_event_are_left_out_and_counted() -> None:
    before = {f"properties.p{n}": known("string") for n in range(MOST_PATHS - 1)}
    properties = [seen("properties.p1"), seen("properties.x"), seen("properties.y")]
    kept, left_out = fit(properties, before, paths=10)
    assert [each.path for each in kept] == ["properties.p1", "properties.x"]
    assert left_out == 8
