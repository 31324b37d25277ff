"""The one place where a query document becomes SQL: the arguments that a file's model has, with bound placeholders."""

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime
from typing import Any

from api.insights.macros import Argument
from api.insights.statements import END, NOW, PROJECT, START, TIMEZONE, WEEK_START, Statement, Statements, Window
from api.insights.unmodelled_sql import TRAITS
from api.queries.documents import (
    FunnelDocument,
    FunnelTimesDocument,
    FunnelTrendDocument,
    LifecycleDocument,
    PathsDocument,
    RetentionDocument,
    RevenueDocument,
    StickinessDocument,
    TrendDocument,
    WebDocument,
)
from api.queries.making import Making
from api.queries.naming import SavedCohorts
from core.insights.arguments import (
    activity_is_of_days,
    activity_rollup,
    counted_arguments,
    dimension_of,
    funnel_arguments,
    paths_arguments,
    retention_arguments,
    retention_is_of_days,
    revenue_arguments,
    text_of,
    trend_arguments,
    web_is_rolled,
)
from core.insights.binding import Scope
from core.insights.filters import Document, Filter, Subject, conjunction, parts_of
from core.insights.questions import Funnel, Retention
from core.insights.reports import Activity
from core.insights.selections import Counted, Selection

_CALENDAR: dict[str, Argument] = {"timezone": TIMEZONE, "week_start": WEEK_START}
_TOLD_BY_PAGES = frozenset({"entry_host", "entry_path", "exit_path"})
"""What sessions have of the pages of their events."""
_ROLLED_MEASURES = {"events", "persons", "events_per_person"}


