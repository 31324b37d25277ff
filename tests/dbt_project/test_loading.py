"""What a run takes in from the landing table, whatever happened to the runs before."""

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from clickhouse_connect.driver.client import Client

from engine.event_table import sql_instant
from engine.landing import MODELS, Landing, landing
from reference.events import Event
from runtime.instance import Instance

START = datetime(2026, 1, 1, tzinfo=UTC)
MODEL = "stg_collector__events"
# Which run took an event in is not part of it.
CONTENTS = f"select * except loaded_at from {{staging}}.{MODEL} order by project_id, message_id"


@pytest.fixture
def landed(runtime: Instance, client: Client) -> Iterator[Landing]:
    """Make a landing with one project."""
    with landing(runtime, client) as made:
        made.set_project(1, timezone="UTC", session_gap_minutes=30)
        yield made


def event(message_id: str, *, received_after_s: int) -> Event:
    received_at = START + timedelta(seconds=received_after_s)
    return Event(
        message_id=message_id, event=f"{received_after_s}", user_id="x", timestamp=START, received_at=received_at
    )


def sent(message_id: str, *, day: int, hour: int = 0, user: str = "kept") -> Event:
    """Return what was received on a day and happened at an hour of the first one."""
    at = START + timedelta(hours=hour)
    return Event(message_id=message_id, event="e", user_id=user, timestamp=at, received_at=START + timedelta(days=day))


def run_daily(landed: Landing, *arguments: str) -> list[list[tuple[object, ...]]]:
    """Run the models up to the days, and return what is in some of them."""
    landed.dbt(*MODELS, *arguments, "--select", "+agg_events_daily")
    return [
        landed.rows(sql)
        for sql in (
            f"select project_id, message_id, received_at from {{staging}}.{MODEL} order by all",
            "select project_id, message_id, timestamp, received_at from {marts}.fct_events order by all",
            "select project_id, event_date, sum(events) from {marts}.agg_events_daily group by all order by all",
        )
    ]


@pytest.mark.slow
def test_a_load_that_broke_midway_is_completed_by_the_next_run_and_missed_until_then(landed: Landing) -> None:
    for hour in range(4):
        events = [event(f"m{hour}.{number}", received_after_s=3600 * hour + number) for number in range(5)]
        landed.deliver(1, events, inserted_at=START + timedelta(hours=hour))
    landed.dbt("build", "--select", MODEL)
    whole = landed.rows(CONTENTS)
    assert len(whole) == 20
    # The newest rows are in, older ones are not.
    landed.client.command(f"delete from {landed.table('staging.' + MODEL)} where received_at < '2026-01-01 02:00:02'")
    with pytest.raises(AssertionError, match="holds_every_event_of"):
        landed.dbt("test", "--select", MODEL)
    landed.dbt("build", "--select", MODEL)
    assert landed.rows(CONTENTS) == whole


@pytest.mark.slow
def test_late_earlier_and_misdated_deliveries_give_what_a_full_refresh_gives(landed: Landing) -> None:
    first = [event(f"m{number}", received_after_s=100 + number) for number in range(6)]
    landed.deliver(1, [*first[:3], event("m0", received_after_s=500)], inserted_at=START + timedelta(hours=2))
    landed.dbt("run", "--select", MODEL)
    # The server's clock was set back by an hour before the rest landed.
    earlier = [event("m1", received_after_s=1), event("m4", received_after_s=2)]
    landed.deliver(1, [*first[3:], *earlier], inserted_at=START + timedelta(hours=1))
    landed.dbt("run", "--select", MODEL)
    rows = landed.rows(CONTENTS)
    assert [row[3] for row in rows] == ["100", "1", "102", "103", "2", "105"]
    landed.dbt("run", "--select", MODEL, "--full-refresh")
    assert landed.rows(CONTENTS) == rows


