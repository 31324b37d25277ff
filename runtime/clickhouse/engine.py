"""The engine: its handles, a pool of them, and a way to end what one of them runs."""

import itertools
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog

from runtime.clickhouse.errors import ENGINE_ERRORS, ClickHouseError, from_engine

_logger = structlog.get_logger()

# A handle's queries are found again by a tag in this setting. It is a string that only tables over message queues
# read, which this engine doesn't have; log_comment stays free for clients.
TAG_SETTING = "stream_like_engine_insert_queue"
# What chDB sets otherwise than the real server does.
_AS_THE_REAL_SERVER = "implicit_select = 0, allow_introspection_functions = 0"

_KILL = (
    "kill query where query_id in (select query_id from system.processes "
    "where Settings[{setting:String}] = {tag:String}) async"
)

SettingsKey = tuple[tuple[str, str], ...]


def quote(value: str) -> str:
    """Return `value` as a string literal of ClickHouse."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def quote_name(name: str) -> str:
    """Return `name` as a quoted identifier of ClickHouse."""
    escaped = name.replace("\\", "\\\\").replace("`", "\\`")
    return f"`{escaped}`"


def engine_text(sql: str) -> str | bytes:
    """Return `sql` as chDB takes it; a query may hold bytes that aren't UTF-8, which are surrogates here."""
    try:
        sql.encode()
    except UnicodeEncodeError:
        return sql.encode(errors="surrogateescape")
    return sql


class Handle:
    """One connection to the engine in this process; it runs one query at a time.

    `raw` is chDB's own connection object. `database` and `settings` say in which state it is.
    """

    def __init__(self, raw: Any, tag: str) -> None:
        self.raw = raw
        self.tag = tag
        self.database = "default"
        self.settings: SettingsKey = ()
        self.readonly = False
        self.ending = threading.Lock()
        """Held while a KILL is under way, so that it can't hit the handle's next query."""

    def run(self, sql: str, name: str = "TSV", parameters: Mapping[str, str] | None = None) -> Any:
        """Run one statement and return chDB's result; raises ClickHouseError."""
        try:
            return self.raw.query(engine_text(sql), name, params=parameters or {})
        except ENGINE_ERRORS as error:
            raise from_engine(error) from None

    def apply(self, settings: Mapping[str, str]) -> None:
        """Set settings for the queries to come; raises ClickHouseError."""
        if settings:
            self.run("set " + ", ".join(f"{name} = {quote(value)}" for name, value in settings.items()))

    def use(self, database: str) -> None:
        """Change the current database; raises ClickHouseError when there is none of that name."""
        if database != self.database:
            self.run(f"use {quote_name(database)}")
            self.database = database


class Engine:
    """The engine of this process and its idle handles, keyed by what was set on them."""

    def __init__(self, directory: Path, config: Path, *, max_idle: int) -> None:
        from chdb import _chdb  # noqa: PLC0415 - loading the engine takes 0.3 s and starts threads

        module: Any = _chdb
        self._connect: Any = module.connect
        self._directory = str(directory)
        self._max_idle = max_idle
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._idle: OrderedDict[tuple[bool, str, SettingsKey], list[Handle]] = OrderedDict()
        self._idle_count = 0
        self._is_closed = False
        self._first: Any = self._connect(f"{self._directory}?config-file={config}")
        self._killer = self.open()
        self._killer_lock = threading.Lock()
        self.version = self._killer.run("select version()").bytes().decode().strip()

    def open(self) -> Handle:
        """Open a handle that no pool knows."""
        tag = f"handle-{next(self._numbers)}"
        try:
            handle = Handle(self._connect(self._directory), tag)
        except ENGINE_ERRORS as error:
            raise from_engine(error) from None
        handle.run(f"set {TAG_SETTING} = '{tag}', {_AS_THE_REAL_SERVER}")
        return handle

    def acquire(self, database: str, settings: Mapping[str, str], *, readonly: bool) -> Handle:
        """Take a handle in the wanted state from the pool, or open one."""
        key = (readonly, database, tuple(sorted(settings.items())))
        with self._lock:
            idle = self._idle.get(key)
            if idle:
                handle = idle.pop()
                self._idle_count -= 1
                if not idle:
                    del self._idle[key]
                return handle
        handle = self.open()
        try:
            handle.apply(settings)
            handle.use(database)
            if readonly:
                handle.run("set readonly = 1")
        except ClickHouseError:
            self.close(handle)
            raise
        handle.settings = key[2]
        handle.readonly = readonly
        return handle

    def release(self, handle: Handle, *, reusable: bool) -> None:
        """Give a handle back; one that a statement changed is closed instead."""
        with handle.ending:
            pass
        if not reusable:
            self.close(handle)
            return
        key = (handle.readonly, handle.database, handle.settings)
        surplus: Handle | None = None
        with self._lock:
            if self._is_closed:
                surplus = handle
            else:
                self._idle.setdefault(key, []).append(handle)
                self._idle.move_to_end(key)
                self._idle_count += 1
                if self._idle_count > self._max_idle:
                    oldest = next(iter(self._idle.values()))
                    surplus = oldest.pop(0)
                    self._idle_count -= 1
                    if not oldest:
                        self._idle.popitem(last=False)
        if surplus is not None:
            self.close(surplus)

    @contextmanager
    def borrowed(self, database: str = "default") -> Generator[Handle]:
        """Lend a handle for the server's own questions."""
        handle = self.acquire(database, {}, readonly=False)
        try:
            yield handle
        finally:
            self.release(handle, reusable=True)

    @staticmethod
    def close(handle: Handle) -> None:
        """Close a handle that runs nothing."""
        try:
            handle.raw.close()
        except ENGINE_ERRORS as error:
            _logger.warning("handle_not_closed", error=str(error))

    def kill(self, handle: Handle) -> int:
        """Ask the engine to end what `handle` runs; returns how many queries were found.

        The caller holds `handle.ending`, since before it looked whether the query still runs.
        """
        with self._killer_lock:
            started = time.monotonic()
            result = self._killer.run(_KILL, "TSV", {"setting": TAG_SETTING, "tag": handle.tag})
            rows = result.bytes().count(b"\n")
        _logger.info("query_killed", handle=handle.tag, found=rows, elapsed_s=round(time.monotonic() - started, 3))
        return rows

    def names(self, sql: str) -> frozenset[str]:
        """Return the first column of a query of the server's own."""
        with self.borrowed() as handle:
            return frozenset(handle.run(sql).bytes().decode().split())

    def shutdown(self) -> None:
        """Close every idle handle; nothing may run any more."""
        with self._lock:
            self._is_closed = True
            idle = [handle for handles in self._idle.values() for handle in handles]
            self._idle.clear()
        for handle in [*idle, self._killer]:
            self.close(handle)
        self._first.close()


def enter(directory: Path) -> None:
    """Make `directory` the working directory before the engine is loaded.

    The engine reads a config.xml or users.xml from wherever the process was started; here there is none.
    """
    os.chdir(directory)
    os.environ["TZ"] = "UTC"
    time.tzset()
