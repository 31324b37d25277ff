"""Conditions as they hold on the engine."""

import json
import re
from collections.abc import Generator
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from pydantic import TypeAdapter, ValidationError

from core import warehouse
from core.insights.binding import Placeholders, Scope, literal
from core.insights.filters import Condition
from runtime.instance import Instance

CONDITIONS: TypeAdapter[Any] = TypeAdapter(Condition)
# An event of each kind of value, by its place.
VALUES: list[Any] = [
    "pro", "Pro plan", 5, 5.5, True, None, "7", "", {"a": {"b": "deep"}}, "2025-03-01T10:00:00+02:00", "it's \\ {x}",
]  # fmt: skip


@pytest.fixture(scope="module")
def events(runtime: Instance) -> Generator[tuple[Client, str]]:
    """Return a table of events, one for each value of the property p, and one without it."""
    with warehouse.connect(runtime.clickhouse_url) as client:
        client.command("drop database if exists filters_test")
        client.command("create database filters_test")
        client.command(
            "create table filters_test.events (project_id UInt32, n UInt32, person_number UInt32, country String,"
            " properties String, traits String) engine = MergeTree order by n"
        )
        documents = [*({"p": value} for value in VALUES), {}]
        rows = [
            [1, number, number % 2, "DE" if number < 2 else "", json.dumps(document), ""]
            for number, document in enumerate(documents)
        ]
        client.insert("filters_test.events", rows)
        client.command(
            "create table filters_test.persons (project_id UInt32, person_number UInt32, traits String)"
            " engine = MergeTree order by project_id"
        )
        client.insert("filters_test.persons", [[1, 0, '{"plan":"team"}'], [2, 1, '{"plan":"team"}'], [1, 1, "{}"]])
        yield client, "filters_test"
        client.command("drop database filters_test")


def held(events: tuple[Client, str], document: dict[str, Any]) -> set[int]:
    """Return the events for which a condition holds; both renderings must agree, and it is never null."""
    client, database = events
    condition = CONDITIONS.validate_python(document)
    values = Placeholders()
    answers: list[list[Any]] = []
    for bind in (literal, values):
        scope = Scope(bind=bind, relation=lambda _: f"{database}.persons", project="{project_id:UInt32}")
        sql = f"select n, ifNull(toUInt8({condition.sql(scope)}), 2) from {database}.events order by n"
        parameters = values.parameters | {"project_id": 1}
        answers.append(list(client.query(sql, parameters=parameters).result_rows))
    assert answers[0] == answers[1]
    assert {answer for _, answer in answers[0]} <= {0, 1}
    return {number for number, answer in answers[0] if answer}


@pytest.mark.parametrize(
    ("operator", "value", "expected"),
    [
        ("is", "pro", {0}),
        ("is", ["pro", "7"], {0, 6}),
        ("is", "it's \\ {x}", {10}),
        ("is", 5, {2}),
        ("is", 5.5, {3}),
        # A text that reads as a number is one.
        ("is", 7, {6}),
        ("is", "5", {2}),
        ("is", True, {4}),
        ("is", ["pro", 5, True], {0, 2, 4}),
        ("is_not", "pro", set(range(12)) - {0}),
        ("contains", "PRO", {0, 1}),
        ("not_contains", "pro", set(range(12)) - {0, 1}),
        ("regex", "^[a-z]+$", {0, 4}),
        ("not_regex", "^[a-z]+$", set(range(12)) - {0, 4}),
        ("gt", 5, {3, 6}),
        ("gte", 5, {2, 3, 6}),
        ("lt", 6, {2, 3, 4}),
        ("lte", 5, {2, 4}),
        ("between", [5, 6], {2, 3}),
        ("before", "2025-03-01T08:00:00.001Z", {9}),
        ("before", "2025-03-01T08:00:00Z", set[int]()),
        ("after", "2025-03-01", {9}),
        ("is_set", None, {0, 1, 2, 3, 4, 6, 8, 9, 10}),
        ("is_not_set", None, {5, 7, 11}),
    ],
)
def test_a_condition_holds_where_it_should(
    events: tuple[Client, str], operator: str, value: Any, expected: set[int]
) -> None:
    document = {"property": "p", "operator": operator} | ({} if value is None else {"value": value})
    assert held(events, document) == expected


def test_a_list_is_the_way_to_a_nested_property(events: tuple[Client, str]) -> None:
    assert held(events, {"property": ["p", "a", "b"], "value": "deep"}) == {8}


def test_a_column_is_filtered_on_as_it_is(events: tuple[Client, str]) -> None:
    assert held(events, {"column": "country", "value": "DE"}) == {0, 1}
    assert held(events, {"column": "country", "operator": "is_not_set"}) == set(range(2, 12))


def test_a_trait_is_that_of_the_person_in_this_project(events: tuple[Client, str]) -> None:
    assert held(events, {"trait": "plan", "value": "team"}) == {0, 2, 4, 6, 8, 10}
    assert held(events, {"trait": "plan", "operator": "is_not", "value": "team"}) == {1, 3, 5, 7, 9, 11}


def test_conditions_are_joined(events: tuple[Client, str]) -> None:
    pro, five = {"property": "p", "value": "pro"}, {"property": "p", "value": 5}
    here = {"column": "country", "value": "DE"}
    assert held(events, {"any": [pro, five]}) == {0, 2}
    assert held(events, {"all": [{"any": [pro, five]}, here]}) == {0}
    assert held(events, {"none": [pro, here]}) == set(range(2, 12))


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"value": "x"}, "exactly one of property, column, trait, session and group_trait"),
        ({"group_trait": "p", "value": "x"}, "group_trait and group_type belong together"),
        ({"property": "p", "group_type": "team", "value": "x"}, "group_trait and group_type belong together"),
        (
            {"property": "p", "column": "country", "value": "x"},
            "exactly one of property, column, trait, session and group_trait",
        ),
        ({"property": "p"}, "is wants"),
        ({"property": "p", "value": ""}, "is wants"),
        ({"property": "p", "value": []}, "is wants"),
        ({"property": "p", "operator": "gt", "value": "much"}, "gt wants a number"),
        ({"property": "p", "operator": "between", "value": [3, 1]}, "between wants two numbers"),
        (
            {"property": "p", "operator": "regex", "value": "("},
            "regex wants a regular expression of RE2 (missing ): ()",
        ),
        ({"property": "p", "operator": "after", "value": "a week ago"}, "after wants a date"),
        ({"property": "p", "operator": "is_set", "value": 1}, "is_set takes no value"),
        ({"property": "p", "operator": "like", "value": "x"}, "Input should be 'is'"),
        ({"column": "password", "value": "x"}, "Input should be 'type'"),
        ({"property": "p", "value": "x", "oprator": "is"}, "Extra inputs"),
        ({"any": []}, "at least 1 item"),
    ],
)
def test_what_makes_no_sense_is_refused(document: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(message)):
        CONDITIONS.validate_python(document)
