"""How a question becomes the arguments of its macro: for the model of a file and for the query of a document alike.

Values and tables come in by the `Scope`. What tells the two apart, such as the range and the relation of events, is
theirs to add.
"""

from typing import Any

from core.insights.binding import Scope
from core.insights.durations import duration_ms
from core.insights.filters import Subject, conjunction
from core.insights.formula import formula_sql
from core.insights.questions import Funnel, Retention, Step, TrendQuestion
from core.insights.reports import Activity, PathsQuestion, RevenueQuestion, WebQuestion
from core.insights.selections import Counted, Selection

_TRAITS = "person_traits"
_MEASURES = {"persons": "actors", "events_per_person": "events_per_actor", "sum_per_person": "sum_per_actor"}
# By which the events of a day are counted already (agg_breakdowns_daily), and its sessions (agg_sessions_daily).
_DIMENSIONS = {"channel", "country", "device_type", "browser", "os"}


def text_of(subject: Subject, scope: Scope) -> str:
    """Return the value of a subject as text; that of a trait wants `events_with_traits` as the relation."""
    return subject.text(scope.bind, traits=_TRAITS)


def number_of(subject: Subject, scope: Scope) -> str:
    """Return the value of a subject as a number."""
    return subject.number(scope.bind, traits=_TRAITS)


def wants_traits(*subjects: Subject | None) -> bool:
    """Say whether a trait tells figures apart, so that events have to stand beside the traits of their persons."""
    return any(subject is not None and subject.trait is not None for subject in subjects)


def counted_arguments(asked: Counted, scope: Scope) -> dict[str, str]:
    """Return whom a macro counts, and in which events."""
    if asked.group_type is None:
        return {"actor": "person_number", "where": "true"}
    return {"actor": "group_id", "where": f"group_type = {scope.bind(asked.group_type, 'String')} and group_id != ''"}


def activity_rollup(*selections: Selection) -> str:
    """Return the rollup by day that knows who did any of these; conditions on more than names it does not know."""
    return "agg_events_daily" if any(selection.names() for selection in selections) else "agg_persons_daily"


def dimension_of(*subjects: Subject) -> str | None:
    """Return the column by whose values the events of a day are counted already; None of anything else."""
    columns = [subject.column for subject in subjects]
    return columns[0] if len(columns) == 1 and columns[0] in _DIMENSIONS else None


def funnel_arguments(funnel: Funnel, scope: Scope) -> dict[str, Any]:
    """Return what a funnel says to `insights_funnel`."""
    arguments: dict[str, Any] = {
        **counted_arguments(funnel, scope),
        "steps": [step.sql(scope) for step in funnel.steps],
        "window_ms": duration_ms(funnel.window),
        "order": funnel.order,
        "attempts": funnel.attempts,
        "tie_grace_ms": funnel.tie_grace_ms or None,
        "exclusions": [
            {
                "condition": exclusion.sql(scope),
                "from_step": exclusion.from_step or 1,
                "to_step": exclusion.to_step or len(funnel.steps),
                "effect": exclusion.effect,
            }
            for exclusion in funnel.exclude
        ],
        "hold_constant": [text_of(subject, scope) for subject in funnel.hold_constant],
        "hide_incomplete": funnel.hide_incomplete,
        "disjoint": _are_disjoint(funnel.steps),
    }
    if funnel.breakdown is not None:
        arguments |= {
            "breakdown": text_of(funnel.breakdown, scope),
            "attribution": funnel.breakdown.attribution,
            "top": funnel.breakdown.top,
        }
    return arguments


def retention_arguments(retention: Retention, scope: Scope) -> dict[str, Any]:
    """Return what a retention says to `insights_retention`, the brackets as lists."""
    arguments: dict[str, Any] = {
        **counted_arguments(retention, scope),
        "period": retention.period,
        "periods": retention.periods,
        "start_condition": retention.start.sql(scope),
        "return_condition": retention.returning.sql(scope),
        "cohort": retention.cohort,
        "return_rule": retention.return_rule,
        "brackets": [list(bracket) for bracket in retention.brackets],
        "clock": retention.clock,
    }
    if retention.breakdown is not None:
        arguments |= {"breakdown": text_of(retention.breakdown, scope), "top": retention.breakdown.top}
    return arguments


