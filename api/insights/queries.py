"""The one place where a question of the insight endpoints becomes SQL: macros with bound placeholders."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from api.insights.macros import Argument
from api.insights.moments import literal
from api.insights.schemas import FunnelQuery, RetentionQuery, TimeseriesQuery
from api.insights.statements import END, NOW, PROJECT, START, TIMEZONE, WEEK_START, Statement, Statements, Window
from core.insights.durations import duration_ms

_ANY_EVENT = "true"
_RANGE: dict[str, Argument] = {"start": START, "end": END}


class InsightSql:
    """Renders the shared macros over the modelled tables of one database, and over what landed since.

    What the rollups know exactly is asked of them; all else of `fct_events`.
    """

    def __init__(self, statements: Statements) -> None:
        self._statements = statements
        self._events = statements.table("fct_events")

    def event_names(self, window: Window) -> Statement:
        """Rows: event, events, persons."""
        if window.days is None:
            return self._of_events("insights_event_names", window, window.range_parameters())
        return self._statements.statement(
            "insights_event_names_of_days",
            window,
            window.range_parameters() | {"timezone": window.timezone},
            (self._statements.table("agg_events_daily"),),
            relation=self._statements.rollup(window, "agg_events_daily"),
            project=PROJECT,
            timezone=TIMEZONE,
            **_RANGE,
        )

    def timeseries(self, window: Window, query: TimeseriesQuery) -> Statement:
        """Rows: bucket, bucket_end (instants), utc_offset_s (at its start), value; every bucket of the range."""
        parameters = window.calendar_parameters() | _named(event=query.event)
        asked = {
            "interval": query.interval,
            "timezone": TIMEZONE,
            "measure": query.measure,
            "week_start": WEEK_START,
        }
        if query.measure == "sessions":
            window = replace(window, days=None, unmodelled=window.unmodelled if window.changes_sessions else None)
        if window.days is None:
            event = None if query.event is None else "{event:String}"
            return self._of_events("insights_timeseries", window, parameters, event=event, **asked)
        rollup = "agg_events_hourly" if query.interval == "hour" else _by_day(query.event)
        return self._statements.statement(
            "insights_timeseries_of_rollup",
            window,
            parameters,
            (self._statements.table(rollup),),
            relation=self._statements.rollup(window, rollup),
            project=PROJECT,
            condition=_condition("event", query.event),
            **_RANGE,
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
            "timezone": TIMEZONE,
            "periods": "{periods:UInt16}",
            "week_start": WEEK_START,
            "now": NOW,
        }
        start_condition = _condition("start_event", query.start_event)
        return_condition = _condition("return_event", query.return_event)
        if window.days is None:
            conditions = {"start_condition": start_condition, "return_condition": return_condition}
            return self._of_events("insights_retention", window, parameters, **conditions, **asked)
        starts, returns = _by_day(query.start_event), _by_day(query.return_event)
        return self._statements.statement(
            "insights_retention_of_activity",
            window,
            parameters,
            (self._statements.table(starts), self._statements.table(returns)),
            starts=self._statements.starts_of_days(window, starts, query.period, start_condition, "first_time"),
            returns=self._statements.activity_of_days(window, returns, query.period, return_condition, START),
            **_RANGE,
            **asked,
        )

    def received_until(self) -> Statement:
        """One row: the newest receipt among the project's modelled events, null when there are none.

        Not a point up to which all is counted: segments of the spool land out of order.
        """
        sql = f"select maxOrNull(received_at) as received_until\nfrom {self._events}\nwhere project_id = {PROJECT}"
        return Statement(sql, {}, (self._events,))

    def _of_events(self, macro: str, window: Window, parameters: dict[str, Any], **arguments: Argument) -> Statement:
        relation = self._statements.events(window)
        asked: dict[str, Argument] = {"relation": relation, "project": PROJECT, **_RANGE, **arguments}
        return self._statements.statement(macro, window, parameters, (self._events,), **asked)


def _by_day(event: str | None) -> str:
    """Return the rollup by day that knows the persons of one event, or of any."""
    return "agg_persons_daily" if event is None else "agg_events_daily"


def _condition(placeholder: str, name: str | None) -> str:
    return _ANY_EVENT if name is None else f"event = {{{placeholder}:String}}"


def _named(**values: str | None) -> dict[str, str]:
    return {key: value for key, value in values.items() if value is not None}
