"""Who is in the sets of the rollups after events changed persons, days, names and hours, or their persons alone."""

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from core.insights.marts import DEFINITIONS, write_marts
from engine.dbt_runs import copy_project
from engine.landing import MODELS, Landing, landing
from engine.refreshes import Refreshes
from engine.wire import Cut
from reference.events import Event
from runtime.instance import Instance

pytestmark = pytest.mark.slow

START = datetime(2026, 1, 5, 20, 10, tzinfo=UTC)
ROLLUP = """
kind: rollup
description: Events by plan.
by: [{name: plan, property: plan}]
sums: [{name: total, property: revenue}]
"""
ROLLUPS = [
    *("agg_events_hourly", "agg_events_daily", "agg_persons_daily", "agg_breakdowns_daily", "agg_sessions_daily"),
    *("agg_revenue_daily", "agg_plans"),
]
SELECTED = ("--select", *(f"+{model}" for model in ROLLUPS))
LINKED, RENAMED, BY_TWO_DEVICES, MOVED, ERASED, MERGED = range(1, 7)


def sent(
    message_id: str, hours: float, *, event: str = "view", device: str = "", user: str = "", **said: object
) -> Event:
    at = START + timedelta(hours=hours)
    fields: dict[str, object] = {
        "type": "track",
        "received_at": at,
        "properties": '{"revenue":5,"plan":"pro"}',
        **said,
    }
    return Event(message_id=message_id, timestamp=at, event=event, anonymous_id=device, user_id=user, **fields)  # pyright: ignore[reportArgumentType]


def identified(device: str, user: str, hours: float) -> Event:
    return sent(f"{device} is {user}", hours, event="$identify", device=device, user=user, type="identify")


