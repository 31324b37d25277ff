"""The one place where an insight query becomes SQL: macros with bound placeholders, and the values for them."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from api.insights.macros import Argument, InsightMacros
from api.insights.moments import literal
from api.insights.schemas import FunnelQuery, RetentionQuery, TimeseriesQuery
from api.insights.unmodelled_sql import Unmodelled, UnmodelledSql
from core.insights.durations import duration_ms

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
    unmodelled: Unmodelled | None = None
    """The events beside the modelled ones that it reads: no table of either may change while it runs."""


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

    def holds_whole(self, interval: str) -> bool:
        """Say whether the rollups can answer by this interval: whole days, weeks or months of the calendar."""
        if self.days is None:
            return False
        if interval == "week":
            return all(day.isoweekday() == self.week_start for day in self.days)
        return interval != "month" or all(day.day == 1 for day in self.days)

    def range_parameters(self) -> dict[str, Any]:
        """Return the bound values as ClickHouse reads them: UTC, milliseconds."""
        return {"start": literal(self.start), "end": literal(self.end)}

    def calendar_parameters(self) -> dict[str, Any]:
        """Return the range and how the project cuts it into days and weeks."""
        return self.range_parameters() | {"timezone": self.timezone, "week_start": self.week_start}

    def unmodelled_parameters(self) -> dict[str, Any]:
        """Return what a statement binds that reads events which are not modelled yet; empty without any."""
        if self.unmodelled is None:
            return {}
        return self.unmodelled.parameters() | {"timezone": self.timezone}


class InsightSql:
    """Renders the shared macros over the modelled tables of one database, and over what landed since.

    What the rollups know exactly is asked of them; all else of `fct_events`.
    """

    def __init__(self, macros: InsightMacros, database: str, unmodelled: UnmodelledSql) -> None:
        self._macros = macros
        self._unmodelled = unmodelled
        self._events = f"{database}.fct_events"
        self._events_daily = f"{database}.agg_events_daily"
        self._events_hourly = f"{database}.agg_events_hourly"
        self._persons_daily = f"{database}.agg_persons_daily"

    def event_names(self, window: Window) -> Statement:
        """Rows: event, events, persons."""
        if window.days is None:
            return self._of_events("insights_event_names", window, window.range_parameters())
        return self._statement(
            "insights_event_names_of_days",
            window,
            window.range_parameters() | {"timezone": window.timezone},
            (self._events_daily,),
            relation=self._rollup(window, self._events_daily),
            project=_PROJECT,
            timezone=_TIMEZONE,
        )

    def timeseries(self, window: Window, query: TimeseriesQuery) -> Statement:
        """Rows: bucket, bucket_end (instants), utc_offset_s (at its start), value; every bucket of the range.

        Sessions are those of the models: which session an event is in is known after the next refresh.
        """
        parameters = window.calendar_parameters() | _named(event=query.event)
        asked = {
            "interval": query.interval,
            "timezone": _TIMEZONE,
            "measure": query.measure,
            "week_start": _WEEK_START,
        }
        if query.measure == "sessions":
            window = replace(window, days=None, unmodelled=None)
        if window.days is None:
            event = None if query.event is None else "{event:String}"
            return self._of_events("insights_timeseries", window, parameters, event=event, **asked)
        relation = self._events_hourly if query.interval == "hour" else self._by_day(query.event)
        return self._statement(
            "insights_timeseries_of_rollup",
            window,
            parameters,
            (relation,),
            relation=self._rollup(window, relation),
            project=_PROJECT,
            condition=_condition("event", query.event),
            **asked,
        )

    def funnel(self, window: Window, query: FunnelQuery) -> Statement:
        """Rows: step, persons, times from the previous step."""
        names = {f"step_{number}": name for number, name in enumerate(query.step, start=1)}
        return self._of_events(
            "insights_funnel",
            window,
            window.range_parameters() | names | {"window_ms": duration_ms(query.window)},
            steps=[f"event = {{{name}:String}}" for name in names],
            window_ms="{window_ms:UInt64}",
            actor="person_number",
            disjoint=len(set(query.step)) == len(query.step),
        )

    def retention(self, window: Window, query: RetentionQuery, now: datetime) -> Statement:
        """Rows: cohort (instant of its start), utc_offset_s (then), period_index, persons, cohort_size, is_complete.

        A period is complete when it has ended at `now`.
        """
        parameters = window.calendar_parameters() | {"periods": query.periods, "now": literal(now)}
        parameters |= _named(start_event=query.start_event, return_event=query.return_event)
        asked = {
            "period": query.period,
            "timezone": _TIMEZONE,
            "periods": "{periods:UInt16}",
            "week_start": _WEEK_START,
            "now": "{now:DateTime64(3, 'UTC')}",
        }
        start_condition = _condition("start_event", query.start_event)
        return_condition = _condition("return_event", query.return_event)
        if not window.holds_whole(query.period):
            conditions = {"start_condition": start_condition, "return_condition": return_condition}
            return self._of_events("insights_retention", window, parameters, **conditions, **asked)
        starts, returns = self._by_day(query.start_event), self._by_day(query.return_event)
        return self._statement(
            "insights_retention_of_activity",
            window,
            parameters,
            (starts, returns),
            starts=self._activity(self._rollup(window, starts), query.period, start_condition),
            returns=self._activity(self._rollup(window, returns), query.period, return_condition, start=_START),
            **asked,
        )

    def received_until(self) -> Statement:
        """One row: the newest receipt among the project's modelled events, null when there are none.

        Not a point up to which all is counted: segments of the spool land out of order.
        """
        sql = f"select maxOrNull(received_at) as received_until\nfrom {self._events}\nwhere project_id = {_PROJECT}"
        return Statement(sql, {}, (self._events,))

    def _by_day(self, event: str | None) -> str:
        """Return the rollup by day that knows the persons of one event, or of any."""
        return self._persons_daily if event is None else self._events_daily

    def _rollup(self, window: Window, table: str) -> str:
        """Return a rollup, with the events in it that are not modelled yet."""
        if window.unmodelled is None:
            return table
        moment = "hour_at" if table == self._events_hourly else "event_date"
        return self._unmodelled.rollup(window.unmodelled, table, moment, has_events=table != self._persons_daily)

    def _activity(self, relation: str, interval: str, condition: str, start: str | None = None) -> str:
        activity = self._macros.render(
            "insights_activity_of_days",
            relation=relation,
            project=_PROJECT,
            condition=condition,
            interval=interval,
            timezone=_TIMEZONE,
            start=start,
            week_start=_WEEK_START,
        )
        return f"({activity})"

    def _of_events(self, macro: str, window: Window, parameters: dict[str, Any], **arguments: Argument) -> Statement:
        relation = self._events if window.unmodelled is None else self._unmodelled.events(window.unmodelled)
        asked: dict[str, Argument] = {"relation": relation, "project": _PROJECT, **arguments}
        return self._statement(macro, window, parameters, (self._events,), **asked)

    def _statement(
        self, macro: str, window: Window, parameters: dict[str, Any], sources: tuple[str, ...], **arguments: Argument
    ) -> Statement:
        sql = self._macros.render(macro, start=_START, end=_END, **arguments)
        if window.unmodelled is not None:
            sources = (*sources, self._unmodelled.landing)
        bound = parameters | window.unmodelled_parameters()
        return Statement(sql, bound, tuple(dict.fromkeys(sources)), window.unmodelled)


def _condition(placeholder: str, name: str | None) -> str:
    return _ANY_EVENT if name is None else f"event = {{{placeholder}:String}}"


def _named(**values: str | None) -> dict[str, str]:
    return {key: value for key, value in values.items() if value is not None}
