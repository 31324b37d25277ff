import pytest

from ingestion.identity import as_text, is_legal

ILLEGAL = [
    *("", "null", "none", "nil", "undefined", "nan", "0", "-1", "true", "false", "anonymous", "guest", "id"),
    *("distinct_id", "user_id", "not_authenticated", "email", "[object object]"),
    "00000000-0000-0000-0000-000000000000",
]


@pytest.mark.parametrize("identifier", ILLEGAL)
def test_an_id_that_means_nobody_is_illegal_in_any_case_and_with_space_around(identifier: str) -> None:
    assert not is_legal(identifier)
    assert not is_legal(identifier.upper())
    assert not is_legal(f" \t{identifier}\n")


@pytest.mark.parametrize("identifier", ["ada", "00", "nullable", "guest-17", "1", "true story", "ñ"])
def test_an_id_that_only_resembles_an_illegal_one_is_legal(identifier: str) -> None:
    assert is_legal(identifier)


def test_the_length_of_an_id_is_counted_in_bytes() -> None:
    assert is_legal("a" * 200)
    assert not is_legal("a" * 201)
    assert is_legal("€" * 66)
    assert not is_legal("€" * 67)


@pytest.mark.parametrize(("value", "text"), [(17, "17"), (17.0, "17"), (1.5, "1.5"), (True, "true"), (None, None)])
def test_an_id_that_came_as_a_number_reads_as_in_javascript(value: float | None, text: str | None) -> None:
    assert as_text(value) == text
