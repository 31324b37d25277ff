"""Runs analysts' statements: read, checked, written anew for the project, compared with ClickHouse's reading, run."""

import asyncio
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from clickhouse_connect.driver.exceptions import Error, NotSupportedError

from api.data_state import DataState
from api.errors import QueryTimeoutError, QueryTooLargeError, SqlInvalidError, SqlNotAllowedError
from api.insights.results import Results, iso
from api.metrics import Metrics
from api.queue import FairQueue
from api.settings import ApiSettings
from api.sql.grammar import parse
from api.sql.normal_form import NormalForm
from api.sql.place import Place
from api.sql.queries import StatementWriter
from api.sql.schemas import SqlAnswer, SqlQuery, SqlTable, Value
from api.sql.tables import SqlTables
from api.sql.values import json_value
from api.warehouse import TIMEOUTS, Warehouse
from core.clock import utc_now
from core.errors import RadixError
from core.metadata import Project
from core.warehouse import ProjectScope

_FORMATTED = "select formatQuerySingleLine({text:String}) as formatted"
_POSITION = re.compile(r"failed at position (\d+)")
# ClickHouse's error codes that are not about the statement, from its ErrorCodes.cpp.
_OURS = {
    49, 60, 81, 158, 164, 173, 202, 209, 210, 236, 241, 373, 394, 396, 497, 516, 1000, 1001, 1002,
}  # fmt: skip
_SYNTAX_ERROR = 62
_TOO_MANY = 396
_MAX_MESSAGE = 500


