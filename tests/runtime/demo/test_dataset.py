from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from runtime.demo.dataset import DemoData, read_rows
from runtime.demo.replay import batches

ENDS_AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SIZE = 31_106


@pytest.fixture(scope="module")
def whole() -> DemoData:
    return DemoData(ENDS_AT)


def test_the_data_set_has_the_events_users_names_and_sessions_that_it_is_known_for(whole: DemoData) -> None:
    events = list(whole.events())
    assert len(whole) == len(events) == SIZE
    assert len({event.user_id for event in events}) == 600
    assert len({event.session_id for event in events}) == 3605
    names = Counter(event.event for event in events)
    assert len(names) == 19
    assert names["purchase"] == 470


def test_the_last_event_happens_at_the_wanted_instant(whole: DemoData) -> None:
    assert max(event.timestamp for event in whole.events()) == ENDS_AT


def test_moving_keeps_every_distance_between_events(whole: DemoData) -> None:
    shifts = {event.timestamp - row.timestamp for event, row in zip(whole.events(), read_rows(), strict=True)}
    assert len(shifts) == 1


def test_events_come_in_the_order_of_time(whole: DemoData) -> None:
    times = [event.timestamp for event in whole.events()]
    assert times == sorted(times)


def test_the_same_arguments_give_the_same_events() -> None:
    assert list(DemoData(ENDS_AT, 100).events()) == list(DemoData(ENDS_AT, 100).events())


def test_fewer_rows_are_the_newest() -> None:
    events = list(DemoData(ENDS_AT, 100).events())
    assert len(events) == 100
    assert events[-1].timestamp == ENDS_AT
    assert {event.message_id for event in events} <= {event.message_id for event in DemoData(ENDS_AT).events()}


def test_more_rows_are_other_users_with_messages_of_their_own() -> None:
    events = list(DemoData(ENDS_AT, 2 * SIZE + 10).events())
    assert len(events) == 2 * SIZE + 10
    assert len({event.message_id for event in events}) == len(events)
    assert len({event.user_id for event in events}) > 1200
    assert max(event.timestamp for event in events) == ENDS_AT
    assert min(event.timestamp for event in events) > ENDS_AT - timedelta(days=200)


def test_a_copy_behaves_like_the_original() -> None:
    events = list(DemoData(ENDS_AT, 2 * SIZE).events())
    original, copy = events[:SIZE], events[SIZE:]
    assert Counter(event.event for event in original) == Counter(event.event for event in copy)
    assert {a.timestamp - b.timestamp for a, b in zip(original, copy, strict=True)} == {timedelta(seconds=977)}


def test_streams_share_the_events_out_and_keep_each_user_in_one() -> None:
    data = DemoData(ENDS_AT, SIZE + 1000)
    streams = [list(data.events(stream, 3)) for stream in range(3)]
    assert sorted(event.message_id for stream in streams for event in stream) == sorted(
        event.message_id for event in data.events()
    )
    users = [{event.user_id for event in stream} for stream in streams]
    assert not users[0] & users[1]
    assert not users[0] & users[2]
    assert not users[1] & users[2]


def test_no_batch_ends_within_a_second(whole: DemoData) -> None:
    cut = list(batches(whole.events(), 100))
    assert [event for batch in cut for event in batch] == list(whole.events())
    assert all(100 <= len(batch) < 110 for batch in cut[:-1])
    assert all(before[-1].timestamp != after[0].timestamp for before, after in pairwise(cut))
