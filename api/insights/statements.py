"""Statements over the modelled tables and over what landed since: SQL of the shared macros, and the values for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from api.insights.macros import Argument, InsightMacros
from api.insights.moments import literal
from api.insights.unmodelled_sql import ChangedSessions, Unmodelled, UnmodelledSql

PROJECT = "{project_id:UInt32}"
START = "{start:DateTime64(3, 'UTC')}"
END = "{end:DateTime64(3, 'UTC')}"
TIMEZONE = "{timezone:String}"
WEEK_START = "{week_start:UInt8}"
NOW = "{now:DateTime64(3, 'UTC')}"
LONGEST = 200_000
"""Characters of a statement; ClickHouse reads 256 KiB."""


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL with placeholders, the values for them (the project's id aside), and the tables that it reads."""

    sql: str
    parameters: dict[str, Any]
    sources: tuple[str, ...]
    unmodelled: Unmodelled | None = None
    """The events beside the modelled ones that it reads: no table of either may change while it runs."""
    changed: ChangedSessions | None = None
    """The sessions in place of modelled ones that it reads."""

    @property
    def reads_landing(self) -> bool:
        """Say whether it reads deliveries itself, and has not all of them as values."""
        return "landed_since" in self.parameters


@dataclass(frozen=True, slots=True)
class Window:
    """Half-open range of UTC instants, the zone in which it is cut and the ISO weekday on which weeks begin."""

    start: datetime
    end: datetime
    timezone: str
    week_start: int
    days: tuple[date, date] | None = None
    """The same range as days of the calendar, `[first, end)`, where the rollups have its days."""
    unmodelled: Unmodelled | None = None
    """The project's events that count beside the modelled ones."""
    changed: ChangedSessions | None = None
    """Its sessions that are others than the modelled ones, where a question is about sessions and they are known."""

    @property
    def changes_sessions(self) -> bool:
        """Say whether any sessions are known to be others than the modelled ones."""
        return self.changed is not None and self.changed.has_any

    def range_parameters(self) -> dict[str, Any]:
        """Return the bound values as ClickHouse reads them: UTC, milliseconds."""
        return {"start": literal(self.start), "end": literal(self.end)}

    def calendar_parameters(self) -> dict[str, Any]:
        """Return the range and how the project cuts it into days and weeks."""
        return self.range_parameters() | {"timezone": self.timezone, "week_start": self.week_start}

    def unmodelled_parameters(self) -> dict[str, Any]:
        """Return what a statement may bind that reads events which are not modelled yet."""
        events = self.unmodelled.parameters() if self.unmodelled else {}
        sessions = self.changed.parameters() if self.changed is not None else {}
        return events | sessions | {"timezone": self.timezone}


class Statements:
    """Makes statements of macros over the tables of one database, with the events in them that landed since."""

    def __init__(self, macros: InsightMacros, database: str, unmodelled: UnmodelledSql) -> None:
        self._macros = macros
        self._unmodelled = unmodelled
        self._database = database

    def table(self, name: str) -> str:
        """Return a modelled table as SQL names it."""
        return f"{self._database}.{name}"

    def render(self, macro: str, **arguments: Argument) -> str:
        """Return the SQL of one macro, for use in another one's."""
        return self._macros.render(macro, **arguments)

    def events(self, window: Window, content: Sequence[str] = ()) -> str:
        """Return the events, with those that are not modelled yet, which have such columns of `CONTENT`."""
        if window.unmodelled is None:
            return self.table("fct_events")
        if window.changed is not None:
            return self._unmodelled.events_with_sessions(window.unmodelled, list(content))
        return self._unmodelled.events(window.unmodelled, list(content))

    def sessions(self, window: Window, content: Sequence[str]) -> str:
        """Return the sessions with the events in them that are not modelled yet, and such columns of these."""
        if not window.changes_sessions:
            return self.table("fct_sessions")
        return self._unmodelled.sessions(window.unmodelled, list(content))

    def session_rollup(self, window: Window, dimension: str | None) -> str:
        """Return the rollup of sessions, of this dimension or none, with the sessions that change."""
        if not window.changes_sessions:
            return self.table("agg_sessions_daily")
        return self._unmodelled.session_rollup(window.unmodelled, dimension)

    def rollup(self, window: Window, name: str) -> str:
        """Return a rollup of events, with those in it that are not modelled yet."""
        if window.unmodelled is None:
            return self.table(name)
        moment = "hour_at" if name == "agg_events_hourly" else "event_date"
        return self._unmodelled.rollup(
            window.unmodelled, self.table(name), moment, has_events=name != "agg_persons_daily"
        )

    def activity_of_days(
        self, window: Window, name: str, interval: str, condition: str, start: str | None = None
    ) -> str:
        """Return the activity by interval that a rollup by day knows."""
        return self._of_days("insights_activity_of_days", window, name, condition, interval=interval, start=start)

    def starts_of_days(self, window: Window, name: str, period: str, condition: str, cohort: str) -> str:
        """Return who began a retention in each period of a range of whole days, as a rollup by day knows it."""
        macro, bounds = "insights_retention_starts_of_days", {"start": START, "end": END}
        return self._of_days(macro, window, name, condition, period=period, cohort=cohort, **bounds)

    def statement(
        self, macro: str, window: Window, parameters: dict[str, Any], sources: tuple[str, ...], **arguments: Argument
    ) -> Statement:
        """Return the statement of a macro; `sources` are the tables that its arguments name."""
        sql = self.render(macro, **arguments)
        if window.unmodelled is not None:
            sources = (*sources, self._unmodelled.landing)
        # What it does not name would make another question of the same one.
        named = {name: value for name, value in window.unmodelled_parameters().items() if f"{{{name}:" in sql}
        bound = parameters | named
        return Statement(sql, bound, tuple(dict.fromkeys(sources)), window.unmodelled, window.changed)

    def _of_days(self, macro: str, window: Window, name: str, condition: str, **arguments: Argument) -> str:
        calendar = {"timezone": TIMEZONE, "week_start": WEEK_START}
        relation = self.rollup(window, name)
        return self.render(macro, relation=relation, project=PROJECT, condition=condition, **calendar, **arguments)