class QuerySql:
    """Renders query documents over the modelled tables, and over what landed since where these events say enough.

    What the rollups know exactly is asked of them. Rows are those of the macro that each kind has.
    """

    def __init__(self, statements: Statements, cohorts: SavedCohorts) -> None:
        self._statements = statements
        self._cohorts = cohorts

    def trend(self, window: Window, asked: TrendDocument, now: datetime) -> Statement:
        """Rows of `insights_trends`."""
        making = self._making(window, now, _columns_of(asked), of_sessions=is_of_sessions(asked))
        arguments = making.bound(trend_arguments(asked, making.scope))
        dimension = dimension_of(*asked.breakdown)
        is_rolled = (
            window.days is not None
            and (asked.interval != "hour" or asked.total)
            and all(each.measure in _ROLLED_MEASURES for each in asked.series)
            and not any(each.where for each in asked.series)
            and asked.group_type is None
            # The rollup of a dimension is of modelled events alone.
            and (not asked.breakdown or (dimension is not None and making.window.unmodelled is None))
        )
        if not is_rolled:
            relation = making.events(*asked.breakdown, *(each.of for each in asked.series))
        elif dimension is None:
            relation = making.rollup(activity_rollup(*asked.series))
        else:
            relation = making.dimension(dimension)
            arguments["breakdown"] = ["value"]
        return making.made(
            "insights_trends",
            project=PROJECT,
            relation=relation,
            **arguments,
            interval="total" if asked.total else asked.interval,
            compare=asked.compare,
            moving_average=asked.moving_average,
            cumulative=asked.cumulative,
            rolled=is_rolled,
            **_CALENDAR,
        )

    def funnel(self, window: Window, asked: FunnelDocument, now: datetime) -> Statement:
        """Rows of `insights_funnel`."""
        return self._of_attempts("insights_funnel", window, asked, now, lambda _: {"now": NOW})

    def funnel_trend(self, window: Window, asked: FunnelTrendDocument, now: datetime) -> Statement:
        """Rows of `insights_funnel_trend`."""
        told: dict[str, Argument] = {"now": NOW, "interval": asked.interval, **_CALENDAR}
        return self._of_attempts("insights_funnel_trend", window, asked, now, lambda _: told)

    def funnel_times(self, window: Window, asked: FunnelTimesDocument, now: datetime) -> Statement:
        """Rows of `insights_funnel_times`."""

        def told(making: Making) -> dict[str, Argument]:
            steps = {"from_step": asked.from_step, "to_step": asked.last_step, "bins": asked.bins}
            width = None if asked.bin_ms is None else making.bind(asked.bin_ms, "Int64")
            numbers = {name: making.bind(number, "UInt16") for name, number in steps.items() if number is not None}
            return {"now": NOW, "bin_ms": width, **numbers}

        return self._of_attempts("insights_funnel_times", window, asked, now, told)

    def retention(self, window: Window, asked: RetentionDocument, now: datetime) -> Statement:
        """Rows of `insights_retention`."""
        making = self._making(window, now, _columns_of(asked))
        arguments = making.bound(retention_arguments(asked, making.scope)) | _CALENDAR | {"now": NOW}
        if window.days is None or not retention_is_of_days(asked):
            relation = making.events(asked.breakdown)
            return making.made("insights_retention", project=PROJECT, relation=relation, **arguments)
        conditions = (str(arguments.pop(f"{name}_condition")) for name in ("start", "return"))
        for name in ("clock", "actor", "where"):
            del arguments[name]
        return making.made(
            "insights_retention_of_activity", **retention_of_days(making, asked, *conditions), **arguments
        )

    def lifecycle(self, window: Window, asked: LifecycleDocument, now: datetime) -> Statement:
        """Rows of `insights_lifecycle`: who is new is told from all that came before."""
        making = self._making(window, now, _columns_of(asked))
        activity = activity_of(making, asked, start=None)
        return making.made("insights_lifecycle", activity=activity, interval=asked.interval, now=NOW, **_CALENDAR)

    def stickiness(self, window: Window, asked: StickinessDocument, now: datetime) -> Statement:
        """Rows of `insights_stickiness`."""
        making = self._making(window, now, _columns_of(asked))
        activity = activity_of(making, asked, start=START)
        return making.made("insights_stickiness", activity=activity, interval=asked.interval, **_CALENDAR)

    def paths(self, window: Window, asked: PathsDocument, now: datetime) -> Statement:
        """Rows of `insights_paths`."""
        nodes = {asked.nodes} - {"event"}
        making = self._making(window, now, _columns_of(asked, *nodes), of_sessions=is_of_sessions(asked))
        arguments = making.bound(paths_arguments(asked, making.scope))
        if asked.window is None:
            del arguments["window_ms"]
        return making.made(
            "insights_paths",
            project=PROJECT,
            relation=making.events(),
            within="session" if asked.window is None else "window",
            **arguments,
        )

    def web(self, window: Window, asked: WebDocument, now: datetime) -> Statement:
        """Rows of `insights_web`, or of `insights_web_pages` where views are counted."""
        columns = _columns_of(asked, "page_host", "page_path", *(set(asked.breakdown) - _TOLD_BY_PAGES))
        making = self._making(window, now, columns, of_sessions=True)
        told: dict[str, Argument] = {
            "where": conjunction(asked.where, making.scope),
            "breakdown": list(asked.breakdown),
            "top": making.bind(asked.top, "UInt32"),
            "interval": "total" if asked.total else asked.interval,
            "compare": asked.compare,
            **_CALENDAR,
        }
        if asked.is_of_views:
            return making.made("insights_web_pages", project=PROJECT, relation=making.events(), **told)
        rolled = window.days is not None and web_is_rolled(asked)
        relation = making.session_rollup(*asked.breakdown) if rolled else making.sessions()
        return making.made("insights_web", project=PROJECT, relation=relation, rolled=rolled, **told)

    def revenue(self, window: Window, asked: RevenueDocument, now: datetime) -> Statement:
        """Rows of `insights_revenue`."""
        making = self._making(window, now, _columns_of(asked, "properties"))
        return making.made(
            "insights_revenue",
            project=PROJECT,
            relation=making.events(*asked.breakdown),
            **making.bound(revenue_arguments(asked, making.scope)),
            amount=self._amount(asked, making.scope),
            currency=self._currency(asked, making.scope),
            interval="total" if asked.total else asked.interval,
            compare=asked.compare,
            **_CALENDAR,
        )

    def _of_attempts(
        self, macro: str, window: Window, asked: Funnel, now: datetime, told: Callable[[Making], dict[str, Argument]]
    ) -> Statement:
        making = self._making(window, now, _columns_of(asked))
        return making.made(macro, **attempts_of(making, asked), **told(making))

    def _amount(self, asked: RevenueDocument, scope: Scope) -> str:
        if asked.amount is None:
            return self._statements.render("insights_revenue_amount", event="event", properties="properties")
        return self._statements.render("insights_revenue_amount_of", text=text_of(asked.amount, scope))

    def _currency(self, asked: RevenueDocument, scope: Scope) -> str:
        if asked.currency is None:
            found = self._statements.render("insights_revenue_currency", properties="properties")
        else:
            found = self._statements.render("insights_revenue_currency_of", named=text_of(asked.currency, scope))
        if asked.default_currency is None:
            return found
        return f"ifNull(nullIf({found}, ''), {scope.bind(asked.default_currency, 'String')})"

    def _making(
        self, window: Window, now: datetime, content: AbstractSet[str] | None, *, of_sessions: bool = False
    ) -> Making:
        """Begin a statement that reads these columns of events beside their names, persons and instants.

        Where they are None, or one is not known yet of what landed since, that is left out.
        """
        found = window.unmodelled
        if (
            content is None
            or (found is not None and not found.tells(content))
            or (of_sessions and window.changed is None)
        ):
            return Making(self._statements, replace(window, unmodelled=None, changed=None), now, self._cohorts)
        return Making(self._statements, window, now, self._cohorts, content - {TRAITS})


