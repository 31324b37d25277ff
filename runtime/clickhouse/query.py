"""Runs one query of a request from its text to the last byte of its result."""

import re
import uuid
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from typing import Any

from runtime.clickhouse import external_tables, insert_query, rewriting, select_query, statement
from runtime.clickhouse.access import Guard
from runtime.clickhouse.answer import Answer
from runtime.clickhouse.engine import Engine, Handle, engine_text
from runtime.clickhouse.errors import ClickHouseError
from runtime.clickhouse.formats import check_name, content_type
from runtime.clickhouse.insert_head import InsertHead
from runtime.clickhouse.query_text import QueryText
from runtime.clickhouse.running import Running, RunningQuery
from runtime.clickhouse.sessions import Session, Sessions
from runtime.clickhouse.spill import SpillSpace
from runtime.clickhouse.statement import Statement
from runtime.clickhouse.users import Role, User

_READ_ONLY, _UNKNOWN = "READ_ONLY", "UNKNOWN"
_CACHED_LENGTH = 8192
_CHAIN = re.compile(r";\s*\S")


@dataclass(slots=True)
class Query:
    """What a request asks for."""

    id: str
    user: User
    database: str
    settings: Mapping[str, str]
    parameters: Mapping[str, str]
    default_format: str
    is_get: bool
    session: Mapping[str, str] | None
    """The URL's parameters about a session, when it names one."""

    def __post_init__(self) -> None:
        """Raise ClickHouseError when `default_format` is no name."""
        check_name(self.default_format)


@dataclass(slots=True)
class Lease:
    """A handle for the time of one query. One that a statement changed doesn't go back to the pool."""

    handle: Handle
    session: Session | None
    is_reusable: bool = True
    is_readonly: bool = False


