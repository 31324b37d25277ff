import asyncio
import dataclasses
from pathlib import Path

import psycopg
import pytest

from runtime import postgres
from runtime.addresses import resolve
from runtime.catalogue import Catalogue
from runtime.credentials import load_credentials
from runtime.directory import DataDirectory
from runtime.ports import Ports
from runtime.process import SupervisedProcess
from runtime.settings import RuntimeSettings


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    """Return the processes of an installation that was never started."""
    return _catalogue(RuntimeSettings(data_dir=tmp_path, port_base=7100))


def _catalogue(settings: RuntimeSettings) -> Catalogue:
    directory = DataDirectory.at(settings.data_dir)
    directory.create()
    credentials, ports = load_credentials(directory), Ports(settings.port_base)
    return Catalogue(
        directory,
        ports,
        credentials,
        resolve(settings, credentials, ports),
        run_id="",
        collectors=settings.collectors,
        api_processes=settings.api_processes,
    )


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


def test_a_process_is_told_the_passwords_that_it_needs_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = RuntimeSettings(data_dir=tmp_path, port_base=7100)
    monkeypatch.setenv("REDIS_URL", "redis://:inherited@elsewhere/0")
    monkeypatch.setenv("RADIXINSIGHT_CLICKHOUSE_ADMIN_URL", "http://admin:inherited@elsewhere/")
    catalogue = _catalogue(settings)
    credentials = load_credentials(DataDirectory.at(tmp_path))
    passwords = {
        "clickhouse": credentials.clickhouse_radixinsight,
        "reader": credentials.clickhouse_reader,
        "postgres": credentials.postgres_radixinsight,
        "valkey": credentials.valkey,
    }

    def told(name: str) -> set[str]:
        values = " ".join(catalogue[name].environment.values())
        assert "inherited" not in values
        return {engine for engine, password in passwords.items() if password in values}

    assert told("collector") == {"postgres", "valkey"}
    assert told("shipper") == {"clickhouse"}
    assert told("importer") == {"clickhouse", "postgres"}
    assert told("api") == {"reader", "postgres", "valkey"}
    assert told("migrate") == {"clickhouse", "postgres"}
    assert told("dagster-code") == {"clickhouse", "postgres"}
    assert told("dagster-web") == told("dagster-daemon") == {"postgres"}
    assert told("valkey") == told("trickle") == set()


def test_the_consumer_runs_where_kafka_is_and_the_shipper_waits_for_no_clickhouse_there(tmp_path: Path) -> None:
    without = _catalogue(RuntimeSettings(data_dir=tmp_path, port_base=7100))
    with_kafka = _catalogue(RuntimeSettings(data_dir=tmp_path, port_base=7100, kafka_brokers="broker:9092"))
    assert "consumer" not in without.names
    assert (without["shipper"].needs, with_kafka["shipper"].needs) == (("migrate",), ())
    # For the ledger, whenever it is there.
    assert "CLICKHOUSE_URL" in with_kafka["shipper"].environment
    assert "CLICKHOUSE_URL" in with_kafka["consumer"].environment


def test_several_collectors_share_a_port_and_have_one_each(tmp_path: Path) -> None:
    catalogue = _catalogue(RuntimeSettings(data_dir=tmp_path, port_base=7100, collectors=3))
    started = [service for service in catalogue.select(["collector"]) if service.name.startswith("collector")]
    assert [service.name for service in started] == ["collector", "collector-2", "collector-3"]
    told = [service.environment for service in started]
    assert {environment["RADIXINSIGHT_COLLECTOR_PORT"] for environment in told} == {"7101"}
    assert [environment["RADIXINSIGHT_COLLECTOR_OWN_PORT"] for environment in told] == ["7109", "7110", "7111"]
    assert catalogue.ports(started) == {7101: "collector", 7109: "collector", 7110: "collector-2", 7111: "collector-3"}
    # One canary a minute and project, not three.
    name = "RADIXINSIGHT_COLLECTOR_CANARY_INTERVAL_S"
    assert [environment.get(name) for environment in told] == [None, "0", "0"]


def test_several_processes_of_the_api_share_a_port_and_have_one_each(tmp_path: Path) -> None:
    catalogue = _catalogue(RuntimeSettings(data_dir=tmp_path, port_base=7100, api_processes=2))
    started = [service for service in catalogue.select(["api"]) if service.name.startswith("api")]
    assert [service.name for service in started] == ["api", "api-2"]
    assert {service.environment["RADIXINSIGHT_API_PORT"] for service in started} == {"7100"}
    assert [service.environment["RADIXINSIGHT_API_OWN_PORT"] for service in started] == ["7150", "7151"]
    assert catalogue.ports(started) == {7100: "api", 7150: "api", 7151: "api-2"}
    alone = _catalogue(RuntimeSettings(data_dir=tmp_path, port_base=7100))
    assert "RADIXINSIGHT_API_OWN_PORT" not in alone["api"].environment


async def test_postgresql_is_asked_again_while_its_databases_can_not_be_made(
    tmp_path: Path, free_port_base: int
) -> None:
    settings = RuntimeSettings(data_dir=tmp_path, port_base=free_port_base)
    service = _catalogue(settings)["postgres"]
    credentials = load_credentials(DataDirectory.at(tmp_path))
    admin_url = resolve(settings, credentials, Ports(free_port_base)).database_admin_url

    async def accepts_the_administrator() -> bool:
        return await asyncio.to_thread(postgres.is_ready, admin_url)

    log = tmp_path / "logs" / "postgres.log"
    bare = dataclasses.replace(service, is_ready=accepts_the_administrator)
    server = SupervisedProcess(bare, log, start_timeout_s=60, changed=lambda: None)
    running = asyncio.create_task(server.run())
    try:
        await asyncio.wait_for(server.ready.wait(), 60)
        with psycopg.connect(admin_url, autocommit=True) as connection:
            connection.execute("alter database postgres set default_transaction_read_only = on")
            assert not await service.is_ready()
            assert "read-only transaction" in await asyncio.to_thread(log.read_text)
            assert credentials.postgres_radixinsight not in await asyncio.to_thread(log.read_text)
            connection.execute("set transaction_read_only = off")
            connection.execute("alter database postgres reset default_transaction_read_only")
        assert await service.is_ready()
    finally:
        await server.stop()
        await running
