from pathlib import Path

import pytest

from runtime.addresses import resolve
from runtime.catalogue import Catalogue
from runtime.credentials import load_credentials
from runtime.directory import DataDirectory
from runtime.ports import Ports
from runtime.settings import RuntimeSettings


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    """Return the processes of an installation that was never started."""
    settings = RuntimeSettings(data_dir=tmp_path, port_base=7100)
    directory = DataDirectory.at(tmp_path)
    directory.create()
    credentials, ports = load_credentials(directory), Ports(settings.port_base)
    return Catalogue(directory, ports, credentials, resolve(settings, credentials, ports), run_id="")


def test_the_collector_waits_for_postgresql_only(catalogue: Catalogue) -> None:
    """Events have to be taken when ClickHouse is what does not start."""
    waited_for, pending = set[str](), ["collector"]
    while pending:
        needs = catalogue[pending.pop()].needs
        waited_for.update(needs)
        pending.extend(needs)
    assert waited_for == {"postgres"}


def test_a_collector_that_is_started_alone_has_its_database_migrated(catalogue: Catalogue) -> None:
    assert "migrate" in {service.name for service in catalogue.select(["collector"])}