class Queries:
    """Runs queries on the engine."""

    def __init__(self, engine: Engine, sessions: Sessions, running: Running, guard: Guard, spill: SpillSpace) -> None:
        self.engine = engine
        self.guard = guard
        self.spill = spill
        self._sessions = sessions
        self._running = running
        self._classify = lru_cache(maxsize=4096)(self._classify_anew)

    @contextmanager
    def leased(self, query: Query, *, with_tables: bool = False) -> Generator[Lease]:
        """Lend a handle in the state that the request wants, from its session or from the pool.

        A read-only handle takes no temporary tables any more; `with_tables` asks for one that is closed later on.
        """
        is_reader = query.user.role is Role.READER
        if query.session is None:
            lease = self._from_pool(query, query.database or "default", is_reader=is_reader, with_tables=with_tables)
            with self._returned(lease):
                yield lease
            return
        with self._sessions.entered(query.user, query.session) as session:
            if session.handle is not None:
                yield Lease(session.prepare(query.database, query.settings), session)
                return
            database = query.database or session.database
            lease = self._from_pool(query, database, is_reader=is_reader, with_tables=with_tables)
            lease.session = session
            with self._returned(lease):
                yield lease

    def _from_pool(self, query: Query, database: str, *, is_reader: bool, with_tables: bool) -> Lease:
        if not with_tables:
            return Lease(self.engine.acquire(database, query.settings, readonly=is_reader), None)
        return Lease(self.engine.acquire(database, query.settings, readonly=False), None, is_reusable=False)

    @contextmanager
    def _returned(self, lease: Lease) -> Generator[None]:
        is_sound = False
        try:
            yield
            is_sound = True
        except ClickHouseError:
            is_sound = True
            raise
        finally:
            self.engine.release(lease.handle, reusable=lease.is_reusable and is_sound)

    def run(self, query: Query, text: QueryText, lease: Lease, answer: Answer, sock: Any) -> None:
        """Check and run a query; its result goes into `answer`. Raises ClickHouseError."""
        if text.insert is not None and text.rows is not None:
            self._check_insert(query, text.insert)
            with self._running.entered(
                RunningQuery(query.id, query.user.name, lease.handle, sock, dies_with_client=True)
            ):
                self._insert(query, text.insert, text.rows, lease, answer)
            return
        parsed = statement.parse(text.text)
        if not parsed.first:
            raise ClickHouseError(62, "Empty query")
        self.guard.check(text.text, query.user.role)
        self.guard.check_parameters(query.parameters, text.text, query.user.role)
        kind = self._check(query, parsed, lease)
        with ExitStack() as victims:
            parsed = self._rewritten(query, parsed, victims)
            if query.user.role is Role.READER and not lease.is_reusable:
                lease.handle.run("set readonly = 1")
            # A CREATE may fill a table, which is an insert too.
            dies = kind == _READ_ONLY or parsed.first in {"INSERT", "CREATE"}
            running = RunningQuery(query.id, query.user.name, lease.handle, sock, dies_with_client=dies)
            with self._running.entered(running):
                self._statement(query, parsed, lease, answer, end=partial(self._running.kill, running))

    def _check(self, query: Query, parsed: Statement, lease: Lease) -> str:
        """Refuse chains of statements, and changes by who may only read; returns the statement's class."""
        kind, count = self.classify(lease.handle, parsed.text)
        # A chain that doesn't parse to its end would run up to there.
        if count > 1 or (count == 0 and _CHAIN.search(parsed.text)):
            raise ClickHouseError(62, "Syntax error (Multi-statements are not allowed)")
        if kind in {_READ_ONLY, _UNKNOWN}:
            return kind
        if query.user.role is Role.READER and parsed.first != "USE":
            raise ClickHouseError(164, f"{query.user.name}: Cannot execute query in readonly mode")
        if query.is_get and parsed.first not in {"SET", "USE"}:
            raise _get_is_readonly(query)
        return kind

    def _check_insert(self, query: Query, head: InsertHead) -> None:
        self.guard.check(head.text, query.user.role)
        self.guard.check_parameters(query.parameters, head.text, query.user.role)
        if query.user.role is Role.READER:
            raise ClickHouseError(164, f"{query.user.name}: Cannot execute query in readonly mode")
        if query.is_get:
            raise _get_is_readonly(query)

    def classify(self, handle: Handle, text: str) -> tuple[str, int]:
        """Return the engine's class of a text, and how many statements it holds."""
        if len(text) > _CACHED_LENGTH:
            return _ask(handle, text)
        return self._classify(text)

    def _classify_anew(self, text: str) -> tuple[str, int]:
        with self.engine.borrowed() as handle:
            return _ask(handle, text)

    def _rewritten(self, query: Query, parsed: Statement, victims: ExitStack) -> Statement:
        """Return the statement as the engine understands it; `victims` holds the queries that a KILL names."""
        text = rewriting.name_user(parsed.text, query.user.name)
        if parsed.first == "KILL":

            @cache
            def held_tag(query_id: str) -> str | None:
                return victims.enter_context(self._running.held(query_id))

            text = rewriting.find_killed(text, held_tag)
        return parsed if text is parsed.text else statement.parse(text)

    def _statement(
        self, query: Query, parsed: Statement, lease: Lease, answer: Answer, *, end: Callable[[], None]
    ) -> None:
        handle = lease.handle
        name = parsed.format.name if parsed.format else query.default_format
        if parsed.has_result:
            answer.headers["X-ClickHouse-Format"] = name
            answer.headers["Content-Type"] = content_type(name)
        session = lease.session
        if parsed.changes_context:
            lease.is_reusable = False
            if session is not None:
                session.forget_url_settings()
        if not parsed.is_select or parsed.is_small:
            select_query.run_whole(handle, parsed, name, query.parameters, answer)
        elif name == "Native" and "totals" not in parsed.text.lower():
            select_query.run_native(handle, parsed, query.parameters, answer)
        else:
            select_query.run_document(handle, parsed, name, query.parameters, answer, end=end)
        if session is not None and parsed.first == "USE":
            session.adopt_database(handle)

    def _insert(self, query: Query, head: InsertHead, rows: Iterator[bytes], lease: Lease, answer: Answer) -> None:
        handle = lease.handle
        if head.is_values and query.user.role is not Role.ADMIN:
            # Too long to be looked at for forbidden functions: plain literals only.
            lease.is_reusable = False
            handle.apply({"input_format_values_interpret_expressions": "0"})
            try:
                insert_query.stream_insert(handle, head, rows, answer.summary, query.parameters)
            finally:
                handle.apply({"input_format_values_interpret_expressions": "1"})
            return
        if head.input is not None:
            self._insert_through_input(query, head, rows, lease, answer)
            return
        insert_query.stream_insert(handle, head, rows, answer.summary, query.parameters)

    def _insert_through_input(
        self, query: Query, head: InsertHead, rows: Iterator[bytes], lease: Lease, answer: Answer
    ) -> None:
        """Give input() its rows from a temporary table: chDB's streaming insert takes no SELECT."""
        call = head.input
        if call is None:
            return
        self.guard.check(call.structure, query.user.role)
        table = f"_input_{uuid.uuid4().hex}"
        lease.is_reusable = False
        external_tables.create_table(lease.handle, table, call.structure, "Log")
        try:
            external_tables.fill_table(lease.handle, table, head.format, rows)
            text = f"{head.text[: call.start]}{table}{head.text[call.end :]}"
            select_query.run_whole(lease.handle, statement.parse(text), "TSV", query.parameters, answer)
        finally:
            external_tables.drop_table(lease.handle, table)


def _ask(handle: Handle, text: str) -> tuple[str, int]:
    found: dict[str, Any] = handle.raw.classify_query(engine_text(text))
    return str(found["query_class"]).rpartition(".")[2], int(found["statement_count"])


def _get_is_readonly(query: Query) -> ClickHouseError:
    return ClickHouseError(
        164,
        f"{query.user.name}: Cannot execute query in readonly mode. For queries over HTTP, method GET implies "
        "readonly. You should use method POST for modifying queries",
    )
