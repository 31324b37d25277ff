"""How a question is asked: its range, what it is read from, and that all of it is of one state of the tables."""

import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from api.data_state import DataState
from api.errors import QueryTooLargeError
from api.insights.meta import Meta
from api.insights.moments import cut_to_ms, is_in_reach
from api.insights.results import Computed, DataChangedError, Results
from api.insights.statements import LONGEST, Statement, Window
from api.insights.unmodelled import UnmodelledEvents
from api.insights.unmodelled_sql import Unmodelled
from core.metadata import Project
from core.problem import InvalidRequestError
from core.warehouse import ProjectScope

Moment = date | datetime
Invalid = Callable[[str, str], InvalidRequestError]
"""Makes the error for one name of a question and what is wrong with its value."""
_ATTEMPTS = 3
_SHORTEST_SECONDS = {"hour": 3_600, "day": 23 * 3_600, "week": 167 * 3_600, "month": 28 * 86_400}


class Answers:
    """Asks statements of the models and of what landed since, and says where the rows are from."""

    def __init__(self, state: DataState, results: Results, unmodelled: UnmodelledEvents) -> None:
        self._state = state
        self._results = results
        self._unmodelled = unmodelled

    async def window(self, project: Project, first: Moment, last: Moment, invalid: Invalid | None = None) -> Window:
        """Return the range between two moments in the project's zone, half-open.

        If it makes no sense, raises what `invalid` gives for the name of the end and what is wrong with it.
        """
        invalid = invalid or invalid_parameter
        # Before anything is converted: the calendars of Python and of ClickHouse end.
        _check_reach(first, last, invalid)
        days = {moment for moment in (first, last) if not isinstance(moment, datetime)}
        starts = await self._state.day_starts(days, project.timezone) if days else {}
        start, end = (cut_to_ms(moment) if isinstance(moment, datetime) else starts[moment] for moment in (first, last))
        _check_reach(start, end, invalid)
        if start >= end:
            raise invalid("to", "must be after 'from'; the range is half-open, [from, to)")
        return Window(start, end, project.timezone, project.week_start)

    async def ask(
        self,
        project: Project,
        window: Window,
        statement: Callable[[Window], Statement],
        days: tuple[date, date] | None = None,
        *,
        of_sessions: bool = False,
    ) -> tuple[Computed, Meta]:
        """Answer from the models and from what landed since; of whole `days` from rollups, while they have them.

        Where a refresh exchanges tables meanwhile the question is asked anew; where it does so each time, the modelled
        events alone are asked, and so they are where what landed makes of the question more than may be asked.
        """
        started, found = time.perf_counter(), None
        for _ in range(_ATTEMPTS):
            generation = await self._state.believed_generation()
            known = days if days and await self._has_days(project) else None
            found = await self._unmodelled.find(project.id, project.timezone, generation)
            counted = found if found is not None and found.events is not None else None
            changed = None
            if of_sessions:
                changed = await self._unmodelled.changed_sessions(project.id, project.timezone, generation, found)
            modelled = replace(window, days=known)
            asked = statement(replace(modelled, unmodelled=counted, changed=changed))
            if len(asked.sql) > LONGEST:
                asked = statement(modelled)
            with suppress(DataChangedError):
                try:
                    return await self._read_at_once(project, asked, started, found, generation)
                except QueryTooLargeError:
                    alone = statement(modelled)
                    if alone.sql == asked.sql:
                        raise
                return await self._read_at_once(project, alone, started, found, generation)
        return await self._read(project, statement(window), started, found)

    async def read(self, project: Project, statement: Statement) -> tuple[Computed, Meta]:
        """Answer from the models alone, and say what landed beside them."""
        started = time.perf_counter()
        found = await self._unmodelled.find(project.id, project.timezone, await self._state.believed_generation())
        return await self._read(project, statement, started, found)

    async def _has_days(self, project: Project) -> bool:
        return await self._state.rollup_zone(ProjectScope(project.id)) == project.timezone

    async def _read_at_once(
        self, project: Project, statement: Statement, started: float, found: Unmodelled | None, generation: str
    ) -> tuple[Computed, Meta]:
        """Answer from one state of all that the statement reads, or raise `DataChangedError`."""

        async def is_unchanged() -> bool:
            if await self._state.generation() != generation:
                return False
            counted = statement.unmodelled if statement.reads_landing else None
            if counted is not None and not await self._unmodelled.is_as_found(project.id, project.timezone, counted):
                return False
            # Events that are values keep the numbers of their persons.
            changed = statement.changed if counted is not None and not counted.listed else None
            return changed is None or await self._unmodelled.are_as_changed(project.id, project.timezone, changed)

        return await self._read(project, statement, started, found, is_unchanged)

    async def _read(
        self,
        project: Project,
        statement: Statement,
        started: float,
        unmodelled: Unmodelled | None = None,
        is_unchanged: Callable[[], Awaitable[bool]] | None = None,
    ) -> tuple[Computed, Meta]:
        computed = await self._results.rows(project.id, statement, is_unchanged)
        beside = unmodelled and {
            "events": unmodelled.events,
            "until": unmodelled.until,
            "is_counted": statement.unmodelled is not None,
        }
        document: dict[str, Any] = {
            "sources": list(statement.sources),
            "sql": statement.sql,
            "parameters": computed.parameters,
            "computed_at": computed.computed_at,
            "fresh_until": computed.fresh_until,
            "unmodelled": beside,
            "data_version": computed.data_version,
            "elapsed_ms": round((time.perf_counter() - started) * 1000, 3),
            "cached": computed.cached,
            "read_rows": computed.read_rows,
            "read_bytes": computed.read_bytes,
        }
        return computed, Meta.model_validate(document)


def whole_days(first: Moment, last: Moment) -> tuple[date, date] | None:
    """Return the range as days, `[first, end)`, where both of its ends are days."""
    if isinstance(first, datetime) or isinstance(last, datetime):
        return None
    return first, last


def check_buckets(window: Window, interval: str, most: int, invalid: Invalid | None = None) -> None:
    """Refuse a range that holds more than so many buckets."""
    count = (window.end - window.start).total_seconds() / _SHORTEST_SECONDS[interval]
    if count > most:
        raise (invalid or invalid_parameter)(
            "interval",
            f"the range holds about {count:.0f} {interval}s, more than {most}; "
            "choose a longer interval or a shorter range",
        )


def invalid_parameter(name: str, message: str) -> InvalidRequestError:
    """Return the error for one query parameter, in the shape that validation errors have."""
    problem: dict[str, Any] = {"location": ["query", name], "message": message, "kind": "value_error"}
    return InvalidRequestError(f"query.{name}: {message}", errors=[problem])


def _check_reach(start: Moment, end: Moment, invalid: Invalid) -> None:
    for name, moment in (("from", start), ("to", end)):
        if not is_in_reach(moment):
            raise invalid(name, "must lie between 1970 and 2100")