def retention_is_of_days(retention: Retention) -> bool:
    """Say whether a set of persons for each day and event can say it; the events say what it cannot."""
    return not (
        retention.period == "hour"
        or retention.start.where
        or retention.returning.where
        or retention.clock == "rolling"
        or retention.breakdown
        or retention.group_type
    )


def trend_arguments(trend: TrendQuestion, scope: Scope) -> dict[str, Any]:
    """Return what a trend says to `insights_trends`."""
    return {
        **counted_arguments(trend, scope),
        "series": [
            {
                "condition": each.sql(scope),
                "measure": _MEASURES.get(each.measure, each.measure),
                **({} if each.of is None else {"of": number_of(each.of, scope)}),
                **({} if each.trailing == 1 else {"trailing": each.trailing}),
            }
            for each in trend.series
        ],
        "formulas": [formula_sql(each.formula, len(trend.series)) for each in trend.formulas],
        "breakdown": [text_of(subject, scope) for subject in trend.breakdown],
        "top": trend.top,
    }


def trend_columns(trend: TrendQuestion) -> dict[str, str]:
    """Return the column of `insights_trends` that holds each series and formula, by its name."""
    names = {each.name: chr(ord("a") + place) for place, each in enumerate(trend.series)}
    return names | {each.name: f"formula_{place}" for place, each in enumerate(trend.formulas, start=1)}


def activity_is_of_days(asked: Activity) -> bool:
    """Say whether a set of persons for each day and event can say it."""
    return not asked.events.where and asked.interval != "hour" and asked.group_type is None


def paths_arguments(paths: PathsQuestion, scope: Scope) -> dict[str, Any]:
    """Return what paths say to `insights_paths`: `where` is of what they are made, `window_ms` None of sessions."""
    is_view = "type = 'page'" if paths.nodes == "page_path" else "true"
    chosen = [condition for condition in (is_view, paths.events.sql(scope)) if condition != "true"]
    excluded = [f"({selection.sql(scope)})" for selection in paths.exclude]
    return {
        "node": paths.nodes,
        "where": " and ".join(chosen) or "true",
        "exclude": " or ".join(excluded) or "false",
        "groups": [scope.bind(pattern, "String") for pattern in paths.groups],
        "window_ms": None if paths.window is None else duration_ms(paths.window),
        "start_point": None if paths.start_point is None else scope.bind(paths.start_point, "String"),
        "end_point": None if paths.end_point is None else scope.bind(paths.end_point, "String"),
        "max_steps": paths.max_steps,
        "min_sequences": paths.min_sequences,
    }


def web_is_rolled(web: WebQuestion) -> bool:
    """Say whether the sessions of a day are counted already."""
    is_known = len(web.breakdown) <= 1 and set(web.breakdown) <= _DIMENSIONS
    return is_known and not web.where and web.interval != "hour"


def revenue_is_rolled(revenue: RevenueQuestion) -> bool:
    """Say whether the orders of a day are added up already."""
    return revenue.interval != "hour" and not (
        revenue.amount or revenue.currency or revenue.default_currency or revenue.orders.where or revenue.where
        or revenue.breakdown
    )  # fmt: skip


def revenue_arguments(revenue: RevenueQuestion, scope: Scope) -> dict[str, Any]:
    """Return what revenue says to `insights_revenue`, asked of events or of a rollup."""
    return {
        "condition": revenue.orders.sql(scope),
        "in_currency": None if revenue.in_currency is None else scope.bind(revenue.in_currency, "String"),
        "where": conjunction(revenue.where, scope),
        "breakdown": [text_of(subject, scope) for subject in revenue.breakdown],
        "top": revenue.top,
    }


def _are_disjoint(steps: tuple[Step, ...]) -> bool:
    """Say whether no event can fit two steps: they name different events."""
    names = [name for step in steps for name in step.names()]
    return all(step.names() for step in steps) and len(names) == len(set(names))
