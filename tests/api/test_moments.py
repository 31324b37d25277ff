from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from api.insights.moments import next_bucket, parse_moment, to_instant, window_ms

BERLIN = ZoneInfo("Europe/Berlin")


def test_a_date_begins_at_midnight_in_the_zone() -> None:
    assert to_instant(date(2026, 7, 1), BERLIN) == datetime(2026, 6, 30, 22, tzinfo=UTC)


def test_an_instant_is_itself_in_every_zone() -> None:
    instant = parse_moment("2026-07-01T09:00:00.1239+02:00")
    assert isinstance(instant, datetime)
    assert to_instant(instant, ZoneInfo("Asia/Kathmandu")) == datetime(2026, 7, 1, 7, 0, 0, 123000, tzinfo=UTC)


def test_a_plus_sign_that_arrived_as_a_space_is_understood() -> None:
    assert parse_moment("2026-07-01T09:00:00 02:00") == parse_moment("2026-07-01T09:00:00+02:00")


def test_a_day_whose_midnight_was_skipped_begins_at_the_transition() -> None:
    beirut = ZoneInfo("Asia/Beirut")
    assert to_instant(date(2022, 3, 27), beirut) == datetime(2022, 3, 26, 22, tzinfo=UTC)
    assert to_instant(date(2022, 3, 27), beirut).astimezone(beirut).hour == 1


def test_a_day_whose_midnight_came_twice_begins_at_the_first() -> None:
    havana = ZoneInfo("America/Havana")
    assert to_instant(date(2022, 11, 6), havana) == datetime(2022, 11, 6, 4, tzinfo=UTC)


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 5, 1), 24)])
def test_a_day_over_a_change_of_the_clock_ends_at_the_next_midnight(day: date, hours: int) -> None:
    start = to_instant(day, BERLIN)
    assert next_bucket(start, "day", BERLIN) - start == timedelta(hours=hours)


def test_an_hour_is_an_hour_when_the_clock_is_set_back() -> None:
    start = datetime(2026, 10, 25, 0, tzinfo=UTC)
    assert next_bucket(start, "hour", BERLIN) == start + timedelta(hours=1)


def test_months_and_weeks_end_on_the_calendar() -> None:
    assert next_bucket(to_instant(date(2026, 12, 1), BERLIN), "month", BERLIN) == to_instant(date(2027, 1, 1), BERLIN)
    assert next_bucket(to_instant(date(2026, 3, 23), BERLIN), "week", BERLIN) == to_instant(date(2026, 3, 30), BERLIN)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-02-30",
        "2026-13-01",
        "2026-03-01T09:00:00",
        "20260301",
        "2026-03-01T25:00:00Z",
        "1",
        "\u0662\u0660\u0662\u0666-03-01",
    ],
)
def test_what_is_no_date_and_no_instant_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"'.*'"):
        parse_moment(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30s", 30_000),
        ("15min", 900_000),
        ("12h", 43_200_000),
        ("14d", 1_209_600_000),
        ("2w", 1_209_600_000),
        ("1mo", 2_592_000_000),
    ],
)
def test_a_window_has_the_fixed_length_of_its_unit(text: str, expected: int) -> None:
    assert window_ms(text) == expected


@pytest.mark.parametrize("text", ["", "14", "d", "0d", "-1d", "1.5d", "14 d", "1m", "14D", "400d", "\u0663d"])
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"'.*'"):
        window_ms(text)
