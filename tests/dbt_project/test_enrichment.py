"""What is told of events reaches all history when a database, a list or the rules become better."""

import json
from collections.abc import Iterator

import pytest
from clickhouse_connect.driver.client import Client

from engine.landing import MODELS, Landing, landing
from runtime.instance import Instance

pytestmark = pytest.mark.slow

CONTEXT = json.dumps({"page": {"url": "https://shop.example/pricing/?gclid=1"}, "locale": "de-DE"})
MOMENT = "2026-01-01 00:00:00"
LOOKED_UP = {"user_agents": {"user_agent": "agent"}, "addresses": {"ip": "192.0.2.1"}}
BUILD = (*MODELS, "--select", "+fct_events")


@pytest.fixture(scope="module")
def made(runtime: Instance, client: Client) -> Iterator[Landing]:
    """Model one event of the past, with what was known of it then."""
    with landing(runtime, client) as landed:
        landed.set_project(1, timezone="UTC")
        landed.land(event("past"))
        look_up(landed, MOMENT, browser="Chrome", country="DE")
        landed.dbt(*BUILD)
        yield landed


def event(message_id: str) -> dict[str, object]:
    return {
        "project_id": 1,
        "message_id": message_id,
        "type": "page",
        "event": "$pageview",
        "anonymous_id": "device",
        "timestamp": MOMENT,
        "received_at": MOMENT,
        "inserted_at": MOMENT,
        "context": CONTEXT,
        "user_agent": "agent",
        "ip": "192.0.2.1",
        "country": "CH",
    }


def look_up(landed: Landing, moment: str, *, browser: str, country: str, city: str = "") -> None:
    for table, said in {"user_agents": {"browser": browser}, "addresses": {"country": country, "city": city}}.items():
        row = json.dumps(LOOKED_UP[table] | said | {"looked_up_at": moment})
        landed.client.raw_insert(landed.table(f"enrichment.{table}"), insert_block=row, fmt="JSONEachRow")


def test_the_past_is_told_with_what_was_known_then(made: Landing) -> None:
    sql = "select browser, country, city, channel, page_path, locale from {marts}.fct_events"
    assert made.rows(sql) == [("Chrome", "DE", "", "paid_search", "/pricing", "de-DE")]


def test_a_better_database_and_better_rules_count_for_the_past(made: Landing) -> None:
    look_up(made, "2026-02-01 00:00:00", browser="Chrome Mobile", country="AT", city="Vienna")
    made.dbt(*BUILD)
    assert made.rows("select browser, country, city from {marts}.fct_events") == [("Chrome Mobile", "AT", "Vienna")]


def test_results_of_the_operators_own_processors_stand_beside_the_event(made: Landing) -> None:
    rows = [
        {"project_id": 1, "message_id": "past", "processor": name, "properties": text, "processed_at": moment}
        for name, text, moment in (
            ("weather", '{"rain":true}', MOMENT),
            ("plans", '{"plan":"free"}', MOMENT),
            ("plans", '{"plan":"paid"}', "2026-02-01 00:00:00"),
        )
    ]
    lines = "\n".join(json.dumps(row) for row in rows)
    made.client.raw_insert(made.table("enrichment.custom"), insert_block=lines, fmt="JSONEachRow")
    made.dbt(*BUILD)
    found = made.rows("select enrichments from {marts}.fct_events")
    assert found == [('{"plans":{"plan":"paid"},"weather":{"rain":true}}',)]


def test_contexts_that_older_rules_read_are_read_anew(made: Landing) -> None:
    # Nothing could be read of an object with such a number.
    context = CONTEXT.replace("{", '{"far":1e400,', 1)
    made.client.command(
        f"alter table {made.table('staging.stg_collector__events')} "
        f"update page_path = 'misread', context = '{context}', context_rules = 0 where 1 settings mutations_sync = 2"
    )
    made.dbt(*BUILD)
    assert made.rows("select page_path, context_rules > 0 from {staging}.stg_collector__events") == [("/pricing", True)]
    assert made.rows("select page_path from {marts}.fct_events") == [("/pricing",)]


def test_a_table_that_was_made_before_there_was_enrichment_is_filled(made: Landing) -> None:
    table = made.table("staging.stg_collector__events")
    columns = [
        name
        for (name,) in made.client.query(
            f"select name from system.columns where database || '.' || table = '{table}'"
        ).result_rows
    ]
    known = {"project_id", "message_id", "context", "properties", "type"}
    added = [*columns[columns.index("page_url") : columns.index("loaded_at")], "country"]
    assert not known & set(added)
    made.client.command(f"alter table {table} " + ", ".join(f"drop column {name}" for name in added))
    made.dbt(*BUILD)
    assert made.rows("select page_path, locale from {staging}.stg_collector__events") == [("/pricing", "de-DE")]
