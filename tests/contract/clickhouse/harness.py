"""Starts the embedded server as its own process and speaks plain HTTP to it, with nothing decoded behind the back."""

import base64
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import clickhouse_connect
import psutil
from clickhouse_connect.driver.client import Client

PASSWORDS = {"admin": "a-secret", "radixinsight": "r-secret", "reader": "q-secret"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass(frozen=True)
class Answer:
    """One HTTP answer: header names in lower case, body as it stood on the wire (chunks joined).

    `complete` is false when the connection ended before the body did, which is how a failure in mid-stream shows.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    complete: bool = True

    @property
    def text(self) -> str:
        """The body as UTF-8."""
        return self.body.decode()

    @property
    def code(self) -> int:
        """The engine's error code, 0 when there is none."""
        return int(self.headers.get("x-clickhouse-exception-code", "0"))


@dataclass
class Server:
    """A server process of a test's own, with its data directory, port and users."""

    data_dir: Path
    port: int = field(default_factory=free_port)
    environment: dict[str, str] = field(default_factory=dict[str, str])
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """What the process wrote to its output."""
        return self.data_dir.parent / f"{self.data_dir.name}.log"

    def launch(self) -> "subprocess.Popen[bytes]":
        """Start the process without waiting for it to answer."""
        environment = {
            key: value for key, value in os.environ.items() if not key.startswith(("RADIXINSIGHT_", "CLICKHOUSE"))
        }
        environment |= {
            "TZ": "UTC",
            "RADIXINSIGHT_CLICKHOUSE_PORT": str(self.port),
            "RADIXINSIGHT_CLICKHOUSE_DATA_DIR": str(self.data_dir),
            **{f"RADIXINSIGHT_CLICKHOUSE_{user.upper()}_PASSWORD": word for user, word in PASSWORDS.items()},
            **self.environment,
        }
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "runtime.clickhouse"], env=environment, stdout=log, stderr=subprocess.STDOUT
            )

    def start(self, timeout_s: float = 30) -> "Server":
        """Start the process and wait until it answers a ping."""
        self.process = self.launch()
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended with {self.process.returncode}:\n{self.log.read_text()}")
            try:
                if self.get("/ping").status == http.client.OK:
                    return self
            except OSError:
                time.sleep(0.02)
        raise AssertionError(f"the server did not answer within {timeout_s} s:\n{self.log.read_text()}")

    def kill(self) -> None:
        """End the process as a power cut would."""
        self.signal(signal.SIGKILL)

    def stop(self) -> int:
        """Ask the process to end, and return its exit status."""
        return self.signal(signal.SIGTERM)

    def signal(self, number: int) -> int:
        """Send a signal and return the exit status, negative when the signal itself ended the process."""
        if self.process is None:
            return 0
        self.process.send_signal(number)
        status = self.process.wait(timeout=30)
        self.process = None
        return status

    def rss_bytes(self) -> int:
        """Return the memory that the process holds now."""
        assert self.process is not None
        return psutil.Process(self.process.pid).memory_info().rss

    def connection(self, timeout_s: float = 60) -> http.client.HTTPConnection:
        """Return a connection that is made with its first request."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)

    def request(
        self,
        method: str,
        target: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        user: str | None = "admin",
    ) -> Answer:
        """Send one request on a connection of its own; `user=None` sends no credentials."""
        sent = dict(headers or {})
        if user is not None:
            sent |= basic(user, PASSWORDS[user])
        connection = self.connection()
        try:
            connection.request(method, target, body=body, headers=sent)
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            try:
                return Answer(response.status, names, response.read())
            except http.client.IncompleteRead as error:
                return Answer(response.status, names, error.partial, complete=False)
        finally:
            connection.close()

    def get(self, target: str, headers: Mapping[str, str] | None = None, user: str | None = None) -> Answer:
        """Get a path; without a user no credentials are sent."""
        return self.request("GET", target, headers=headers, user=user)

    def query(
        self,
        sql: str | bytes,
        user: str | None = "admin",
        headers: Mapping[str, str] | None = None,
        **parameters: object,
    ) -> Answer:
        """Post SQL in the body; keyword arguments go into the URL (settings, database, param_x …)."""
        body = sql.encode() if isinstance(sql, str) else sql
        return self.request("POST", target(**parameters), body, headers, user)

    def insert(
        self,
        sql: str,
        data: bytes | Iterable[bytes],
        user: str | None = "admin",
        headers: Mapping[str, str] | None = None,
        **parameters: object,
    ) -> Answer:
        """Insert as most clients do: the statement in the URL, the rows in the body."""
        return self.request("POST", target(query=sql, **parameters), data, headers, user)

    def value(self, sql: str, user: str = "admin", **parameters: object) -> str:
        """Return the one value of a query that has to succeed."""
        answer = self.query(sql, user, None, **parameters)
        assert answer.status == http.client.OK, answer.text
        return answer.text.rstrip("\n")

    def client(self, user: str = "admin", **options: object) -> Client:
        """Connect the way every client of this server in the product does."""
        return clickhouse_connect.get_client(
            host="127.0.0.1",
            port=self.port,
            username=user,
            password=PASSWORDS[user],
            **options,  # pyright: ignore[reportArgumentType] - the library's options differ in type
        )


def target(**parameters: object) -> str:
    """Return the request target for URL parameters."""
    return f"/?{urlencode(parameters)}" if parameters else "/"


def basic(user: str, password: str) -> dict[str, str]:
    """Return the header of HTTP Basic credentials."""
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}
