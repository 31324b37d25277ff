"""Which port each process listens on, and what to say when one is taken."""

import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import psutil

from runtime.errors import PortTakenError

LOOPBACK = "127.0.0.1"
OFFSETS = {
    "api": 0,
    "collector": 1,
    "dagster-web": 2,
    "clickhouse": 3,
    "postgres": 4,
    "valkey": 5,
    "dagster-code": 6,
    "shipper": 7,
    "consumer": 8,
}
# From here on: of several processes each has a port of its own too, 32 at most.
_OWN = {"collector": 9, "api": 50}
_HIGHEST_BASE = 65000
_STEP = 100


@dataclass(frozen=True)
class Ports:
    """The ports of one installation, counted from its base."""

    base: int

    def of(self, service: str) -> int:
        """Return the port of a process."""
        return self.base + OFFSETS[service]

    def own(self, service: str, number: int) -> int:
        """Return the port that the first, second, … of several processes of a service has for itself."""
        return self.base + _OWN[service] + number - 1

    def check(self, needed: Mapping[int, str]) -> None:
        """Raise PortTakenError when a port that is needed is taken, naming whose it is, its holder and a way out."""
        taken = {port: name for port, name in needed.items() if not is_free(port)}
        if not taken:
            return
        lines = [f"Port {port} ({name}) is taken{_holder(port)}." for port, name in taken.items()]
        alternative = self.alternative(needed)
        if alternative is not None:
            lines.append(f"Stop what holds it, or use other ports: --port-base {alternative}")
        raise PortTakenError("\n".join(lines))

    def alternative(self, needed: Iterable[int] = ()) -> int | None:
        """Return the next base whose ports are all free, those that stand where the `needed` ones do too; or None."""
        offsets = {*OFFSETS.values(), *(port - self.base for port in needed)}
        for base in range(self.base + _STEP, _HIGHEST_BASE, _STEP):
            if all(is_free(base + offset) for offset in offsets):
                return base
        return None


def is_free(port: int) -> bool:
    """Say whether a server could listen on this port of the loopback address."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a port in TIME_WAIT from the previous run is not taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _holder(port: int) -> str:
    try:
        for connection in psutil.net_connections("inet"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr[1] == port:
                if connection.pid is None:
                    break
                return f" by process {connection.pid} ({psutil.Process(connection.pid).name()})"
    except psutil.Error:
        pass
    return " by another process"
