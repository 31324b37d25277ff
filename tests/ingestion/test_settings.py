import pytest
from pydantic import ValidationError

from ingestion.kafka.settings import ConsumerSettings, KafkaProducerSettings
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


def test_a_shipper_that_writes_to_kafka_has_to_know_no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """It stands on machines from which ClickHouse cannot be reached."""
    monkeypatch.setenv("RADIXINSIGHT_KAFKA_BROKERS", "a:9092,b:9092")
    assert ShipperSettings().listen_port == 7107
    assert KafkaProducerSettings().brokers == "a:9092,b:9092"


def test_a_consumer_without_brokers_is_no_consumer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKHOUSE_URL", "http://u:p@host:8123/")
    monkeypatch.delenv("RADIXINSIGHT_KAFKA_BROKERS", raising=False)
    with pytest.raises(ValidationError, match="RADIXINSIGHT_KAFKA_BROKERS"):
        ConsumerSettings()  # pyright: ignore[reportCallIssue] - the fields come from the environment


def test_a_wrong_variable_is_named_in_a_sentence_and_its_value_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://")
    monkeypatch.setenv("RADIXINSIGHT_COLLECTOR_MAX_EVENT_BYTES", "secret")
    monkeypatch.setenv("RADIXINSIGHT_COLLECTOR_PATH_PREFIXES", "segmnt=/s1")
    with pytest.raises(SystemExit) as ended:
        CollectorSettings.read()
    said = str(ended.value)
    assert said.startswith("A setting is wrong: ")
    assert "RADIXINSIGHT_COLLECTOR_MAX_EVENT_BYTES: " in said
    assert "RADIXINSIGHT_COLLECTOR_PATH_PREFIXES: 'segmnt' is none of " in said
    assert "secret" not in said
