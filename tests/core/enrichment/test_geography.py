from pathlib import Path

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from core.enrichment.geography import EMBEDDED, Geography, GeographyError, Place

MUNICH = {
    "country": {"iso_code": "DE"},
    "subdivisions": [{"iso_code": "BY", "names": {"en": "Bavaria"}}],
    "city": {"names": {"de": "München", "en": "Munich"}},
}


@pytest.fixture
def cities(tmp_path: Path) -> Path:
    """Write a small database of cities."""
    writer = MMDBWriter(6, "Test-City", languages=["en"], ipv4_compatible=True)
    writer.insert_network(IPSet(["192.0.2.0/24", "2001:db8::/32"]), MUNICH)
    writer.insert_network(IPSet(["198.51.100.0/24"]), {"country_code": "at", "state1": "Vienna", "city": "Vienna"})
    path = tmp_path / "cities.mmdb"
    writer.to_db_file(str(path))
    return path


@pytest.mark.parametrize(
    ("address", "country"),
    [
        ("8.8.8.8", "US"),
        ("81.2.69.142", "GB"),
        ("2a00:1450:4001:80e::200e", "IE"),
        ("127.0.0.1", ""),
        ("10.1.2.3", ""),
        ("0.0.0.0", ""),  # noqa: S104 - looked up, not listened on
        ("", ""),
        ("no address", ""),
    ],
)
def test_the_embedded_database_knows_countries(address: str, country: str) -> None:
    assert Geography.open().country(address) == country


@pytest.mark.parametrize("address", ["192.0.2.9", "2001:db8::9"])
def test_a_database_of_cities_knows_region_and_city(cities: Path, address: str) -> None:
    assert Geography.open(cities).locate(address) == Place("DE", "Bavaria", "Munich")


def test_a_database_that_holds_plain_text_is_read_too(cities: Path) -> None:
    assert Geography.open(cities).locate("198.51.100.1") == Place("AT", "Vienna", "Vienna")


def test_what_a_database_does_not_know_the_embedded_one_answers(cities: Path) -> None:
    assert Geography.open(cities).locate("8.8.8.8") == Place("US")
    assert Geography.open(cities).locate("no address") == Place()


def test_another_database_has_another_version(cities: Path) -> None:
    assert Geography.open().version == EMBEDDED
    assert Geography.open(cities).version != EMBEDDED


def test_a_file_that_is_no_database_is_refused_or_left_aside(tmp_path: Path) -> None:
    file = tmp_path / "notes.mmdb"
    file.write_text("not a database")
    for path in (file, tmp_path / "missing.mmdb"):
        with pytest.raises(GeographyError):
            Geography.open(path)
        assert Geography.open_or_embedded(path).version == EMBEDDED
