"""What the marts say of a client whose clock says 0."""

from datetime import UTC, date, datetime, timedelta

import pytest
from clickhouse_connect.driver.client import Client

from engine.landing import MODELS, landing
from reference.events import Event
from runtime.instance import Instance

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
RECEIVED = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.slow
def test_an_event_of_1970_lies_on_its_own_day_and_in_its_own_week(runtime: Instance, client: Client) -> None:
    with landing(runtime, client) as made:
        made.set_project(1, timezone="America/New_York")
        made.set_project(2, timezone="UTC")
        for project in (1, 2):
            event = Event(
                message_id="m", event="a", user_id="x", timestamp=EPOCH + timedelta(seconds=5), received_at=RECEIVED
            )
            made.deliver(project, [event], inserted_at=RECEIVED)
        made.dbt(*MODELS, "--select", "+retention_daily", "+retention_weekly", "+agg_events_daily")

        def dates(column: str, model: str) -> list[tuple[object, ...]]:
            return made.rows(f"select distinct project_id, {column} from {{marts}}.{model} order by 1")

        days = [(1, date(1969, 12, 31)), (2, date(1970, 1, 1))]
        assert dates("event_date", "fct_events") == days
        assert dates("event_date", "agg_events_daily") == days
        assert dates("cohort_date", "retention_daily") == days
        assert dates("cohort_date", "retention_weekly") == [(1, date(1969, 12, 29)), (2, date(1969, 12, 29))]
        assert made.rows("select max(cohort_size), min(is_complete) from {marts}.retention_weekly") == [(1, True)]
