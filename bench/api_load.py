"""The load of `api.py`: questions over kept connections, from a process of its own that costs little.

    python bench/api_load.py PORT FILE --connections 8 --seconds 5

FILE is a JSON array of whole HTTP requests as text. Each connection asks them in turn, beginning at another one, and
asks the next when it has the answer. Prints a JSON object: answers a second, and how long they took in milliseconds.
"""

import argparse
import json
import re
import socket
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

_CONTENT_LENGTH = re.compile(rb"(?i)content-length: *(\d+)")


@dataclass
class Asker:
    """One connection, on a thread of its own."""

    port: int
    requests: list[bytes]
    first: int
    latencies_ms: list[float] = field(default_factory=list[float])
    failures: list[str] = field(default_factory=list[str])

    def connect(self) -> None:
        """Connect."""
        self.socket = socket.create_connection(("127.0.0.1", self.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def run(self, until: float) -> None:
        """Ask until then."""
        number = self.first
        while (began := time.perf_counter()) < until:
            answer = self._ask(self.requests[number % len(self.requests)])
            self.latencies_ms.append((time.perf_counter() - began) * 1000)
            if not answer.startswith(b"HTTP/1.1 200"):
                self.failures.append(answer.decode(errors="replace"))
            number += 1

    def _ask(self, request: bytes) -> bytes:
        self.socket.sendall(request)
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


def main() -> int:
    """Ask and report."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("file", type=Path)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=5.0)
    arguments = parser.parse_args()
    requests = [text.encode() for text in json.loads(arguments.file.read_bytes())]
    askers = [Asker(arguments.port, requests, number) for number in range(arguments.connections)]
    for asker in askers:
        asker.connect()
    began = time.perf_counter()
    threads = [threading.Thread(target=asker.run, args=(began + arguments.seconds,)) for asker in askers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    latencies = sorted(latency for asker in askers for latency in asker.latencies_ms)
    failures = [failure for asker in askers for failure in asker.failures]
    json.dump(
        {
            "per_second": (len(latencies) - len(failures)) / seconds,
            "failures": failures[:1],
            "p50_ms": latencies[len(latencies) // 2],
            "p95_ms": latencies[int(len(latencies) * 0.95)],
            "cpu_s": time.process_time(),
        },
        sys.stdout,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
