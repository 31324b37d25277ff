"""Clients say when their events happened: years of them may arrive at once."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from clickhouse_connect.driver.client import Client

from engine.landing import MODELS, Landing, landing
from reference.events import Event
from runtime.instance import Instance

MONTHS = 300
RECEIVED = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def landed(runtime: Instance, client: Client) -> Iterator[Landing]:
    """Make a landing with one project."""
    with landing(runtime, client) as made:
        made.set_project(1, timezone="UTC", session_gap_minutes=30)
        yield made


@pytest.mark.slow
def test_a_project_may_send_events_of_three_hundred_months_in_one_request(landed: Landing) -> None:
    events = [
        Event(
            message_id=f"m{month}",
            type="track",
            event="visit",
            anonymous_id="x",
            timestamp=datetime(1990, 1, 15, tzinfo=UTC) + timedelta(days=30.4375 * month),
            received_at=RECEIVED,
            sequence=month,
        )
        for month in range(MONTHS)
    ]
    landed.deliver(1, events, inserted_at=RECEIVED)
    landed.dbt(*MODELS)
    for model in ("fct_events", "fct_sessions", "agg_events_daily"):
        assert landed.rows(f"select count() from {{marts}}.{model}") == [(MONTHS,)]
