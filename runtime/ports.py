"""Which port each process listens on, and what to say when one is taken."""

import re
import socket
from collections.abc import Iterable
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
_SEVERAL = re.compile(r"collector-([1-9]\d*)")
_SEVERAL_FROM = 8
_HIGHEST_BASE = 65000
_STEP = 100


@dataclass(frozen=True)
class Ports:
    """The ports of one installation, counted from its base."""

    base: int

    def of(self, service: str) -> int:
        """Return the port of a process, or of `collector-1` and so on: those that several collectors have alone."""
        several = _SEVERAL.fullmatch(service)
        return self.base + (_SEVERAL_FROM + int(several.group(1)) if several else OFFSETS[service])

    def check(self, services: Iterable[str]) -> None:
        """Raise PortTakenError when a port that these processes need is taken, naming its holder and a way out."""
        needed = [name for name in services if name in OFFSETS or _SEVERAL.fullmatch(name)]
        taken = [name for name in needed if not is_free(self.of(name))]
        if not taken:
            return
        lines = [f"Port {self.of(name)} ({name}) is taken{_holder(self.of(name))}." for name in taken]
        alternative = self.alternative()
        if alternative is not None:
            lines.append(f"Stop what holds it, or use other ports: --port-base {alternative}")
        raise PortTakenError("\n".join(lines))

    def alternative(self) -> int | None:
        """Return the next base whose ports are all free, or None."""
        for base in range(self.base + _STEP, _HIGHEST_BASE, _STEP):
            if all(is_free(base + offset) for offset in OFFSETS.values()):
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
