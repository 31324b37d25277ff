"""Looks at what landed, on tables of a test's own."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from core.clock import utc_now
from core.events.deviations import describe
from core.warehouse.json_paths import MOST_PATHS
from governance.properties import PropertyScan, scan_properties, windows
from governance.properties.alarms import count_alarms

LATER = timedelta(minutes=11)
"""After which what landed now is looked at."""
Run = Callable[..., PropertyScan]


@pytest.fixture
def run(client: Client, landing: str, governance: str) -> Run:
    """Return a function that looks at the test's own tables, when all that landed has settled unless told when."""

    def scanned(*schemas: tuple[int, str, int, dict[str, Any]], at: datetime | None = None) -> PropertyScan:
        instant = at or utc_now() + LATER
        return scan_properties(client, schemas, landing=landing, governance=governance, clock=lambda: instant)

    return scanned


def event(days_ago: float = 0, **differences: Any) -> dict[str, Any]:
    properties = differences.pop("properties", {"plan": "pro"})
    inserted_at = utc_now() - timedelta(days=days_ago)
    return {"properties": json.dumps(properties), "inserted_at": inserted_at} | differences


def stored(client: Client, governance: str) -> dict[str, tuple[list[str], int, int]]:
    sql = f"""
        select property, arraySort(groupUniqArrayArray(types)), sum(deliveries), max(schema_version)
        from {governance}.event_properties where project_id = 1 group by property
    """
    return {path: (types, deliveries, version) for path, types, deliveries, version in client.query(sql).result_rows}


def noticed(done: PropertyScan) -> list[tuple[str, str, str]]:
    return sorted((change.change, change.property, change.detail) for change in done.changes)


def test_properties_are_kept_with_their_types_and_how_often_they_came(
    client: Client, governance: str, land: Callable[..., None], run: Run
) -> None:
    properties = {"a": 1, "b": {"c": True, "d": None}, "list": [{"sku": "x"}, {"sku": "y"}, 2.5]}
    land(event(properties=properties), event(properties={"a": "one"}), event(properties={}))
    done = run((1, "signup", 4, {"properties": {"a": {}, "list": {"items": {"properties": {"sku": {}}}}}}))
    assert done.deliveries == 3
    assert stored(client, governance) == {
        "": (["object"], 3, 4),
        "properties.a": (["integer", "string"], 2, 4),
        "properties.b": (["object"], 1, 0),
        "properties.b.c": (["boolean"], 1, 0),
        "properties.b.d": (["null"], 1, 0),
        "properties.list": (["array"], 1, 4),
        "properties.list[]": (["number", "object"], 2, 4),
        "properties.list[].sku": (["string"], 1, 4),
    }


def test_of_an_identify_the_traits_are_looked_at(
    client: Client, governance: str, land: Callable[..., None], run: Run
) -> None:
    land(event(type="identify", event="$identify", traits='{"plan": "pro"}', properties={"x": 1}))
    run()
    assert set(stored(client, governance)) == {"", "traits.plan"}


def test_nothing_is_counted_twice_and_nothing_that_landed_a_moment_ago_is_missed(
    client: Client, governance: str, land: Callable[..., None], run: Run
) -> None:
    land(event())
    assert run(at=utc_now() + timedelta(minutes=9)).deliveries == 0
    assert run().deliveries == 1
    assert run(at=utc_now() + timedelta(minutes=30)).deliveries == 0
    assert stored(client, governance)["properties.plan"][1] == 1


def test_many_events_are_looked_at_in_several_windows(
    client: Client, governance: str, land: Callable[..., None], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "_MOST_DELIVERIES", 2)
    land(*(event(days_ago=days) for days in (3, 3, 2, 1, 1, 1, 0)))
    assert run().deliveries == 7
    assert stored(client, governance)["properties.plan"][1] == 7


def test_new_events_properties_and_types_are_noticed_once(land: Callable[..., None], run: Run) -> None:
    land(event(days_ago=3))
    first = run(at=utc_now() - timedelta(days=2))
    assert noticed(first) == []
    land(event(properties={"plan": 7, "seats": 3}), event(event="upgrade"))
    assert noticed(run()) == [
        ("new_event", "", "first seen"),
        ("new_property", "properties.seats", "integer"),
        ("new_type", "properties.plan", "string → number"),
    ]
    land(event(properties={"plan": 7, "seats": 3}, inserted_at=utc_now() + LATER))
    assert noticed(run(at=utc_now() + 3 * LATER)) == []


def test_a_property_that_vanished_is_noticed_once(land: Callable[..., None], run: Run) -> None:
    land(*[event(days_ago=20, properties={"plan": "pro", "old": 1})] * 10)
    run(at=utc_now() - timedelta(days=19))
    last_seen = f"last seen {utc_now() - timedelta(days=20):%Y-%m-%d}"
    land(event())
    assert noticed(run()) == [("vanished", "properties.old", last_seen)]
    land(event(inserted_at=utc_now() + LATER))
    assert noticed(run(at=utc_now() + 3 * LATER)) == []


def test_ids_as_names_become_one_and_names_without_end_are_cut_off_and_said(
    client: Client, governance: str, land: Callable[..., None], run: Run
) -> None:
    ids = {f"{1_000_000 + number}": 1 for number in range(800)}
    words = {f"name-{chr(97 + n // 26 % 26)}{chr(97 + n % 26)}{n // 676}": 1 for n in range(1_000)}
    land(event(properties={"by_id": ids}), event(properties=words))
    assert noticed(run()) == [
        (
            "too_many_properties",
            "",
            f"more than {MOST_PATHS} properties: names may be data; what is over that is not kept",
        )
    ]
    kept = stored(client, governance)
    assert len(kept) == MOST_PATHS
    assert not any("1000" in path for path in kept)


def test_deviations_of_landed_and_refused_events_are_noticed(
    client: Client, landing: str, governance: str, land: Callable[..., None], run: Run
) -> None:
    land(event(schema_version=2, schema_deviations=["/items/3/sku type", "/items/4/sku type"]))
    detail = describe(1, 'a "b"', ["/amount required", "/x, y type"])
    row = [1, utc_now(), "schema_violation", detail]
    columns = ["project_id", "received_at", "reason", "detail"]
    client.insert("rejects", [row], column_names=columns, database=landing)
    done = run()
    assert sorted(change[1:] for change in done.changes) == [
        ('a "b"', "/amount", "deviation", "required, refused", 1),
        ('a "b"', "/x, y", "deviation", "type, refused", 1),
        ("signup", "/items/*/sku", "deviation", "type, landed", 2),
    ]
    assert count_alarms(client, governance) == {"deviation": 3}


def test_projects_are_kept_apart(client: Client, governance: str, land: Callable[..., None], run: Run) -> None:
    land(event(project_id=1, properties={"a": 1}), event(project_id=2, properties={"b": 1}))
    run()
    sql = f"select project_id, property from {governance}.event_properties where project_id > 0 and property != ''"
    assert sorted(tuple(row) for row in client.query(sql).result_rows) == [(1, "properties.a"), (2, "properties.b")]


def test_one_project_does_not_keep_others_from_being_told_of_deviations(
    land: Callable[..., None], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("governance.properties.deviations._MOST_OF_A_PROJECT", 2)
    land(*(event(schema_deviations=[f"/p{number} type"]) for number in range(9)))
    land(event(schema_deviations=["/other type"], project_id=2))
    told = [change.project_id for change in run().changes if change.change == "deviation"]
    assert sorted(told) == [1, 1, 2]
