"""Where each engine is: the operator's own, or the embedded one of this data directory."""

from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from pydantic import SecretStr

from runtime.credentials import Credentials
from runtime.ports import LOOPBACK, Ports
from runtime.settings import RuntimeSettings

APPLICATION_DATABASE = "radixinsight"
DAGSTER_DATABASE = "dagster"


@dataclass(frozen=True, repr=False)
class Addresses:
    """Addresses with passwords: never log them. `external` names the engines that aren't ours to start."""

    clickhouse_url: str
    clickhouse_admin_url: str
    clickhouse_reader_url: str
    database_url: str
    database_admin_url: str
    dagster_database_url: str
    redis_url: str
    external: frozenset[str]
    kafka_brokers: str
    """Empty where there is no Kafka."""


def resolve(settings: RuntimeSettings, credentials: Credentials, ports: Ports) -> Addresses:
    """Combine what the operator set with what the embedded engines offer.

    An address that is the embedded engine's own (somebody evaluated `radixinsight env` in this shell) is not external.
    """

    def clickhouse(user: str, password: str) -> str:
        return f"http://{user}:{password}@{LOOPBACK}:{ports.of('clickhouse')}/"

    def postgres(user: str, password: str, database: str) -> str:
        return f"postgresql://{user}:{password}@{LOOPBACK}:{ports.of('postgres')}/{database}"

    own_clickhouse = clickhouse("radixinsight", credentials.clickhouse_radixinsight)
    own_admin = clickhouse("admin", credentials.clickhouse_admin)
    own_reader = clickhouse("reader", credentials.clickhouse_reader)
    own_database = postgres("radixinsight", credentials.postgres_radixinsight, APPLICATION_DATABASE)
    own_redis = f"redis://:{credentials.valkey}@{LOOPBACK}:{ports.of('valkey')}/0"

    clickhouse_url = _external(settings.clickhouse_url, {own_clickhouse, own_admin, own_reader})
    database_url = _external(settings.database_url, {own_database})
    redis_url = _external(settings.redis_url, {own_redis})
    reader_url = settings.clickhouse_reader_url
    dagster_url = _external(
        settings.dagster_database_url,
        {postgres("radixinsight", credentials.postgres_radixinsight, DAGSTER_DATABASE)},
    )
    return Addresses(
        clickhouse_url=clickhouse_url or own_clickhouse,
        clickhouse_admin_url=clickhouse_url or own_admin,
        clickhouse_reader_url=(reader_url.get_secret_value() if reader_url else clickhouse_url)
        if clickhouse_url
        else own_reader,
        database_url=database_url or own_database,
        database_admin_url=postgres("postgres", credentials.postgres_superuser, "postgres"),
        dagster_database_url=dagster_url or _sibling(database_url or own_database, DAGSTER_DATABASE),
        redis_url=redis_url or own_redis,
        external=frozenset(
            name
            for name, url in (("clickhouse", clickhouse_url), ("postgres", database_url), ("valkey", redis_url))
            if url
        ),
        kafka_brokers=settings.kafka_brokers,
    )


def _external(given: SecretStr | None, own: set[str]) -> str | None:
    if given is None or not given.get_secret_value():
        return None
    url = given.get_secret_value()
    return None if url.rstrip("/") in {candidate.rstrip("/") for candidate in own} else url


def _sibling(url: str, database: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


def without_password(url: str) -> str:
    """Return an address as it may be shown."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return urlunsplit(parts._replace(netloc=f"{host}:{parts.port}" if parts.port else host))
