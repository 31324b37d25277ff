"""Event schemas at the collector: off, warn, enforce."""

import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from clickhouse_connect.driver.client import Client
from sqlalchemy import text
from sqlalchemy.orm import Session

from core import metadata
from core.metadata.collection_rules import parse_rules, set_rules
from core.metadata.event_schemas import add_schema, retire_schema
from ingestion.event_schemas import EventSchema
from runtime.instance import Instance
from runtime.project_keys import ProjectKeys
from tests.ingestion.harness import Line, Sender, landed_events, rejects
from tests.ingestion.test_replay import command, ship

BUY: dict[str, Any] = {
    "type": "object",
    "required": ["amount"],
    "properties": {
        "amount": {"type": "number"},
        "email": {"format": "email"},
        "items": {"type": "array", "items": {"properties": {"sku": {"type": "string"}}}},
    },
}
IN_FORCE_AFTER_S = 3.0
Change = Callable[..., None]


@pytest.fixture
def change(runtime: Instance, project: ProjectKeys) -> Change:
    """Return a function that adds schemas to the project and sets its rules, and waits until both are in force."""

    def changed(added: dict[str, Any] | None = None, **rules: Any) -> None:
        engine = metadata.connect(runtime.database_url)
        with Session(engine) as session:
            for event, schema in (added or {}).items():
                add_schema(session, project.id, event, msgspec.json.encode(schema))
            if rules:
                set_rules(session, project.id, parse_rules(msgspec.json.encode(rules)))
            session.commit()
        engine.dispose()
        time.sleep(IN_FORCE_AFTER_S)

    return changed


def deviations(*said: Any, schema: dict[str, Any] = BUY, **how: bool) -> list[list[str]]:
    compiled = EventSchema(1, msgspec.json.encode(schema))
    return [compiled.deviations(msgspec.json.encode(each), **how) for each in said]


def test_a_deviation_is_said_by_its_place_and_its_keyword_and_never_by_its_value() -> None:
    assert deviations({}, {"amount": "anna@example.org"}, {"amount": 1, "items": [{"sku": "a"}, {"sku": 7}]}) == [
        ["/amount required"],
        ["/amount type"],
        ["/items/1/sku type"],
    ]


def test_a_name_that_is_data_itself_is_not_said() -> None:
    closed = {"additionalProperties": False, "properties": {"a": {"additionalProperties": {"type": "number"}}}}
    said = deviations({"anna@example.org": 1, "coupon": 2}, {"a": {"49151123456": "x"}}, schema=closed)
    assert said == [["/* additionalProperties", "/coupon additionalProperties"], ["/a/* type"]]


def test_what_cannot_be_compared_deviates_and_raises_nothing() -> None:
    schema = EventSchema(1, msgspec.json.encode(BUY))
    for said in (b'{"amount": 1e999}', b'{"a":' * 5000 + b"1" + b"}" * 5000, b'{"amount": "\xff"}'):
        assert schema.deviations(said) == ["/ unreadable"]


def test_at_most_eight_deviations_of_an_event_are_said() -> None:
    (said,) = deviations({"amount": 1, "items": [{"sku": number} for number in range(50)]})
    assert len(said) == 8


def test_what_the_rules_put_in_place_of_a_value_is_not_held_against_it() -> None:
    masked = {"amount": 1, "email": "***"}
    hashed = {"amount": "x", "email": "hashed:" + "0" * 64}
    assert deviations(masked, hashed, is_cleaned=True) == [[], ["/amount type"]]
    assert deviations(masked) == [["/email format"]]


def test_without_a_schema_or_with_off_nothing_is_judged(
    change: Change, line: Line, sender: Sender, client: Client, project: ProjectKeys
) -> None:
    change({"buy": BUY})
    sender.batch({"properties": {"amount": "x"}})
    change(schemas="warn")
    sender.batch({"event": "sell", "properties": {"amount": "x"}})
    line.wait_until_shipped()
    judged = [(row["schema_version"], row["schema_deviations"]) for row in landed_events(client, project.id)]
    assert judged == [(0, []), (0, [])]


def test_with_warn_the_event_lands_and_says_how_it_deviates(
    change: Change, line: Line, sender: Sender, client: Client, project: ProjectKeys
) -> None:
    change({"buy": BUY}, schemas="warn")
    before = line.collector.metrics()["radixinsight_collector_events_deviating_total"]
    sender.batch({"properties": {"amount": "x"}}, {"properties": {"amount": 1}}, {})
    assert line.collector.metrics()["radixinsight_collector_events_deviating_total"] == before + 2
    line.wait_until_shipped()
    judged = [(row["schema_version"], row["schema_deviations"]) for row in landed_events(client, project.id)]
    assert judged == [(1, ["/amount type"]), (1, []), (1, ["/amount required"])]
    assert rejects(client, project.id) == []


def test_with_enforce_what_deviates_is_rejected_and_its_neighbours_land(
    change: Change, line: Line, sender: Sender, client: Client, project: ProjectKeys
) -> None:
    change({"buy": BUY}, schemas="enforce")
    sender.batch({"messageId": "bad", "properties": {"amount": "secret"}}, {"properties": {"amount": 2}})
    line.wait_until_shipped()
    assert [row["schema_version"] for row in landed_events(client, project.id)] == [1]
    assert [(reason, message) for reason, message, _ in rejects(client, project.id)] == [("schema_violation", "bad")]
    sql = "select detail from raw.rejects where project_id = {project_id:UInt32}"
    ((detail,),) = client.query(sql, parameters={"project_id": project.id}).result_rows
    assert detail == 'does not fit version 1 of the schema of "buy": /amount type'


