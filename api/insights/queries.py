"""The one place where an insight query becomes SQL: macros with bound placeholders, and the values for them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from api.insights.macros import InsightMacros
from api.insights.moments import window_ms
from api.insights.schemas import FunnelQuery, RetentionQuery, TimeseriesQuery

_PROJECT = "{project_id:UInt32}"
_START = "{start:DateTime64(3, 'UTC')}"
_END = "{end:DateTime64(3, 'UTC')}"
_TIMEZONE = "{timezone:String}"
_WEEK_START = "{week_start:UInt8}"
_ANY_EVENT = "true"


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL with placeholders, the values for them (the project's id aside), and the tables that it reads."""

    sql: str
    parameters: dict[str, Any]
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """Half-open range of UTC instants, the zone in which it is cut and the ISO weekday on which weeks begin."""

    start: datetime
    end: datetime
    timezone: str
    week_start: int

    def range_parameters(self) -> dict[str, Any]:
        """Return the bound values as ClickHouse reads them: UTC, milliseconds."""
        return {"start": _literal(self.start), "end": _literal(self.end)}

    def calendar_parameters(self) -> dict[str, Any]:
        """Return the range and how the project cuts it into days and weeks."""
        return self.range_parameters() | {"timezone": self.timezone, "week_start": self.week_start}


class InsightSql:
    """Renders the shared macros over the modelled tables of one database."""

    def __init__(self, macros: InsightMacros, database: str) -> None:
        self._macros = macros
        self._events = f"{database}.fct_events"

    def event_names(self, window: Window) -> Statement:
        """Rows: event, events, persons."""
        return self._statement("insights_event_names", window.range_parameters())

    def timeseries(self, window: Window, query: TimeseriesQuery) -> Statement:
        """Rows: bucket, bucket_end (instants), utc_offset_s (at its start), value; every bucket of the range."""
        return self._statement(
            "insights_timeseries",
            window.calendar_parameters() | _named(event=query.event),
            event=None if query.event is None else "{event:String}",
            interval=query.interval,
            timezone=_TIMEZONE,
            measure=query.measure,
            week_start=_WEEK_START,
        )

    def funnel(self, window: Window, query: FunnelQuery) -> Statement:
        """Rows: step, persons, times from the previous step."""
        names = {f"step_{number}": name for number, name in enumerate(query.step, start=1)}
        return self._statement(
            "insights_funnel",
            window.range_parameters() | names | {"window_ms": window_ms(query.window)},
            steps=[f"event = {{{name}:String}}" for name in names],
            window_ms="{window_ms:UInt64}",
            actor="person_number",
            disjoint=len(set(query.step)) == len(query.step),
        )

    def retention(self, window: Window, query: RetentionQuery, now: datetime) -> Statement:
        """Rows: cohort (instant of its start), utc_offset_s (then), period_index, persons, cohort_size, is_complete.

        A period is complete when it has ended at `now`.
        """
        parameters = window.calendar_parameters() | {"periods": query.periods, "now": _literal(now)}
        return self._statement(
            "insights_retention",
            parameters | _named(start_event=query.start_event, return_event=query.return_event),
            start_condition=_condition("start_event", query.start_event),
            return_condition=_condition("return_event", query.return_event),
            period=query.period,
            timezone=_TIMEZONE,
            periods="{periods:UInt16}",
            week_start=_WEEK_START,
            now="{now:DateTime64(3, 'UTC')}",
        )

    def received_until(self) -> Statement:
        """One row: the newest receipt among the project's modelled events, null when there are none.

        Not a point up to which all is counted: segments of the spool land out of order.
        """
        sql = f"select maxOrNull(received_at) as received_until\nfrom {self._events}\nwhere project_id = {_PROJECT}"
        return Statement(sql, {}, (self._events,))

    def _statement(
        self, macro: str, parameters: dict[str, Any], **arguments: str | list[str] | bool | None
    ) -> Statement:
        sql = self._macros.render(macro, relation=self._events, project=_PROJECT, start=_START, end=_END, **arguments)
        return Statement(sql, parameters, (self._events,))


def _condition(placeholder: str, name: str | None) -> str:
    return _ANY_EVENT if name is None else f"event = {{{placeholder}:String}}"


def _named(**values: str | None) -> dict[str, str]:
    return {key: value for key, value in values.items() if value is not None}


def _literal(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%d %H:%M:%S.") + f"{instant.microsecond // 1000:03d}"
