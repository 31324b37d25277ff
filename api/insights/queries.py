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
# An identify, group or alias says who somebody is; it is nothing that they did.
_ANY_EVENT = "type in ('track', 'page', 'screen')"


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL with placeholders, the values for them (the project's id aside), and the tables that it reads."""

    sql: str
    parameters: dict[str, Any]
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """Half-open range of UTC instants, and the zone in which it is cut."""

    start: datetime
    end: datetime
    timezone: str

    def parameters(self) -> dict[str, Any]:
        """Return the bound values as ClickHouse reads them: UTC, milliseconds."""
        return {"start": _literal(self.start), "end": _literal(self.end)}


class InsightSql:
    """Renders the shared macros over the modelled tables of one database."""

    def __init__(self, macros: InsightMacros, database: str) -> None:
        self._macros = macros
        self._events = f"{database}.fct_events"

    def event_names(self, window: Window) -> Statement:
        """Rows: event, events, persons."""
        return self._statement("insights_event_names", window.parameters())

    def timeseries(self, window: Window, query: TimeseriesQuery) -> Statement:
        """Rows: bucket (instant of its start), value; every bucket of the range."""
        parameters = window.parameters() | {"timezone": window.timezone} | _named(event=query.event)
        return self._statement(
            "insights_timeseries",
            parameters,
            event=_condition("event", query.event),
            interval=query.interval,
            timezone=_TIMEZONE,
            measure=query.measure,
        )

    def funnel(self, window: Window, query: FunnelQuery) -> Statement:
        """Rows: step, persons, times from the previous step."""
        names = {f"step_{number}": name for number, name in enumerate(query.step, start=1)}
        return self._statement(
            "insights_funnel",
            window.parameters() | names | {"window_ms": window_ms(query.window)},
            steps=[f"event = {{{name}:String}}" for name in names],
            window_ms="{window_ms:UInt64}",
        )

    def retention(self, window: Window, query: RetentionQuery) -> Statement:
        """Rows: cohort (instant of its start), period_index, persons, cohort_size, is_complete."""
        parameters = window.parameters() | {"timezone": window.timezone, "periods": query.periods}
        return self._statement(
            "insights_retention",
            parameters | _named(start_event=query.start_event, return_event=query.return_event),
            start_condition=_condition("start_event", query.start_event),
            return_condition=_condition("return_event", query.return_event),
            period=query.period,
            timezone=_TIMEZONE,
            periods="{periods:UInt16}",
        )

    def received_until(self) -> Statement:
        """One row: the newest receipt among the project's modelled events, null when there are none."""
        sql = (
            "select maxOrNull(received_at) as received_until\n"
            f"from {self._events}\n"
            f"where project_id = {_PROJECT}"
        )
        return Statement(sql, {}, (self._events,))

    def _statement(self, macro: str, parameters: dict[str, Any], **arguments: str | list[str]) -> Statement:
        sql = self._macros.render(macro, relation=self._events, project=_PROJECT, start=_START, end=_END, **arguments)
        return Statement(sql, parameters, (self._events,))


def _condition(placeholder: str, name: str | None) -> str:
    return _ANY_EVENT if name is None else f"event = {{{placeholder}:String}}"


def _named(**values: str | None) -> dict[str, str]:
    return {key: value for key, value in values.items() if value is not None}


def _literal(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%d %H:%M:%S.") + f"{instant.microsecond // 1000:03d}"