def test_traits_are_judged_by_the_schemas_of_identify_and_group(
    change: Change, line: Line, sender: Sender, client: Client, project: ProjectKeys
) -> None:
    schema = {"required": ["plan"], "properties": {"plan": {"type": "string"}}}
    change({"$identify": schema, "$group": schema, "*": {"required": ["never"]}}, schemas="enforce")
    traits: dict[str, Any] = {"plan": "pro"}
    sender.batch(
        {"type": "identify", "messageId": "i", "traits": traits},
        {"type": "identify", "messageId": "bad", "traits": {}},
        {"type": "identify", "messageId": "once", "traitsOnce": {"a": 1}},
        {"type": "group", "messageId": "g", "groupId": "acme", "traits": traits},
        {"type": "group", "messageId": "bad", "groupId": "acme", "traits": {"plan": 1}},
        {"type": "alias", "messageId": "a", "previousId": "b"},
    )
    line.wait_until_shipped()
    assert {row["message_id"] for row in landed_events(client, project.id)} == {"i", "once", "g", "a"}
    assert [message for _, message, _ in rejects(client, project.id)] == ["bad", "bad"]


def test_the_star_holds_for_events_without_a_schema_of_their_own(
    change: Change, line: Line, sender: Sender, client: Client, project: ProjectKeys
) -> None:
    change({"*": {"required": ["channel"]}, "buy": BUY}, schemas="warn")
    sender.batch({"properties": {"amount": 1}}, {"event": "sell"}, {"type": "page", "properties": {"channel": "web"}})
    line.wait_until_shipped()
    judged = [(row["event"], row["schema_deviations"]) for row in landed_events(client, project.id)]
    assert judged == [("buy", []), ("sell", ["/channel required"]), ("$pageview", [])]


def test_what_the_client_said_is_judged_and_what_the_rules_keep_lands(
    change: Change, line: Line, sender: Sender, client: Client, project: ProjectKeys
) -> None:
    change({"buy": BUY}, schemas="enforce", properties=[{"path": "properties.email", "action": "hash"}])
    sender.batch({"properties": {"amount": 1, "email": "anna@example.org"}})
    line.wait_until_shipped()
    (landed,) = landed_events(client, project.id)
    assert "hashed:" in landed["properties"]


def test_a_schema_that_cannot_be_read_stops_nothing(  # noqa: PLR0917 - fixtures
    change: Change, line: Line, sender: Sender, client: Client, project: ProjectKeys, runtime: Instance
) -> None:
    engine = metadata.connect(runtime.database_url)
    add = (
        "insert into event_schemas (project_id, event, version, schema) values (:id, :event, 1, cast(:schema as jsonb))"
    )
    with engine.begin() as connection:
        for event, schema in (("buy", '{"type": "no such type"}'), ("sell", "[]")):
            connection.execute(text(add), {"id": project.id, "event": event, "schema": schema})
    engine.dispose()
    change({"lend": BUY}, schemas="enforce")
    assert sender.batch({}, {"event": "sell"}, {"event": "lend"}).json()["rejected"] == 1
    assert line.collector.metrics()["radixinsight_collector_schemas_broken"] == 2
    line.wait_until_shipped()
    assert [row["schema_version"] for row in landed_events(client, project.id)] == [0, 0]


def test_rejects_land_once_the_schema_is_mended_and_are_judged_by_the_one_of_today(  # noqa: PLR0917 - fixtures
    change: Change, line: Line, sender: Sender, client: Client, project: ProjectKeys, runtime: Instance
) -> None:
    change({"buy": BUY}, schemas="enforce", properties=[{"path": "properties.email", "action": "hash"}])
    sender.batch(
        {"messageId": "text", "properties": {"amount": "12", "email": "anna@example.org"}},
        {"messageId": "list", "properties": {"amount": []}},
    )
    line.wait_until_shipped()

    def replay() -> list[str]:
        return command(runtime, "replay", str(project.id), "--reason", "schema_violation").splitlines()

    assert replay() == ["0 accepted", "2 still refused: schema_violation"]
    change({"buy": BUY | {"properties": BUY["properties"] | {"amount": {"type": ["number", "string"]}}}})
    assert replay() == ["1 accepted", "1 still refused: schema_violation"]
    ship(runtime)
    (landed,) = landed_events(client, project.id)
    assert (landed["message_id"], landed["schema_version"], landed["schema_deviations"]) == ("text", 2, [])


def test_retiring_the_version_that_holds_brings_the_former_back(
    change: Change, sender: Sender, project: ProjectKeys, runtime: Instance
) -> None:
    change({"buy": {"required": ["old"]}}, schemas="enforce")
    change({"buy": {"required": ["new"]}})
    assert sender.batch({"properties": {"new": 1}}).json() == {"success": True}
    engine = metadata.connect(runtime.database_url)
    with Session(engine) as session:
        retire_schema(session, project.id, "buy", 2)
        session.commit()
    engine.dispose()
    time.sleep(IN_FORCE_AFTER_S)
    assert sender.batch({"properties": {"old": 1}}).json() == {"success": True}
