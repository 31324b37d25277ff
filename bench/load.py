"""What `api_load.py` and `ingest_load.py` share: kept connections, a thread for each, and what is said of them."""

import re
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

_CONTENT_LENGTH = re.compile(rb"(?i)content-length: *(\d+)")


@dataclass
class Connection:
    """One connection to a server on this machine, and how its requests went."""

    port: int
    latencies_ms: list[float] = field(default_factory=list[float])
    failures: list[str] = field(default_factory=list[str])

    def connect(self) -> None:
        """Connect."""
        self.socket = socket.create_connection(("127.0.0.1", self.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, request: bytes, due: float) -> None:
        """Send a request and wait for its answer, which counts from when it was due."""
        self.socket.sendall(request)
        answer = self._receive()
        self.latencies_ms.append((time.perf_counter() - due) * 1000)
        if not answer.startswith(b"HTTP/1.1 200"):
            self.failures.append(answer.decode(errors="replace"))

    def _receive(self) -> bytes:
        answer = b""
        while (end := answer.find(b"\r\n\r\n")) < 0 or len(answer) < end + 4 + _length(answer):
            more = self.socket.recv(262_144)
            if not more:
                raise ConnectionError(f"The answer ends after {len(answer)} bytes.")
            answer += more
        return answer


def _length(answer: bytes) -> int:
    match = _CONTENT_LENGTH.search(answer)
    return int(match.group(1)) if match else 0


def run_all(connections: Sequence[Connection], run: Callable[[int, float], None]) -> dict[str, Any]:
    """Run each connection on a thread, by its number and the moment at which all begin; return what was found.

    Seconds, requests and those of them that succeeded, latencies in milliseconds, the first failure, and the
    processor's time.
    """
    began = time.perf_counter()
    threads = [threading.Thread(target=run, args=(number, began)) for number in range(len(connections))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    latencies = sorted(latency for each in connections for latency in each.latencies_ms)
    failures = [failure for each in connections for failure in each.failures]
    return {
        "seconds": seconds,
        "requests": len(latencies),
        "succeeded": len(latencies) - len(failures),
        "failures": failures[:1],
        "p50_ms": latencies[len(latencies) // 2],
        "p95_ms": latencies[int(len(latencies) * 0.95)],
        "p99_ms": latencies[int(len(latencies) * 0.99)],
        "cpu_s": time.process_time(),
    }
