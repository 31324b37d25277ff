"""A statement in the making, for one query document."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from api.insights.macros import Argument
from api.insights.moments import literal
from api.insights.statements import END, LONGEST, NOW, PROJECT, START, TIMEZONE, Statement, Statements, Window
from api.queries.naming import SavedCohorts
from api.queries.reading import invalid_document
from core.insights.arguments import wants_traits
from core.insights.binding import Placeholders, Scope
from core.insights.faults import Fault
from core.insights.filters import Subject, joined

# What a model has as a number of its own text.
_NUMBERS = {
    "window_ms": "UInt64",
    "tie_grace_ms": "UInt32",
    "top": "UInt32",
    "periods": "UInt16",
    "brackets": "Array(Array(UInt16))",
    "max_steps": "UInt32",
    "min_sequences": "UInt64",
}


class Making:
    """A statement in the making: what it binds, and the tables that it names."""

    def __init__(
        self,
        statements: Statements,
        window: Window,
        now: datetime,
        cohorts: SavedCohorts,
        content: Iterable[str] = (),
    ) -> None:
        """Begin it; `content`, columns of `CONTENT`, is read of the window's unmodelled events too."""
        self._cohorts = cohorts
        self._content = sorted(content)
        self.window = window
        self.now = now
        self.statements = statements
        self.bind = Placeholders()
        self.sources: list[str] = []
        self.scope = Scope(bind=self.bind, relation=self.table, project=PROJECT, now=NOW, timezone=TIMEZONE)

    def table(self, name: str) -> str:
        """Return a modelled table, which the statement reads; of a saved cohort, which has none, its persons."""
        if name in self._cohorts:
            return f"({self.scope.persons('dim_persons', joined('and', self._cohorts[name].who, self.scope))})"
        table = self.statements.table(name)
        self.sources.append(table)
        return table

    def events(self, *told_apart_by: Subject | None) -> str:
        """Return the events, with those that are not modelled yet; beside their persons' traits where these tell."""
        events = self.table("fct_events")
        if not wants_traits(*told_apart_by):
            return self.statements.events(self.window, self._content)
        if self.window.unmodelled is None:
            of_project = f"(select * from {events} where project_id = {PROJECT})"  # noqa: S608 - a table's name
        else:
            of_project = self.statements.events(self.window, self._content)
        persons = f"({self.scope.rows('project_id, person_number, traits', 'dim_persons')})"
        return self.statements.render("insights_events_with_traits", relation=of_project, persons=persons)

    def sessions(self) -> str:
        """Return the sessions, with the events in them that are not modelled yet."""
        self._read_sessions()
        return self.statements.sessions(self.window, self._content)

    def session_rollup(self, dimension: str | None = None) -> str:
        """Return the rollup of sessions by day and one of its dimensions, with the events that are not modelled yet."""
        self.table("agg_sessions_daily")
        if self.window.changes_sessions:
            self._read_sessions()
        return self.statements.session_rollup(self.window, dimension)

    def rollup(self, name: str) -> str:
        """Return a rollup, with the events in it that are not modelled yet."""
        self.table(name)
        return self.statements.rollup(self.window, name)

    def dimension(self, name: str) -> str:
        """Return the rollup by day and value of a column of events; the value is in its column `value`."""
        table = self.table("agg_breakdowns_daily")
        named = self.bind(name, "String")
        return f"(select * from {table} where project_id = {PROJECT} and dimension = {named})"  # noqa: S608 - a table's name

    def _read_sessions(self) -> None:
        """Name what sessions are read from; those that change are made of their events."""
        self.table("fct_sessions")
        if self.window.changes_sessions:
            self.table("fct_events")

    def bound(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments with their numbers bound."""
        return arguments | {
            name: self.bind(arguments[name], kind) for name, kind in _NUMBERS.items() if arguments.get(name) is not None
        }

    def made(self, macro: str, **arguments: Argument) -> Statement:
        """Return the statement about the range."""
        return self.made_now(macro, start=START, end=END, **arguments)

    def made_now(self, macro: str, **arguments: Argument) -> Statement:
        """Return the statement of a macro that has no range, with those values alone that it names."""
        known = self.window.calendar_parameters() | {"now": literal(self.now)} | self.bind.parameters
        made = self.statements.statement(macro, self.window, {}, tuple(self.sources), **arguments)
        # With what landed it may be: then it is asked without.
        if made.unmodelled is None and len(made.sql) > LONGEST:
            raise invalid_document(Fault((), "its statement would be too long: ask for less at once", "too_large"))
        named = {name: value for name, value in known.items() if f"{{{name}:" in made.sql}
        return replace(made, parameters=made.parameters | named)
