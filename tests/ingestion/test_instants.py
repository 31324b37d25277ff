from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.instants import InvalidInstantError, correct, parse

SECOND, HOUR = 1000, 3_600_000
NOON = 1_700_000_000_000


@pytest.mark.parametrize(
    "written",
    [
        *("2023-11-14T22:13:20.123Z", "2023-11-14T22:13:20.123456+00:00", "2023-11-15T03:58:20.123+05:45"),
        *("2023-11-14 22:13:20.123", "1700000000123", 1_700_000_000_123, 1_700_000_000.123),
    ],
)
def test_every_usual_way_of_writing_an_instant_is_read(written: str | float) -> None:
    assert parse(written) == 1_700_000_000_123


@pytest.mark.parametrize("written", ["yesterday", "", "2023-13-01", "-1", -1, 1e300, "nan", "9999-12-31T23:59:59Z"])
def test_what_is_no_instant_that_can_be_stored_is_refused(written: str | float) -> None:
    with pytest.raises(InvalidInstantError):
        parse(written)


@given(
    st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2299, 12, 30)),  # noqa: DTZ001 - hypothesis wants naive bounds
    st.integers(-14 * 60, 14 * 60),
)
def test_an_instant_is_cut_to_whole_milliseconds_whatever_its_zone(moment: datetime, offset_minutes: int) -> None:
    zoned = moment.replace(tzinfo=timezone(timedelta(minutes=offset_minutes)))
    elapsed = zoned - datetime(1970, 1, 1, tzinfo=UTC)
    assert parse(zoned.isoformat()) == elapsed // timedelta(milliseconds=1)


def test_a_missing_timestamp_is_the_time_of_receiving() -> None:
    assert correct(None, NOON - HOUR, NOON) == NOON


def test_a_clock_that_is_off_by_ten_seconds_or_less_is_left_alone() -> None:
    assert correct(NOON - HOUR, NOON - 10 * SECOND, NOON) == NOON - HOUR
    assert correct(NOON - HOUR, NOON + 10 * SECOND, NOON) == NOON - HOUR


def test_a_clock_that_is_off_by_more_is_set_right() -> None:
    assert correct(NOON - HOUR, NOON - 10 * SECOND - 1, NOON) == NOON - HOUR + 10 * SECOND + 1
    assert correct(NOON + HOUR, NOON + HOUR + 5, NOON) == NOON - 5


def test_the_correction_is_clamped_to_a_day() -> None:
    assert correct(NOON - 100 * HOUR, NOON - 99 * HOUR, NOON) == NOON - 76 * HOUR
    assert correct(NOON, NOON + 30 * HOUR, NOON) == NOON - 24 * HOUR


def test_more_than_a_day_ahead_is_judged_before_the_correction() -> None:
    assert correct(NOON + 24 * HOUR, None, NOON) == NOON + 24 * HOUR
    assert correct(NOON + 24 * HOUR + 1, NOON + 24 * HOUR, NOON) == NOON