@pytest.mark.slow
def test_dropped_duplicates_are_not_read_again(landed: Landing) -> None:
    known = event("m", received_after_s=1)
    landed.deliver(1, [known], inserted_at=START)
    landed.dbt("run", "--select", MODEL)
    landed.deliver(1, [event("m", received_after_s=9)], inserted_at=START + timedelta(hours=1))
    landed.dbt("run", "--select", MODEL)
    settled = "select inserted_minute, landed, staged from {staging}.stg_collector__events_settled order by all"
    assert landed.rows(settled) == [(START, 1, 1), (START + timedelta(hours=1), 1, 0)]
    # A run that read the dropped delivery again would find this row gone and put it back.
    landed.client.command(f"delete from {landed.table('staging.' + MODEL)} where 1")
    landed.client.command(f"truncate table {landed.table('raw.events')}")
    landed.deliver(1, [event("m", received_after_s=9)], inserted_at=START + timedelta(hours=1))
    landed.dbt("run", "--select", MODEL)
    assert landed.rows(CONTENTS) == []


@pytest.mark.slow
def test_what_counts_in_place_of_what_was_erased_is_known_when_it_comes_again(landed: Landing) -> None:
    for project in (2, 3):
        landed.set_project(project, timezone="UTC", session_gap_minutes=30)
    for project in (1, 2, 3):
        counted = sent("m", day=1, user="erased")
        landed.deliver(project, [counted, sent("n", day=1, user="other")], inserted_at=counted.received_at)
        dropped = sent("m", day=3)
        landed.deliver(project, [dropped], inserted_at=dropped.received_at)
    # Another dropped repetition beside somebody who is erased later, so that its minute is read again.
    beside = sent("m", day=4, hour=5)
    landed.deliver(3, [beside, sent("q", day=4, user="erased later")], inserted_at=beside.received_at)
    run_daily(landed)
    for project in (1, 2, 3):
        landed.erase(project, "erased")
    run_daily(landed)
    for project, hour in ((1, 0), (2, 5)):
        again = sent("m", day=5, hour=hour)
        landed.deliver(project, [again], inserted_at=again.received_at)
    landed.erase(3, "erased later")
    assert run_daily(landed) == run_daily(landed, "--full-refresh")


@pytest.mark.slow
def test_a_full_refresh_counts_who_is_new_and_refuses_to_leave_out_what_it_needs(landed: Landing) -> None:
    known, new = sent("m", day=1), sent("n", day=2, user="new")
    landed.deliver(1, [known], inserted_at=known.received_at)
    run_daily(landed)
    landed.deliver(1, [new], inserted_at=new.received_at)
    _, facts, _ = run_daily(landed, "--full-refresh")
    assert [row[1] for row in facts] == ["m", "n"]
    with pytest.raises(AssertionError, match=r"select \+fct_events\+"):
        landed.dbt("run", "--full-refresh", "--select", "fct_events")


@pytest.mark.slow
def test_what_lies_near_nothing_is_taken_in_by_itself(landed: Landing) -> None:
    known, new, later = sent("m", day=1), sent("n", day=2, user="new"), sent("o", day=3, hour=20)
    for number, event_ in enumerate((known, new, later), start=1):
        landed.deliver(1, [event_], inserted_at=event_.received_at)
        _, facts, days = run_daily(landed)
        assert [row[1] for row in facts] == ["m", "n", "o"][:number]
        assert [row[2] for row in days] == [number]


@pytest.mark.slow
def test_what_a_run_makes_is_told_apart_where_the_clock_was_set_back(landed: Landing) -> None:
    known, new = sent("m", day=1), dataclasses.replace(sent("n", day=2, user="new"), event="other")
    landed.deliver(1, [known], inserted_at=known.received_at)
    run_daily(landed)
    landed.client.command(
        f"alter table {landed.table('marts.fct_events')} update made_at = made_at + toIntervalDay(1) where true"
        " settings mutations_sync = 1"
    )
    landed.deliver(1, [new], inserted_at=new.received_at)
    run_daily(landed)
    assert landed.rows("select event from {marts}.agg_events_daily order by all") == [("e",), ("other",)]