def _columns_of(asked: Any, *others: str) -> AbstractSet[str] | None:
    """Return which columns a document reads of events beside their names, persons and instants, with these others.

    None where it has conditions on their sessions or their groups.
    """
    columns = set(others)
    if isinstance(asked, Counted) and asked.group_type is not None:
        columns |= {"group_type", "group_id"}
    for subject in parts_of(asked, Subject):
        if isinstance(subject, Filter) and (subject.session is not None or subject.group_trait is not None):
            return None
        columns.add("properties" if subject.property is not None else subject.column or TRAITS)
    return columns - {"type"}


def is_of_sessions(asked: Document) -> bool:
    """Say whether a document is about the sessions in which events are."""
    match asked:
        case TrendDocument():
            return any(each.measure == "sessions" for each in asked.series)
        case PathsDocument():
            return asked.window is None
        case _:
            return isinstance(asked, WebDocument)


def _named(making: Making, name: str) -> str:
    making.table(name)
    return name


def attempts_of(making: Making, asked: Funnel) -> dict[str, Argument]:
    """Return what the macros of a funnel want but for the range."""
    return {
        "project": PROJECT,
        "relation": making.events(*asked.hold_constant, asked.breakdown),
        **making.bound(funnel_arguments(asked, making.scope)),
    }


def retention_of_days(making: Making, asked: Retention, starting: str, returning: str) -> dict[str, Argument]:
    """Return who started and who returned in which period, of a range of whole days as the rollups know it."""
    starts, returns = (_named(making, activity_rollup(each)) for each in (asked.start, asked.returning))
    statements, window = making.statements, making.window
    return {
        "starts": statements.starts_of_days(window, starts, asked.period, starting, asked.cohort),
        "returns": statements.activity_of_days(window, returns, asked.period, returning, START),
    }


def activity_of(making: Making, asked: Activity, start: str | None) -> str:
    """Return who was active in which bucket, of a range of whole days as the rollups know it."""
    selection: Selection = asked.events
    condition = selection.sql(making.scope)
    if activity_is_of_days(asked) and making.window.days is not None:
        name = _named(making, activity_rollup(selection))
        return making.statements.activity_of_days(making.window, name, asked.interval, condition, start)
    counted = counted_arguments(asked, making.scope)
    relation = making.events()
    if asked.group_type is not None:
        relation = making.statements.render("insights_numbered", relation=relation, project=PROJECT, **counted)
        counted["actor"] = "actor_number"
    return making.statements.render(
        "insights_activity",
        relation=relation,
        project=PROJECT,
        **counted,
        condition=condition,
        interval=asked.interval,
        start=start,
        end=END,
        **_CALENDAR,
    )
