"""The catalogue of properties where there is too much for it, and what a run reads again."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from clickhouse_connect.driver.client import Client

from engine.landing import Landing, landing
from reference.events import Event
from runtime.instance import Instance

START = datetime(2026, 1, 1, tzinfo=UTC)
BUILD = ("build", "--select", "stg_collector__events", "agg_properties_daily", "dim_properties")
RUN = ("run", *BUILD[1:])


@pytest.fixture(scope="module")
def made(runtime: Instance, client: Client) -> Iterator[Landing]:
    """Model a project whose client writes ids into names and values, and one event that is erased later."""
    with landing(runtime, client) as landed:
        ids = [f"{number:04}" for number in range(1100)]
        events = [
            event("of one day", "ids", dict.fromkeys(ids, 1)),
            event("long", "ids", {"n" * 201: 1}),
            *(event(f"m{value}", "values", {"value": f"v{value}", "plan": value % 8}) for value in range(900)),
        ]
        landed.deliver(1, events, inserted_at=START)
        # Of the day after come other names: beside them the first day's are more than fit.
        later = [event("later", "ids", dict.fromkeys(["0000", "1099"], 1), days=1)]
        landed.deliver(1, [*later, event("gone", "secret", {"mail": "x"}, days=2)], inserted_at=START)
        landed.dbt(*BUILD)
        yield landed


def event(message_id: str, name: str, properties: dict[str, object], *, days: int = 0) -> Event:
    at = START + timedelta(days=days)
    return Event(
        message_id=message_id,
        event=name,
        user_id=message_id,
        timestamp=at,
        received_at=at,
        properties=json.dumps(properties),
    )


def test_of_too_many_names_the_most_frequent_stay_and_the_rest_is_counted(made: Landing) -> None:
    sql = "select property, events from {marts}.dim_properties where event = 'ids' order by events desc, property"
    rows = made.rows(sql)
    # 100 names and the long one are left out on the first day, and one more where two days come together.
    assert rows[0] == ("(other)", 102)
    assert rows[1:3] == [("0000", 2), ("0001", 1)]
    assert len(rows) == 1 + 1000
    assert sum(events for _, events in rows if isinstance(events, int)) == 1100 + 1 + 2


def test_of_many_values_there_are_some_examples_and_an_estimate_of_how_many(made: Landing) -> None:
    sql = (
        "select property, distinct_values, has_more_values, examples"
        " from {marts}.dim_properties where event = 'values' order by property"
    )
    (plan, value) = made.rows(sql)
    assert plan == ("plan", 8, False, ["0", "1", "2", "3", "4", "5", "6", "7"])
    _, distinct_values, has_more_values, examples = value
    assert has_more_values
    assert isinstance(distinct_values, int)
    assert abs(distinct_values - 900) <= 45
    assert isinstance(examples, list)
    assert len(set(examples)) == 5
    assert set(examples) <= {f"v{number}" for number in range(900)}


@pytest.mark.slow
def test_a_run_reads_only_days_that_are_others_now_and_forgets_what_was_erased(made: Landing) -> None:
    table = made.table("marts.agg_properties_daily")
    made.client.command(f"delete from {table} where received_date = toDate('2026-01-02')")
    made.erase(1, "gone")
    made.dbt(*RUN)
    days = "select distinct received_date from {marts}.agg_properties_daily order by received_date"
    # The second day was not looked at, or it would be back.
    assert [str(day) for (day,) in made.rows(days)] == ["2026-01-01"]
    made.dbt(*RUN, "--full-refresh")
    assert [str(day) for (day,) in made.rows(days)] == ["2026-01-01", "2026-01-02"]
    assert made.rows("select count() from {marts}.dim_properties where event = 'secret' or has(examples, 'x')") == [
        (0,)
    ]