@pytest.mark.slow
def test_events_are_not_made_of_what_another_run_found(landed: Landing) -> None:
    known, near, far = sent("m", day=1), sent("n", day=2), sent("o", day=3, hour=20)
    landed.deliver(1, [known], inserted_at=known.received_at)
    run_daily(landed)
    landed.deliver(1, [near], inserted_at=near.received_at)
    made = run_daily(landed)
    landed.deliver(1, [far], inserted_at=far.received_at)
    # A run that ended among the models of changes.
    landed.dbt("run", "--select", "+int_instants_stale")
    with pytest.raises(AssertionError, match=r"select \+fct_events\+"):
        landed.dbt("run", "--select", "fct_events")
    assert landed.rows("select message_id from {marts}.fct_events order by all") == [(row[1],) for row in made[1]]
    _, facts, _ = run_daily(landed)
    assert [row[1] for row in facts] == ["m", "n", "o"]


@pytest.mark.slow
def test_a_repetition_is_known_whose_id_an_older_version_wrote_down(landed: Landing) -> None:
    first, again = sent("m", day=1), sent("m", day=5, hour=5)
    landed.deliver(1, [first], inserted_at=first.received_at)
    run_daily(landed)
    landed.client.command(f"alter table {landed.table(f'staging.{MODEL}_ids')} drop column received_date")
    landed.deliver(1, [again], inserted_at=again.received_at)
    expected = run_daily(landed)
    landed.deliver(1, [sent("m", day=6, hour=6)], inserted_at=again.received_at + timedelta(days=1))
    assert run_daily(landed) == expected
    assert landed.rows(f"select received_at from {{staging}}.{MODEL}") == [(first.received_at,)]


@pytest.mark.slow
def test_an_identify_that_was_erased_or_taken_in_late_links_no_longer_or_does(landed: Landing) -> None:
    def link(device: str, day: int) -> Event:
        return dataclasses.replace(
            sent(f"{device} {day}", day=day, user="known"), type="identify", event="$identify", anonymous_id=device
        )

    links = "select anonymous_id from {intermediate}.int_devices_linked order by all"
    landed.deliver(1, [link("d1", 1), link("d2", 1), link("d3", 1)], inserted_at=START)
    landed.dbt("run", "--select", "+int_devices_linked")
    landed.client.command(f"delete from {landed.table('raw.events')} where anonymous_id = 'd1'")
    landed.deliver(1, [link("d4", 2)], inserted_at=START + timedelta(days=2))
    landed.dbt("run", "--select", "+int_devices_linked")
    assert landed.rows(links) == [("d2",), ("d3",), ("d4",)]


@pytest.mark.slow
def test_a_table_that_an_older_version_made_gets_the_columns_that_are_new(landed: Landing) -> None:
    landed.deliver(1, [event("old", received_after_s=0)], inserted_at=START)
    landed.dbt("run", "--select", MODEL)
    for column in ("traits_once", "traits_increment"):
        landed.client.command(f"alter table {landed.table(f'staging.{MODEL}')} drop column {column}")
    landed.deliver(1, [event("new", received_after_s=60)], inserted_at=START + timedelta(minutes=1))
    landed.dbt("run", "--select", MODEL)
    sql = f"select message_id, traits_once from {{staging}}.{MODEL} order by message_id"
    assert landed.rows(sql) == [("new", ""), ("old", "")]


@pytest.mark.slow
def test_a_canary_is_seen_by_the_models_and_counted_by_none(landed: Landing) -> None:
    now = datetime.now(UTC)
    landed.deliver(1, [event("counted", received_after_s=1)], inserted_at=START)
    landed.client.command(
        f"insert into {landed.table('raw.events')} (project_id, message_id, received_at, event, protocol)"
        f" values (1, 'canary', {sql_instant(now)}, '$canary', 'canary')"
    )
    landed.dbt("build", "--select", MODEL, "stg_collector__canaries")
    assert landed.rows(f"select message_id from {{staging}}.{MODEL}") == [("counted",)]
    ((project_id, received_at),) = landed.rows("select project_id, received_at from {staging}.stg_collector__canaries")
    assert (project_id, received_at) == (1, now.replace(microsecond=now.microsecond // 1000 * 1000))
