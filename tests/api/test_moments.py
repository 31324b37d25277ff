from datetime import UTC, datetime

import pytest

from api.insights.moments import cut_to_ms, is_in_reach, parse_moment


def test_an_instant_is_cut_to_milliseconds_and_shown_in_utc() -> None:
    instant = parse_moment("2026-07-01T09:00:00.1239+02:00")
    assert isinstance(instant, datetime)
    assert cut_to_ms(instant) == datetime(2026, 7, 1, 7, 0, 0, 123000, tzinfo=UTC)


def test_a_plus_sign_that_arrived_as_a_space_is_understood() -> None:
    assert parse_moment("2026-07-01T09:00:00 02:00") == parse_moment("2026-07-01T09:00:00+02:00")


@pytest.mark.parametrize(
    ("text", "is_fit"),
    [
        ("1970-01-01", True),
        ("1970-01-01T01:00:00+01:00", True),
        ("2100-01-01T00:00:00Z", True),
        ("1969-12-31", False),
        ("1970-01-01T00:00:00+01:00", False),
        ("2100-01-02", False),
        ("0001-01-01", False),
        ("0001-01-01T00:00:00+14:00", False),
        ("9999-12-31T23:59:59-14:00", False),
    ],
)
def test_what_lies_beyond_1970_and_2100_is_out_of_reach_and_no_overflow(text: str, is_fit: bool) -> None:  # noqa: FBT001
    assert is_in_reach(parse_moment(text)) == is_fit


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
