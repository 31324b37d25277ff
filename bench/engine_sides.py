"""The two sides that `embedded_clickhouse.py` compares: the engine in a process of its own, and the server."""

import os
import socket
import subprocess
import sys
import time
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

# The shape of landed events: identifiers, a few repeated words, instants, and properties that differ from row to row.
COLUMNS = """
    project_id UInt32, message_id String, event LowCardinality(String), anonymous_id String,
    timestamp DateTime64(3, 'UTC'), received_at DateTime64(3, 'UTC'), properties String
"""
EVENTS = """
    select
        toUInt32(1) as project_id,
        toString(generateUUIDv4(number)) as message_id,
        concat('event ', toString(number % 19)) as event,
        toString(cityHash64(number % 5000)) as anonymous_id,
        toDateTime64('2026-01-01', 3, 'UTC') + number / 50 as timestamp,
        timestamp + 1 as received_at,
        concat(
            '{{"page":"/catalog/', toString(number % 997), '","price":', toString(rand(1) % 10000),
            ',"session":"', hex(rand64(2)), '","referrer":"https://example.org/', hex(rand64(3)), '","position":',
            toString(rand(4) % 100), ',"variant":"', toString(number % 7), '"}}'
        ) as properties
    from numbers({rows})
"""
TABLES = (
    f"create table landed ({COLUMNS}) engine MergeTree order by (project_id, received_at)",
    f"create table stored ({COLUMNS}) engine MergeTree order by (project_id, received_at)",
)
USER, PASSWORD = "admin", "benchmark"


class Direct:
    """The engine as a Python program has it: one handle, no server."""

    def __init__(self, folder: Path) -> None:
        """Open the engine in `folder` with the settings of durability that the server uses."""
        import chdb  # noqa: PLC0415 - only the process that measures the engine may load it

        config = folder / "config.xml"
        config.write_text(
            "<clickhouse><merge_tree><fsync_after_insert>1</fsync_after_insert>"
            "<fsync_part_directory>1</fsync_part_directory></merge_tree></clickhouse>"
        )
        self.handle: Any = chdb.connect(f"{folder}/data?config-file={config}")
        for table in TABLES:
            self.handle.query(table)
        self.data = b""

    def keep(self, data: bytes) -> None:
        """Hold the rows of the next inserts, so that no pipe stands in the time that is taken."""
        self.data = data

    def rows(self, count: int, name: str) -> bytes:
        """Make insert data."""
        return self.handle.query(EVENTS.format(rows=count), name).bytes()

    def store(self, rows: int) -> None:
        """Fill the table that is streamed, in one part."""
        self.handle.query(f"insert into stored {EVENTS.format(rows=rows)}")
        self.handle.query("optimize table stored final")

    def select_one(self, times: int) -> float:
        """Return the seconds that `times` queries take."""
        started = time.perf_counter()
        for _ in range(times):
            assert self.handle.query("select 1", "TSV").bytes() == b"1\n"
        return time.perf_counter() - started

    def insert(self, name: str) -> float:
        """Return the seconds of one insert of the rows that are kept."""
        self.handle.query("truncate table landed")
        started = time.perf_counter()
        with self.handle.send_insert("insert into landed", name) as inserter:
            inserter.append(self.data)
            assert inserter.finish().rows_written > 0
        return time.perf_counter() - started

    def stream(self) -> tuple[float, int]:
        """Return the seconds of reading the stored table chunk by chunk, and its bytes."""
        started = time.perf_counter()
        size = sum(len(chunk.bytes()) for chunk in self.handle.send_query("select * from stored", "Native"))
        return time.perf_counter() - started, size


def serve_direct(folder: Path, pipe: Connection) -> None:
    """Answer (method, arguments) with what the engine returns, until the other side closes."""
    engine = Direct(folder)
    while True:
        try:
            method, arguments = pipe.recv()
        except EOFError:
            return
        pipe.send(getattr(engine, method)(*arguments))


class Served:
    """The same engine behind HTTP: one kept connection, and a client that costs as little as a client can."""

    def __init__(self, folder: Path) -> None:
        """Start the server on a free port and connect."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        environment = os.environ | {
            "TZ": "UTC",
            "RADIXINSIGHT_CLICKHOUSE_PORT": str(self.port),
            "RADIXINSIGHT_CLICKHOUSE_DATA_DIR": str(folder / "data"),
            **{f"RADIXINSIGHT_CLICKHOUSE_{user}_PASSWORD": PASSWORD for user in ("ADMIN", "RADIXINSIGHT", "READER")},
        }
        self.process = subprocess.Popen([sys.executable, "-m", "runtime.clickhouse"], env=environment)
        self.socket = self._connect()
        for table in TABLES:
            self._exchange(table)

    def _connect(self) -> socket.socket:
        deadline = time.monotonic() + 30
        while True:
            try:
                connected = socket.create_connection(("127.0.0.1", self.port))
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return connected

    def _request(self, sql: str, length: int = 0) -> bytes:
        address = urlencode({"query": sql, "user": USER, "password": PASSWORD})
        return f"POST /?{address} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n".encode()

    def _exchange(self, sql: str, body: bytes = b"") -> int:
        """Send one request and return the size of its answer's body as it came, chunk heads included."""
        self.socket.sendall(self._request(sql, len(body)))
        if body:
            self.socket.sendall(body)
        received = self.socket.recv(1 << 20)
        while b"\r\n\r\n" not in received:
            received += self.socket.recv(1 << 20)
        head, _, rest = received.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), received
        if b"transfer-encoding: chunked" not in head.lower():
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            while len(rest) < length:
                rest += self.socket.recv(1 << 20)
            return length
        size, tail = len(rest), rest[-5:]
        buffer = memoryview(bytearray(1 << 18))
        while tail != b"0\r\n\r\n":
            got = self.socket.recv_into(buffer)
            assert got, "the server closed the connection"
            size, tail = size + got, (tail + bytes(buffer[max(0, got - 5) : got]))[-5:]
        return size

    def select_one(self, times: int) -> float:
        """Return the seconds that `times` queries take, one after the other."""
        started = time.perf_counter()
        for _ in range(times):
            self._exchange("select 1")
        return time.perf_counter() - started

    def insert(self, name: str, data: bytes) -> float:
        """Return the seconds of one insert."""
        self._exchange("truncate table landed")
        started = time.perf_counter()
        self._exchange(f"insert into landed format {name}", data)
        return time.perf_counter() - started

    def store(self, rows: int) -> None:
        """Fill the table that is streamed, in one part."""
        self._exchange(f"insert into stored {EVENTS.format(rows=rows)}")
        self._exchange("optimize table stored final")

    def stream(self) -> tuple[float, int]:
        """Return the seconds of reading the stored table, and the bytes that came."""
        started = time.perf_counter()
        size = self._exchange("select * from stored format Native")
        return time.perf_counter() - started, size

    def close(self) -> None:
        """Stop the server."""
        self.socket.close()
        self.process.terminate()
        self.process.wait(timeout=30)


class Engine:
    """`Direct` in a process of its own, called over a pipe; the time is taken over there."""

    def __init__(self, folder: Path) -> None:
        """Start the process."""
        context = get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=serve_direct, args=(folder, other))
        self.process.start()
        other.close()

    def call(self, method: str, *arguments: Any) -> Any:
        """Run one method of `Direct` over there."""
        self.pipe.send((method, arguments))
        return self.pipe.recv()

    def close(self) -> None:
        """End the process."""
        self.pipe.close()
        self.process.join(timeout=30)
