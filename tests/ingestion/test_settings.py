import pytest

from ingestion.settings import CollectorSettings, ShipperSettings

ENGINES = ("CLICKHOUSE_URL", "DATABASE_URL", "REDIS_URL")


@pytest.fixture(autouse=True)
def no_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away the addresses that the environment may have."""
    for name in ENGINES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"RADIXINSIGHT_{name}", raising=False)


def test_the_collector_has_to_know_postgresql_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other engines may be what is broken, and then events have to be kept."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:p@host/d")
    settings = CollectorSettings()  # pyright: ignore[reportCallIssue] - the fields come from the environment
    assert settings.database_url.get_secret_value() == "postgresql://u:p@host/d"


def test_the_shipper_has_to_know_clickhouse_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKHOUSE_URL", "http://u:p@host:8123/")
    settings = ShipperSettings()  # pyright: ignore[reportCallIssue] - the fields come from the environment
    assert settings.clickhouse_url.get_secret_value() == "http://u:p@host:8123/"
