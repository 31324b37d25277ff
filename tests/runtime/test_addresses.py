from pathlib import Path

from runtime.addresses import Addresses, resolve, without_password
from runtime.credentials import Credentials, load_credentials
from runtime.directory import DataDirectory
from runtime.ports import Ports
from runtime.settings import RuntimeSettings

CREDENTIALS = Credentials(**{name: f"pw-{name}" for name in Credentials.__struct_fields__})


def _resolve(**given: str) -> Addresses:
    return resolve(RuntimeSettings.model_validate(given), CREDENTIALS, Ports(7100))


def test_without_addresses_of_his_own_the_operator_gets_the_embedded_engines() -> None:
    found = _resolve()
    assert found.clickhouse_url == "http://radixinsight:pw-clickhouse_radixinsight@127.0.0.1:7103/"
    assert found.clickhouse_reader_url == "http://reader:pw-clickhouse_reader@127.0.0.1:7103/"
    assert found.database_url == "postgresql://radixinsight:pw-postgres_radixinsight@127.0.0.1:7104/radixinsight"
    assert found.redis_url == "redis://:pw-valkey@127.0.0.1:7105/0"
    assert found.external == frozenset()


def test_an_address_of_the_operator_is_used_and_its_engine_is_external() -> None:
    found = _resolve(clickhouse_url="http://me:x@db:8123/", redis_url="redis://cache/1")
    assert found.clickhouse_url == found.clickhouse_reader_url == "http://me:x@db:8123/"
    assert found.redis_url == "redis://cache/1"
    assert found.external == {"clickhouse", "valkey"}


def test_an_external_clickhouse_may_have_a_reader_of_its_own() -> None:
    found = _resolve(clickhouse_url="http://me:x@db:8123/", clickhouse_reader_url="http://reads:y@db:8123/")
    assert found.clickhouse_reader_url == "http://reads:y@db:8123/"


def test_dagster_gets_the_database_beside_the_operators() -> None:
    found = _resolve(database_url="postgresql://me:x@db:5432/product?sslmode=require")
    assert found.dagster_database_url == "postgresql://me:x@db:5432/dagster?sslmode=require"


def test_the_embedded_engines_own_addresses_are_not_external() -> None:
    own = _resolve()
    again = _resolve(
        clickhouse_url=own.clickhouse_url,
        database_url=own.database_url,
        redis_url=own.redis_url,
        dagster_database_url=own.dagster_database_url,
    )
    assert again == own


def test_an_address_is_shown_without_its_password() -> None:
    assert without_password("postgresql://me:secret@db:5432/product") == "postgresql://db:5432/product"


def test_passwords_are_drawn_once_and_differ(tmp_path: Path) -> None:
    directory = DataDirectory.at(tmp_path)
    first = load_credentials(directory)
    assert load_credentials(directory) == first
    values = [getattr(first, name) for name in Credentials.__struct_fields__]
    assert len(set(values)) == len(values)
    assert directory.secrets_file.stat().st_mode & 0o777 == 0o600


def test_passwords_are_not_in_what_an_error_would_print() -> None:
    assert "pw-" not in repr(CREDENTIALS)
    assert "pw-" not in repr(_resolve())