class Sql:
    """Answers one project's statements."""

    def __init__(
        self,
        settings: ApiSettings,
        *,
        warehouse: Warehouse,
        state: DataState,
        results: Results,
        tables: SqlTables,
        metrics: Metrics,
    ) -> None:
        self._settings = settings
        self._warehouse = warehouse
        self._state = state
        self._results = results
        self._tables = tables
        self._metrics = metrics
        self.queue = FairQueue(
            settings.sql_max_concurrent_queries,
            most_of_one=settings.project_max_concurrent_queries,
            most_waiting=settings.project_max_waiting_queries,
        )

    async def tables(self, project: Project) -> list[SqlTable]:
        """Return the tables that the project's statements may read."""
        return list((await self._tables.of_project(project.id)).values())

    async def answer(self, project: Project, query: SqlQuery) -> SqlAnswer:
        """Run a statement.

        Raises `SqlInvalidError`, `SqlNotAllowedError`, and what `Warehouse.query` raises.
        """
        started = time.perf_counter()
        async with self.queue.place(project.id):
            return await self._answered(project, query, started)

    async def _answered(self, project: Project, query: SqlQuery, started: float) -> SqlAnswer:
        statement = await self._written(project, query)
        rows = min(query.limit, self._settings.query_max_result_rows)
        version = await self._state.version()
        sql = statement.statement(rows + 1)
        scope = ProjectScope(project.id)
        asked = time.perf_counter()
        result = await self._warehouse.result(
            scope,
            sql,
            query.parameters,
            limits={"max_result_rows": rows + 1, "max_result_bytes": self._settings.sql_max_result_bytes},
            explain=self._explain,
        )
        self._metrics.query_seconds.observe(time.perf_counter() - asked)
        computed_at = iso(utc_now())
        fresh_until = await self._results.fresh_until(scope, version)
        columns = [(name, kind.name) for name, kind in zip(result.column_names, result.column_types, strict=True)]
        if not columns:
            # ClickHouse's Native format says nothing of a result without rows.
            described = await self._warehouse.result(
                scope, f"describe (\n{sql}\n)", query.parameters, explain=self._explain
            )
            columns = [(name, kind) for name, kind, *_ in described.result_rows]
        document: dict[str, Any] = {
            "data": {
                "columns": [{"name": _own_name(name), "type": kind} for name, kind in columns],
                # A million rows take seconds, in which the process would do nothing else.
                "rows": await asyncio.to_thread(self._shown, result.result_rows[:rows]),
            },
            "meta": {
                "sources": statement.sources,
                "sql": sql,
                "parameters": scope.parameters(**query.parameters),
                "computed_at": computed_at,
                "fresh_until": fresh_until,
                "data_version": version,
                "elapsed_ms": round((time.perf_counter() - started) * 1000, 3),
                "cached": False,
                "read_rows": int(result.summary.get("read_rows", 0)),
                "read_bytes": int(result.summary.get("read_bytes", 0)),
                "truncated": len(result.result_rows) > rows,
            },
        }
        return SqlAnswer.model_validate(document)

    def _shown(self, rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
        """Return the rows as JSON; a text of a LowCardinality column counts each time that it is there."""
        size, most = 0, self._settings.sql_max_result_bytes
        shown: list[list[Any]] = []
        for row in rows:
            shown.append([json_value(value) for value in row])
            size += len(msgspec.json.encode(shown[-1]))
            if size > most:
                raise QueryTooLargeError("sql_max_result_bytes", most)
        return shown

    async def _written(self, project: Project, query: SqlQuery) -> StatementWriter:
        """Check a statement; the first to be asked is the allow-list, so that ClickHouse sees nothing else."""
        tables = await self._tables.of_project(project.id)
        database = self._settings.marts_database
        parsed = parse(query.sql)
        written = StatementWriter(parsed, database, tables)
        written.query(parsed.tree)
        _check_parameters(written.parameters, query.parameters)
        if not written.sources:
            raise SqlNotAllowedError("The statement reads no table.")
        formatted = await self._formatted(query.sql)
        ours = NormalForm(parsed, database, tables).query(parsed.tree)
        try:
            again = parse(formatted)
            is_same = NormalForm(again, database, tables).query(again.tree) == ours
        except (SqlInvalidError, SqlNotAllowedError):
            is_same = False
        if not is_same:
            raise SqlNotAllowedError(
                "ClickHouse reads this statement in another way than the API does. Write it more plainly: with "
                "brackets around operators, or with functions in place of syntax. ClickHouse reads: "
                f"{formatted[:_MAX_MESSAGE]}"
            )
        return StatementWriter(parsed, database, tables)

    async def _formatted(self, sql: str) -> str:
        """Return a statement as ClickHouse's own parser understands it; the text is a value and is not run."""

        def explain(error: Exception) -> RadixError | None:
            if not isinstance(error, Error) or error.code != _SYNTAX_ERROR:
                return None
            found = _POSITION.search(str(error))
            place = Place.at(sql, _character(sql, int(found[1]) - 1)) if found else None
            return SqlInvalidError("ClickHouse cannot read the statement from here on.", place)

        rows = await self._warehouse.unscoped(_FORMATTED, {"text": sql}, explain)
        return str(rows[0][0])

    def _explain(self, error: Exception) -> RadixError | None:
        if isinstance(error, TimeoutError) or (isinstance(error, Error) and error.code in TIMEOUTS):
            advice = "Read fewer rows, such as those of some days (event_date), and join smaller tables."
            return QueryTimeoutError(self._settings.query_max_seconds, advice)
        if not isinstance(error, Error):
            return None
        if isinstance(error, NotSupportedError):
            return SqlInvalidError(
                "A column of the answer is a state of an aggregate, such as a set of persons. Ask for "
                "finalizeAggregation of it, or for the aggregate's -Merge of several."
            )
        if error.code == _TOO_MANY:
            return QueryTooLargeError("sql_max_result_bytes", self._settings.sql_max_result_bytes)
        if error.code in _OURS or error.code is None:
            return None
        return SqlInvalidError(f"ClickHouse refused the statement: {_message(str(error))}")


def _own_name(name: str) -> str:
    return name.removeprefix("materialize(").removesuffix(")")


def _check_parameters(used: Mapping[str, str], given: Mapping[str, Value]) -> None:
    if missing := [name for name in used if name not in given]:
        declared = f"{{{missing[0]}:{used[missing[0]]}}}"
        raise SqlInvalidError(f"The statement has {declared}, and parameters has no {missing[0]}.")
    try:
        msgspec.json.encode(given)
    except UnicodeEncodeError as error:
        raise SqlInvalidError("A value in parameters holds half a character.") from error
    if unused := [name for name in given if name not in used]:
        raise SqlInvalidError(f"The statement has no {{{unused[0][:100]}:…}}, for which parameters has a value.")


def _character(text: str, byte: int) -> int:
    """Return the index of the character at a byte."""
    return len(text.encode()[:byte].decode(errors="ignore"))


def _message(text: str) -> str:
    """Return ClickHouse's words about a statement without what surrounds them."""
    found = re.search(r"DB::Exception: (.*)", text, re.DOTALL)
    message = (found[1] if found else text).strip()
    message = re.split(r"\s*(?:: ?[Ww]hile |: ?In scope|\. ?In scope|\(version |Stack trace|for url)", message)[0]
    return message.strip()[:_MAX_MESSAGE]
