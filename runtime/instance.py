"""One installation as its clients see it: where each engine and service is, with passwords."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit

from runtime.addresses import Addresses, resolve
from runtime.catalogue import Catalogue
from runtime.credentials import load_credentials
from runtime.directory import DataDirectory
from runtime.ports import LOOPBACK, Ports
from runtime.settings import RuntimeSettings


@dataclass(frozen=True, repr=False)
class Instance:
    """Addresses of one installation.

    `clickhouse_url` is the user that services have; `variables` is the environment that they get.
    """

    clickhouse_url: str
    clickhouse_admin_url: str
    clickhouse_reader_url: str
    database_url: str
    dagster_database_url: str
    redis_url: str
    data_dir: Path
    port_base: int
    variables: dict[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def of(cls, settings: RuntimeSettings) -> Self:
        """Describe the installation that `settings` name, whether it runs or not; passwords are made if missing."""
        directory = DataDirectory.at(settings.data_dir)
        directory.create()
        credentials = load_credentials(directory)
        ports = Ports(settings.port_base)
        addresses = resolve(settings, credentials, ports)
        shared = Catalogue(directory, ports, credentials, addresses, run_id="").shared_variables()
        return cls(
            clickhouse_url=addresses.clickhouse_url,
            clickhouse_admin_url=addresses.clickhouse_admin_url,
            clickhouse_reader_url=addresses.clickhouse_reader_url,
            database_url=addresses.database_url,
            dagster_database_url=addresses.dagster_database_url,
            redis_url=addresses.redis_url,
            data_dir=directory.root,
            port_base=settings.port_base,
            variables=shared | _others(addresses),
        )

    def address_of(self, service: str) -> str:
        """Return the HTTP address of one of our services, without a slash at its end."""
        return f"http://{LOOPBACK}:{Ports(self.port_base).of(service)}"


def _others(addresses: Addresses) -> dict[str, str]:
    parts = urlsplit(addresses.clickhouse_url)
    return {
        "RADIXINSIGHT_CLICKHOUSE_READER_URL": addresses.clickhouse_reader_url,
        "RADIXINSIGHT_CLICKHOUSE_ADMIN_URL": addresses.clickhouse_admin_url,
        "RADIXINSIGHT_DBT_HOST": parts.hostname or "",
        "RADIXINSIGHT_DBT_PORT": str(parts.port or 8123),
        "RADIXINSIGHT_DBT_USER": unquote(parts.username or "default"),
        "RADIXINSIGHT_DBT_PASSWORD": unquote(parts.password or ""),
    }