FIRST = {
    # Two of one device in an hour, in which there is somebody else too; and an hour with nobody else.
    LINKED: [
        sent("early", 0, device="d1"),
        sent("soon", 0.2, device="d1", properties='{"plan":"free"}'),
        sent("other", 0.3, user="u2"),
        sent("alone", 3, device="d1", event="buy"),
    ],
    # One that is the last of its name and day, and one that is not.
    RENAMED: [sent("bought", 5, user="u1", event="buy"), sent("seen", 5, user="u1"), sent("seen too", 5, user="u2")],
    BY_TWO_DEVICES: [
        sent("by one", 0, device="d1"),
        sent("by two", 0, device="d2"),
        identified("d1", "u1", 30),
        identified("d2", "u1", 30),
    ],
    # Of one quarter of an hour in UTC and of two days in Kathmandu.
    MOVED: [sent(f"at {hour}", hour, user="u1") for hour in (-2, -1.95, -1.7, 0, 0.5, 4)],
    ERASED: [sent("stays", 0, user="u1"), sent("goes", 0, user="u2"), sent("goes alone", 2, user="u2", event="buy")],
    MERGED: [sent("of one", 0, user="u1"), sent("of two", 0, user="u2"), sent("of two alone", 30, user="u2")],
}
THEN = {
    LINKED: [identified("d1", "u1", 50)],
    RENAMED: [
        sent("bought", 29, user="u1", event="gift", received_at=START - timedelta(hours=1)),
        sent("seen too", 5, user="u3", event="gift", received_at=START - timedelta(hours=1)),
    ],
    BY_TWO_DEVICES: [identified("d1", "u2", 20)],
    MERGED: [sent("one", 50, user="u1", event="$alias", type="alias", previous_id="u2")],
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the project, and let it have a rollup of a file too."""
    root = tmp_path_factory.mktemp("sets") / "project"
    copy_project(root)
    (root / DEFINITIONS / "agg_plans.yml").write_text(ROLLUP)
    assert write_marts(root)[1] == []
    return root


@pytest.fixture
def made(runtime: Instance, client: Client, project: Path) -> Iterator[Landing]:
    """Make the models of what comes first, and let the rest arrive."""
    with landing(runtime, client) as given:
        landed = dataclasses.replace(given, project=project, directory=project.parent)
        for number, events in FIRST.items():
            landed.set_project(number, timezone="UTC", updated_at=START)
            landed.deliver(number, events, inserted_at=START)
        landed.dbt(*MODELS, *SELECTED)
        for number, events in THEN.items():
            landed.deliver(number, events, inserted_at=START + timedelta(hours=1))
        landed.set_project(MOVED, timezone="Asia/Kathmandu", updated_at=START + timedelta(hours=1))
        landed.erase(ERASED, "u2")
        yield landed


def contents(made: Landing) -> dict[str, list[tuple[object, ...]]]:
    """Return the rows of every rollup."""
    members = "* except persons, arraySort(bitmapToArray(persons)) as members"
    return {model: made.rows(f"select {members} from {{marts}}.{model} order by all") for model in ROLLUPS}


def refresh(made: Landing) -> dict[str, list[tuple[object, ...]]]:
    """Refresh the models; returns the rows of the rollups, which are those of a full refresh."""
    made.dbt("run", *SELECTED)
    found = contents(made)
    made.dbt("run", "--full-refresh", *SELECTED)
    assert found == contents(made)
    return found


def people(made: Landing, project_id: int, event: str, hours: float) -> list[object]:
    """Return how many events of a name an hour has, and who is in its set."""
    hour = (START + timedelta(hours=hours)).replace(minute=0)
    rows = made.rows(
        "select any(events), arraySort(groupArray(person_id)) from ("
        " select project_id, events, arrayJoin(bitmapToArray(persons)) as person_number from {marts}.agg_events_hourly"
        f" where project_id = {project_id} and event = '{event}' and hour_at = '{hour:%F %T}'"
        ") as members inner join {marts}.dim_persons using (project_id, person_number)"
    )
    return list(rows[0])


def test_the_rollups_follow_what_changes_and_are_those_of_a_full_refresh(made: Landing) -> None:
    made.dbt("run", *SELECTED, "+dim_persons")
    # Nobody is left of the device where it was alone, and elsewhere whoever was there with it.
    assert people(made, LINKED, "buy", 3) == [1, ["user:u1"]]
    assert people(made, LINKED, "view", 0) == [3, ["user:u1", "user:u2"]]
    assert people(made, RENAMED, "buy", 5) == [0, []]
    assert people(made, RENAMED, "view", 5) == [1, ["user:u1"]]
    assert people(made, RENAMED, "gift", 5) == [1, ["user:u3"]]
    assert people(made, BY_TWO_DEVICES, "view", 0) == [2, ["user:u1", "user:u2"]]
    assert people(made, ERASED, "view", 0) == [1, ["user:u1"]]
    assert people(made, ERASED, "buy", 2) == [0, []]
    assert people(made, MERGED, "view", 0) == [2, ["user:u1"]]
    minutes = f"select distinct toMinute(hour_at) from {{marts}}.agg_events_hourly where project_id = {MOVED}"
    assert made.rows(minutes) == [(15,)]
    # Who is counted otherwise is told apart from what is.
    told = "select distinct project_id, is_recounted from {marts}.fct_events_touched where run > 1 and event = 'view'"
    # In one millisecond with an event that says something else, another is counted again too.
    assert set(made.rows(told)) == {
        *((project, True) for project in (RENAMED, MOVED, ERASED)),
        *((project, False) for project in (LINKED, BY_TWO_DEVICES, MERGED)),
    }
    refresh(made)


def test_a_run_that_dies_with_its_log_written_leaves_the_next_one_what_it_needs(made: Landing) -> None:
    refreshes = Refreshes(made)
    assert refreshes.cut_off(Cut(at="made_at = (select max(made.made_at)"), "run", *SELECTED)
    assert made.rows("select uniqExact(run) from {marts}.fct_events_touched where run > 1") == [(2,)]
    # The device that the run that died gave to one user is another one's before the next run; and one more is renamed.
    later = START + timedelta(hours=2)
    made.deliver(LINKED, [identified("d1", "u3", 40)], inserted_at=later)
    again = sent("seen", 6, user="u1", event="gift", received_at=START - timedelta(hours=1))
    made.deliver(RENAMED, [again], inserted_at=later)
    refresh(made)


def test_the_log_of_an_older_version_counts_everything_anew(made: Landing) -> None:
    made.dbt("run", "--select", "+fct_events")
    made.client.command(f"alter table {made.table('marts.fct_events_touched')} drop column is_recounted")
    # Before that version's log has the column, a rollup by itself is made anew as a whole.
    made.dbt("run", "--select", "agg_events_hourly")
    refresh(made)
