"""The server process: listens, gives every connection a thread, and stops in order."""

import contextlib
import fcntl
import os
import resource
import selectors
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from types import FrameType
from typing import IO

import structlog

from runtime.clickhouse.access import Guard
from runtime.clickhouse.config import write_config
from runtime.clickhouse.deduplication import forget_lost_inserts
from runtime.clickhouse.engine import Engine, enter
from runtime.clickhouse.errors import ClickHouseError
from runtime.clickhouse.http import Reader
from runtime.clickhouse.incoming import BadRequestError, ConnectionEndedError
from runtime.clickhouse.query import Queries
from runtime.clickhouse.running import Running
from runtime.clickhouse.service import Service
from runtime.clickhouse.sessions import Sessions
from runtime.clickhouse.settings import ClickHouseServerSettings
from runtime.clickhouse.spill import SpillSpace
from runtime.clickhouse.users import Users

_logger = structlog.get_logger()

_BACKLOG = 1024
_TICK_SECONDS = 0.2
_LINGER_SECONDS = 2.0
_KILL_SECONDS = 1.5


_DESCRIPTORS = 65536


class StartError(Exception):
    """The server cannot start; the message says why and what to do."""


class Server:
    """One server on one data directory."""

    def __init__(self, settings: ClickHouseServerSettings) -> None:
        self._settings = settings
        self._directory = settings.data_dir.resolve()
        self._listener = self._listen()
        self._lock_file = self._lock()
        temporary = self._directory / "results"
        # What a killed server left behind.
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        _raise_descriptor_limit()
        config = write_config(settings, self._directory)
        started = time.monotonic()
        enter(temporary)
        engine_directory = self._directory / "engine"
        forgotten = forget_lost_inserts(engine_directory)
        if forgotten:
            _logger.warning("lost_inserts_forgotten", count=forgotten)
        try:
            self._engine = Engine(engine_directory, config, max_idle=settings.max_idle_handles)
        except ClickHouseError as error:
            raise StartError(f"The engine does not start on {self._directory}: {error}") from None
        self._sessions = Sessions(self._engine, settings)
        self._running = Running(self._engine, limit=settings.max_concurrent_queries)
        spill = SpillSpace(temporary, settings.max_held_result_bytes)
        queries = Queries(self._engine, self._sessions, self._running, Guard.of(self._engine), spill)
        self._service = Service(queries, Users(settings), settings)
        self._connections: dict[socket.socket, bool] = {}
        """Open connections, and whether a request is being answered on each."""
        self._connections_lock = threading.Lock()
        self._is_stopping = False
        self._wake_reading, self._wake_writing = socket.socketpair()
        self._wake_writing.settimeout(0)
        _logger.info("engine_started", version=self._engine.version, elapsed_s=round(time.monotonic() - started, 2))

    def _listen(self) -> socket.socket:
        settings = self._settings
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, settings.port))
        except OSError as error:
            raise StartError(
                f"Cannot listen on {settings.host}:{settings.port}: {error.strerror}. Another program may have taken "
                "port {settings.port}; set RADIXINSIGHT_CLICKHOUSE_PORT to a free one.".replace(
                    "{settings.port}", str(settings.port)
                )
            ) from None
        return listener

    def _lock(self) -> IO[str]:
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            lock_file = (self._directory / "lock").open("a")
        except OSError as error:
            raise StartError(f"Cannot use the data directory {self._directory}: {error.strerror}") from None
        try:
            fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StartError(
                f"The data directory {self._directory} is already in use by another server; one process owns it."
            ) from None
        return lock_file

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then stop: let queries finish for a while, kill the rest, close the engine."""
        # The system may hand a signal to any thread, the engine's own included: the byte that is written there wakes
        # this one, which alone runs handlers.
        signal.set_wakeup_fd(self._wake_writing.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        threading.Thread(target=self._tend, name="tend", daemon=True).start()
        self._listener.listen(_BACKLOG)
        self._listener.settimeout(0)
        _logger.info("listening", host=self._settings.host, port=self._settings.port, pid=os.getpid())
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._wake_reading, selectors.EVENT_READ)
            while not self._is_stopping:
                for key, _ in selector.select():
                    if key.fileobj is self._listener:
                        self._accept()
        self._stop()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._is_stopping = True

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError as error:
            # Out of descriptors: what is open goes on, and the next connection is tried a little later.
            if not isinstance(error, BlockingIOError):
                _logger.warning("connection_not_accepted", error=str(error))
                time.sleep(_TICK_SECONDS)
            return
        limit = self._settings.max_connections
        with self._connections_lock:
            is_full = len(self._connections) >= limit
            if not is_full:
                self._connections[sock] = False
        if is_full:
            detail = f"Too many connections: {limit} are open (RADIXINSIGHT_CLICKHOUSE_MAX_CONNECTIONS)"
            self._refuse_at_the_door(sock, detail)
            return
        try:
            threading.Thread(target=self._serve, args=(sock,), name="connection", daemon=True).start()
        except RuntimeError:
            with self._connections_lock:
                del self._connections[sock]
            self._refuse_at_the_door(sock, "No thread can be started for this connection")

    def _refuse_at_the_door(self, sock: socket.socket, detail: str) -> None:
        with contextlib.suppress(OSError):
            self._service.refuse(sock, HTTPStatus.SERVICE_UNAVAILABLE, detail)
            # Reading what has come keeps the kernel from answering with a reset, which would swallow the text.
            sock.settimeout(0)
            sock.shutdown(socket.SHUT_WR)
            sock.recv(65536)
        sock.close()

    def _serve(self, sock: socket.socket) -> None:
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._serve_requests(sock)
        except (ConnectionEndedError, OSError):
            pass
        finally:
            with self._connections_lock:
                self._connections.pop(sock, None)
            sock.close()

    def _serve_requests(self, sock: socket.socket) -> None:
        reader = Reader(sock, self._settings)
        while not self._is_stopping:
            try:
                request = reader.read_request()
            except BadRequestError as error:
                self._service.refuse(sock, error.status, error.detail)
                self._linger(sock)
                return
            with self._connections_lock:
                self._connections[sock] = True
            is_open = self._service.answer(request, sock)
            with self._connections_lock:
                self._connections[sock] = False
            if not is_open:
                if not request.body.is_done:
                    self._linger(sock)
                return

    @staticmethod
    def _linger(sock: socket.socket) -> None:
        """Let a client that still writes read its answer: closing with unread bytes would reset the connection."""
        deadline = time.monotonic() + _LINGER_SECONDS
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_WR)
            sock.settimeout(_LINGER_SECONDS)
            while time.monotonic() < deadline and sock.recv(1024**2):
                pass

    def _tend(self) -> None:
        """End abandoned queries and expired sessions."""
        ticks = 0
        while not self._is_stopping:
            time.sleep(_TICK_SECONDS)
            ticks += 1
            self._guarded(self._running.kill_abandoned)
            if ticks % 5 == 0:
                self._guarded(self._sessions.end_expired)

    @staticmethod
    def _guarded(task: Callable[[], None]) -> None:
        try:
            task()
        except Exception:  # the next tick tries again
            _logger.exception("tending_failed")

    def _stop(self) -> None:
        started = time.monotonic()
        self._listener.close()
        self._close_idle()
        self._wait(self._settings.stop_timeout_s)
        if self._is_busy():
            _logger.info("killing_queries", count=len(self._running))
            deadline = time.monotonic() + _KILL_SECONDS
            while self._is_busy() and time.monotonic() < deadline:
                self._running.kill_all()
                self._wait(_TICK_SECONDS)
        is_clean = len(self._running) == 0
        if is_clean:
            self._sessions.end_all()
            self._engine.shutdown()
        _logger.info("stopped", clean=is_clean, elapsed_s=round(time.monotonic() - started, 2))

    def _is_busy(self) -> bool:
        with self._connections_lock:
            return any(self._connections.values())

    def _wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self._is_busy() and time.monotonic() < deadline:
            time.sleep(0.01)

    def _close_idle(self) -> None:
        with self._connections_lock:
            for sock, is_busy in self._connections.items():
                if not is_busy:
                    with contextlib.suppress(OSError):
                        sock.shutdown(socket.SHUT_RDWR)


def _raise_descriptor_limit() -> None:
    """Take what the system grants: the usual 1024 are soon used by connections, their pipes and open parts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(_DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
