"""The system's processes: how each is started, what it needs, and when it is ready."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from importlib.util import find_spec

import psycopg

from runtime import dagster_home, dagster_status, postgres, readiness, valkey
from runtime.addresses import Addresses, without_password
from runtime.credentials import Credentials
from runtime.directory import DataDirectory
from runtime.errors import OperationError
from runtime.ports import LOOPBACK, OFFSETS, Ports
from runtime.service import Service
from runtime.state import now

ENGINES = ("clickhouse", "postgres", "valkey")
# Started by the demo alone.
ON_REQUEST = ("trickle",)
# A question to the webserver costs it 10 ms of the processor that everybody needs at that time.
_DAGSTER_POLL_S = 0.3
# They carry passwords: a process gets those that it asks for, whatever the caller's environment holds.
_ADDRESSES = frozenset({"CLICKHOUSE_URL", "DATABASE_URL", "DAGSTER_DATABASE_URL", "DAGSTER_POSTGRES_URL", "REDIS_URL"})
_WITHHELD = _ADDRESSES | {
    *(f"RADIXINSIGHT_{name}" for name in _ADDRESSES),
    "RADIXINSIGHT_CLICKHOUSE_ADMIN_URL",
    "RADIXINSIGHT_CLICKHOUSE_READER_URL",
    "RADIXINSIGHT_DBT_PASSWORD",
}
# The first one's canaries go to any of them.
_OF_FURTHER = {"collector": {"RADIXINSIGHT_COLLECTOR_CANARY_INTERVAL_S": "0"}}
_MODULES = {
    "clickhouse": "runtime.clickhouse.__main__",
    "migrate": "core.migrate",
    "collector": "ingestion.__main__",
    "shipper": "ingestion.shipper",
    "consumer": "ingestion.kafka",
    "importer": "ingestion.importing.importer",
    "api": "api.__main__",
    "dagster-code": "orchestration.definitions",
    "dagster-web": "orchestration.definitions",
    "dagster-daemon": "orchestration.definitions",
}


class Catalogue:
    """Every process of one installation, by name, with its command, environment and readiness."""

    def __init__(
        self,
        directory: DataDirectory,
        ports: Ports,
        credentials: Credentials,
        addresses: Addresses,
        *,
        run_id: str,
        collectors: int = 1,
        api_processes: int = 1,
    ) -> None:
        self._directory = directory
        self._ports = ports
        self._credentials = credentials
        self._addresses = addresses
        self._run_id = run_id
        self._own_ports: dict[int, str] = {}
        """Of several collectors and processes of the API."""
        made = [
            self._clickhouse(),
            self._postgres(),
            self._valkey(),
            self._migrate(),
            *self._several(self._collector(), collectors),
            self._shipper(),
            *([self._consumer()] if addresses.kafka_brokers else []),
            self._importer(),
            *self._several(self._api(), api_processes),
            *self._dagster(),
            self._trickle(),
        ]
        self._services = {service.name: service for service in made}

    def __getitem__(self, name: str) -> Service:
        """Return a process by its name."""
        return self._services[name]

    @property
    def names(self) -> tuple[str, ...]:
        """Every name, in the order in which they are shown."""
        return tuple(self._services)

    def select(self, only: Iterable[str] = ()) -> list[Service]:
        """Return what has to run: `only` and all that it needs, or everything that is installed.

        Engines that the operator provides are left out. Raises OperationError for an unknown name.
        """
        wanted = list(only)
        unknown = [name for name in wanted if name not in self._services]
        if unknown:
            raise OperationError(f"There is no process {', '.join(unknown)}. Known: {', '.join(self.names)}.")
        missing = [name for name in wanted if not _is_installed(name)]
        if missing:
            raise OperationError(f"{', '.join(missing)} can't be started: the package is not installed.")
        pending = wanted or [name for name in self.names if name not in ON_REQUEST]
        chosen: set[str] = set()
        while pending:
            name = pending.pop()
            if name not in chosen and name not in self._addresses.external and _is_installed(name):
                chosen.add(name)
                pending.extend((*self._services[name].needs, *self._services[name].companions))
        return [service for name, service in self._services.items() if name in chosen]

    def ports(self, services: Iterable[Service]) -> dict[int, str]:
        """Return the ports on which these will listen, and whose each is."""
        names = {service.name for service in services}
        listening = {self._ports.of(name): name for name in OFFSETS if name in names}
        return listening | {port: name for port, name in self._own_ports.items() if name in names}

    def environment(self, *addresses: str, **own: str) -> dict[str, str]:
        """Return a process's environment: the caller's, the `addresses` that it needs, and its own variables."""
        inherited = {name: value for name, value in os.environ.items() if name not in _WITHHELD}
        shared = self.shared_variables()
        told = {name: value for name, value in shared.items() if name in addresses or name not in _ADDRESSES}
        return inherited | told | {"RADIXINSIGHT_RUN": self._run_id, "TZ": "UTC", "PYTHONUNBUFFERED": "1"} | own

    def shared_variables(self) -> dict[str, str]:
        """Return what processes are told, and what `radixinsight env` prints."""
        return {
            "CLICKHOUSE_URL": self._addresses.clickhouse_url,
            "DATABASE_URL": self._addresses.database_url,
            "DAGSTER_DATABASE_URL": self._addresses.dagster_database_url,
            "REDIS_URL": self._addresses.redis_url,
            "RADIXINSIGHT_DATA_DIR": str(self._directory.root),
            "RADIXINSIGHT_PORT_BASE": str(self._ports.base),
            "RADIXINSIGHT_ORCHESTRATION_API_URL": os.environ.get(
                "RADIXINSIGHT_ORCHESTRATION_API_URL", f"http://{LOOPBACK}:{self._ports.of('api')}"
            ),
            "DAGSTER_POSTGRES_URL": dagster_home.storage_url(self._addresses.dagster_database_url),
            "DAGSTER_HOME": str(self._directory.dagster),
            "DAGSTER_DISABLE_TELEMETRY": "1",
            "DO_NOT_TRACK": "1",
        }

    def _clickhouse(self) -> Service:
        port = self._ports.of("clickhouse")
        own = {
            "RADIXINSIGHT_CLICKHOUSE_HOST": LOOPBACK,
            "RADIXINSIGHT_CLICKHOUSE_PORT": str(port),
            "RADIXINSIGHT_CLICKHOUSE_DATA_DIR": str(self._directory.clickhouse),
            # All stop within 5 s; the server's own default would use up the engines' half of it.
            "RADIXINSIGHT_CLICKHOUSE_STOP_TIMEOUT_S": "1.0",
            "RADIXINSIGHT_CLICKHOUSE_ADMIN_PASSWORD": self._credentials.clickhouse_admin,
            "RADIXINSIGHT_CLICKHOUSE_RADIXINSIGHT_PASSWORD": self._credentials.clickhouse_radixinsight,
            "RADIXINSIGHT_CLICKHOUSE_READER_PASSWORD": self._credentials.clickhouse_reader,
        }
        return Service(
            name="clickhouse",
            command=lambda: _module("runtime.clickhouse"),
            environment=self.environment(**own),
            address=f"http://{LOOPBACK}:{port}",
            is_ready=partial(readiness.answers_http, port, "/ping"),
            is_engine=True,
            grace_s=2.5,
        )

    def _postgres(self) -> Service:
        port = self._ports.of("postgres")
        cluster = self._directory.postgres
        admin_url = self._addresses.database_admin_url
        credentials = self._credentials

        async def is_ready() -> bool:
            if not await readiness.accepts_connections(port) or not await asyncio.to_thread(
                postgres.is_ready, admin_url
            ):
                return False
            try:
                await asyncio.to_thread(postgres.provision, admin_url, credentials.postgres_radixinsight)
            except psycopg.Error:
                # Its log has the server's own words; the next question tries again.
                return False
            return True

        return Service(
            name="postgres",
            command=lambda: postgres.command(cluster, port),
            environment=postgres.environment()
            | {"RADIXINSIGHT_RUN": self._run_id, "RADIXINSIGHT_DATA_DIR": str(self._directory.root)},
            address=f"{LOOPBACK}:{port}",
            prepare=lambda: postgres.prepare(cluster, postgres.identity_for(cluster), credentials.postgres_superuser),
            identity=lambda: postgres.identity_for(cluster),
            is_ready=is_ready,
            is_engine=True,
            # "Fast": clients are disconnected; the default signal would wait for them.
            stop_signal=signal.SIGINT,
            grace_s=2.5,
        )

    def _valkey(self) -> Service:
        port = self._ports.of("valkey")
        password = self._credentials.valkey
        return Service(
            name="valkey",
            command=lambda: valkey.command(self._directory.valkey),
            environment=self.environment(),
            address=f"{LOOPBACK}:{port}",
            prepare=lambda: valkey.prepare(self._directory.valkey, port, password),
            is_ready=partial(valkey.is_ready, port, password),
            is_engine=True,
        )

    def _migrate(self) -> Service:
        return Service(
            name="migrate",
            command=lambda: _module("core.migrate"),
            environment=self.environment("CLICKHOUSE_URL", "DATABASE_URL"),
            needs=("clickhouse", "postgres"),
            once=True,
        )

    def _collector(self) -> Service:
        port = self._ports.of("collector")
        return Service(
            name="collector",
            command=lambda: _module("ingestion"),
            environment=self.environment("DATABASE_URL", "REDIS_URL", RADIXINSIGHT_COLLECTOR_PORT=str(port)),
            # Not "migrate": events are taken, and wait in the spool, while ClickHouse is what is broken.
            needs=("postgres",),
            companions=("migrate", "valkey"),
            address=f"http://{LOOPBACK}:{port}",
            is_ready=partial(readiness.answers_http, port, "/readyz"),
        )

    def _several(self, alone: Service, number: int) -> list[Service]:
        """Return a service as it is, or with `…-2` and so on as several processes that share its port."""
        if number == 1:
            return [alone]
        names = [alone.name, *(f"{alone.name}-{which}" for which in range(2, number + 1))]
        made: list[Service] = []
        for which, name in enumerate(names, 1):
            own_port = self._ports.own(alone.name, which)
            own = {f"RADIXINSIGHT_{alone.name.upper()}_OWN_PORT": str(own_port)}
            if which > 1:
                own |= _OF_FURTHER.get(alone.name, {})
            self._own_ports[own_port] = name
            made.append(
                replace(
                    alone,
                    name=name,
                    environment=alone.environment | own,
                    companions=(*alone.companions, *names),
                    address=alone.address if which == 1 else f"http://{LOOPBACK}:{own_port}",
                    is_ready=partial(readiness.answers_http, own_port, "/readyz"),
                )
            )
        return made

    def _shipper(self) -> Service:
        port = self._ports.of("shipper")
        # To Kafka it ships whether ClickHouse is there or not.
        to_clickhouse = not self._addresses.kafka_brokers
        return Service(
            name="shipper",
            command=lambda: _module("ingestion.shipper"),
            environment=self.environment("CLICKHOUSE_URL", RADIXINSIGHT_SHIPPER_PORT=str(port)),
            needs=("migrate",) if to_clickhouse else (),
            address=f"http://{LOOPBACK}:{port}",
            is_ready=partial(readiness.answers_http, port, "/readyz"),
        )

    def _consumer(self) -> Service:
        port = self._ports.of("consumer")
        return Service(
            name="consumer",
            command=lambda: _module("ingestion.kafka"),
            environment=self.environment("CLICKHOUSE_URL", RADIXINSIGHT_CONSUMER_PORT=str(port)),
            needs=("migrate",),
            address=f"http://{LOOPBACK}:{port}",
            is_ready=partial(readiness.answers_http, port, "/readyz"),
        )

    def _importer(self) -> Service:
        return Service(
            name="importer",
            command=lambda: _module("ingestion.importing.importer"),
            environment=self.environment("CLICKHOUSE_URL", "DATABASE_URL"),
            needs=("migrate",),
        )

    def _api(self) -> Service:
        port = self._ports.of("api")
        address = f"http://{LOOPBACK}:{port}"
        return Service(
            name="api",
            command=lambda: _module("api"),
            environment=self.environment(
                *("DATABASE_URL", "REDIS_URL"),
                RADIXINSIGHT_API_PORT=str(port),
                RADIXINSIGHT_API_PUBLIC_URL=os.environ.get("RADIXINSIGHT_API_PUBLIC_URL", address),
                RADIXINSIGHT_API_DAGSTER_URL=f"http://{LOOPBACK}:{self._ports.of('dagster-web')}",
                CLICKHOUSE_URL=self._addresses.clickhouse_reader_url,
            ),
            needs=("migrate", "valkey"),
            address=address,
            is_ready=partial(readiness.answers_http, port, "/readyz"),
        )

    def _dagster(self) -> list[Service]:
        # The three import Dagster side by side, which is what a start takes longest for. The code server needs no
        # engine to load the definitions; the webserver and the daemon find it when it is there.
        home = self._directory.dagster
        code_port = self._ports.of("dagster-code")
        web_port = self._ports.of("dagster-web")
        workspace = ("--workspace", str(home / "workspace.yaml"))
        launched_at = {"code": 0.0, "daemon": 0.0}

        def prepare_code() -> None:
            dagster_home.prepare(home, code_port)
            launched_at["code"] = now()

        def prepare_daemon() -> None:
            dagster_home.prepare(home, code_port)
            launched_at["daemon"] = now()

        async def tidy_runs() -> None:
            await dagster_status.cancel_abandoned_runs(web_port, launched_at["code"])

        code = Service(
            name="dagster-code",
            command=lambda: _module(
                *("dagster", "api", "grpc", "--module-name", "orchestration.definitions"),
                *("--host", LOOPBACK, "--port", str(code_port), "--location-name", dagster_home.LOCATION),
            ),
            environment=self.environment("CLICKHOUSE_URL", "DATABASE_URL", "DAGSTER_POSTGRES_URL"),
            companions=("migrate",),
            address=f"{LOOPBACK}:{code_port}",
            prepare=prepare_code,
            is_ready=partial(readiness.accepts_connections, code_port),
            on_ready=tidy_runs,
        )
        web = Service(
            name="dagster-web",
            command=lambda: _module("dagster_webserver", "--host", LOOPBACK, "--port", str(web_port), *workspace),
            environment=self.environment("DAGSTER_POSTGRES_URL"),
            needs=("postgres",),
            companions=("dagster-code",),
            address=f"http://{LOOPBACK}:{web_port}",
            prepare=partial(dagster_home.prepare, home, code_port),
            is_ready=partial(dagster_status.has_loaded_definitions, web_port),
            poll_s=_DAGSTER_POLL_S,
            on_ready=tidy_runs,
        )
        daemon = Service(
            name="dagster-daemon",
            command=lambda: _module("dagster._daemon", "run", *workspace),
            environment=self.environment("DAGSTER_POSTGRES_URL"),
            needs=("postgres",),
            companions=("dagster-web",),
            prepare=prepare_daemon,
            is_ready=lambda: dagster_status.daemons_are_at_work(web_port, launched_at["daemon"]),
            poll_s=_DAGSTER_POLL_S,
        )
        return [code, web, daemon]

    def _trickle(self) -> Service:
        return Service(
            name="trickle",
            command=lambda: _module("runtime.demo.trickle"),
            environment=self.environment(),
            needs=("collector",),
        )

    def shown(self) -> dict[str, str]:
        """Return the engines' addresses without their passwords, for people."""
        return {
            "clickhouse": without_password(self._addresses.clickhouse_url),
            "postgres": without_password(self._addresses.database_url),
            "valkey": without_password(self._addresses.redis_url),
        }


def _module(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "runtime.program", name, *arguments]


def _is_installed(name: str) -> bool:
    first, _, number = name.rpartition("-")
    module = _MODULES.get(first if number.isdigit() else name)
    if module is None:
        return True
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
