import pytest

from core.insights.durations import duration_ms


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
    assert duration_ms(text) == expected


@pytest.mark.parametrize("text", ["", "14", "d", "0d", "-1d", "1.5d", "14 d", "1m", "14D", "400d", "\u0663d"])
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"'.*'"):
        duration_ms(text)
