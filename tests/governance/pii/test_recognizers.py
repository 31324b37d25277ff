import os
import subprocess
import sys

import pytest

from governance.pii.recognizers import NameModel, PatternRecognizers


@pytest.fixture(scope="module")
def patterns() -> PatternRecognizers:
    return PatternRecognizers()


@pytest.mark.parametrize(
    ("path", "value", "entity"),
    [
        ("properties.x", "anna@example.org", "EMAIL_ADDRESS"),
        ("properties.url", "https://shop.example/?mail=anna%40example.org&page=2", "EMAIL_ADDRESS"),
        ("properties.x", "+49 30 901820", "PHONE_NUMBER"),
        ("properties.mobile", "(415) 555-2671", "PHONE_NUMBER"),
        ("properties.note", "card 4111 1111 1111 1111 please", "CREDIT_CARD"),
        ("properties.x", "DE89370400440532013000", "IBAN_CODE"),
        ("context.ip", "203.0.113.9", "IP_ADDRESS"),
        ("context.ip", "2001:db8::8a2e:370:7334", "IP_ADDRESS"),
        ("properties.x", "00:1B:44:11:3A:B7", "MAC_ADDRESS"),
        ("properties.x", "536-90-4399", "US_SSN"),
        ("properties.x", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "JWT"),
        ("properties.x", "AKIAIOSFODNN7EXAMPLE", "SECRET"),
        ("properties.x", "sk_" + "live_4eC39HqLyjWDarjtT1zdp7dc", "SECRET"),
        ("properties.x", "-----BEGIN RSA PRIVATE KEY-----", "SECRET"),
    ],
)
def test_a_value_with_the_form_of_personal_data_is_recognised(
    patterns: PatternRecognizers, path: str, value: str, entity: str
) -> None:
    assert {match.entity for match in patterns.matches(value, path)} == {entity}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("properties.timestamp_ms", "1700000000123"),
        ("properties.price", "12345.6789"),
        ("properties.product_id", "20348812"),
        ("properties.path", "/catalog/1234567890/shoes"),
        ("properties.id", "550e8400-e29b-41d4-a716-446655440000"),
        ("properties.at", "2024-01-01T10:11:12.000Z"),
        ("context.os.version", "10.2.1.4"),
        ("context.userAgent", "Mozilla/5.0 (X11; Linux x86_64) Chrome/120.0.0.0 Safari/537.36"),
        ("properties.product", "green shoes"),
    ],
)
def test_what_events_usually_carry_is_left_alone(patterns: PatternRecognizers, path: str, value: str) -> None:
    assert list(patterns.matches(value, path)) == []


def test_the_model_finds_people_and_places_in_prose() -> None:
    found = list(NameModel().matches(["Anna Schmidt called from Berlin", "green shoes"]))
    assert [{match.entity for match in matches} for matches in found] == [{"PERSON", "LOCATION"}, set()]


def test_neither_presidio_nor_spacy_nor_great_expectations_is_imported_before_it_is_needed() -> None:
    script = (
        "import sys; import governance.pii, governance.quality;"
        "sys.exit(bool({'presidio_analyzer', 'spacy', 'great_expectations'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False, env=os.environ).returncode == 0
