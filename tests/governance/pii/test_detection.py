import pytest

from governance.pii.detection import Detector
from governance.pii.finding import Finding, Sample


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector()


def findings(detector: Detector, path: str, *values: str) -> list[Finding]:
    return list(detector.detect([Sample(1, "signup", path, values, values_seen=len(values))]))


def test_a_finding_says_how_many_of_the_checked_values_match(detector: Detector) -> None:
    (found,) = findings(detector, "properties.contact_code", "anna@example.org", "ben@example.org", "none of it")
    assert (found.entity, found.method) == ("EMAIL_ADDRESS", "pattern")
    assert (found.values_matched, found.values_checked) == (2, 3)


def test_a_bare_number_that_passes_a_checksum_by_chance_is_not_reported(detector: Detector) -> None:
    others = [f"41111111111111{n:02}" for n in (10, 12, 13, 14, 15)]
    assert findings(detector, "properties.order_id", "4111111111111111", *others) == []


def test_a_property_of_card_numbers_is_reported(detector: Detector) -> None:
    cards = ("4111111111111111", "5555555555554444", "4012888888881881")
    assert [found.entity for found in findings(detector, "properties.number", *cards)] == ["CREDIT_CARD"]


def test_one_card_number_in_a_text_is_reported(detector: Detector) -> None:
    texts = ("my card is 4111 1111 1111 1111", *(f"nothing {n}" for n in range(30)))
    assert [found.entity for found in findings(detector, "properties.detail", *texts)] == ["CREDIT_CARD"]


def test_a_name_that_settles_it_is_reported_whatever_the_values_look_like(detector: Detector) -> None:
    (found,) = findings(detector, "traits.last_name", "Nguyễn", "O")
    assert (found.entity, found.method, found.values_matched) == ("PERSON", "name", 2)


def test_the_model_is_not_asked_about_names_of_things(detector: Detector) -> None:
    assert findings(detector, "properties.product_name", "Anna Schmidt", "Paris") == []
    assert {found.entity for found in findings(detector, "properties.comment", "Anna Schmidt called me")} == {"PERSON"}
