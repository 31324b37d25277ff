"""The dbt models of what is asked of the last so many buckets, each project's in its own calendar."""

from collections.abc import Callable, Mapping
from typing import Any

from core.insights.arguments import (
    activity_is_of_days,
    activity_rollup,
    counted_arguments,
    paths_arguments,
    revenue_arguments,
    revenue_is_rolled,
    text_of,
    trend_arguments,
    trend_columns,
    web_is_rolled,
)
from core.insights.binding import literal
from core.insights.definitions import (
    LifecycleDefinition,
    PathsDefinition,
    RevenueDefinition,
    StickinessDefinition,
    TrendDefinition,
    WebDefinition,
)
from core.insights.filters import conjunction
from core.insights.model_text import (
    PROJECT,
    SCOPE,
    Column,
    Expression,
    Model,
    both,
    call,
    events_for,
    jinja_of,
    of_projects,
    table,
    without_jinja,
)
from core.insights.questions import Series
from core.insights.selections import Interval


def _trend(trend: TrendDefinition) -> Model:
    asked = trend_arguments(trend, SCOPE)
    arguments: dict[str, Any] = {
        "relation": events_for(*trend.breakdown, *(each.of for each in trend.series)),
        "series": asked["series"],
        "interval": trend.interval,
        "last": trend.last,
        "names": trend_columns(trend),
        "formulas": asked["formulas"],
        "where": both(asked["where"], of_projects(trend.projects)),
        "actor": asked["actor"],
        "breakdown": asked["breakdown"],
        "top": asked["top"],
    }
    one = trend.counts.removesuffix("s")
    columns: list[Column] = [
        PROJECT,
        *_bucket(trend.interval),
        *_values("events", len(trend.breakdown)),
        *(
            (
                each.name,
                "Nullable(Float64)",
                without_jinja(f"{each.measure.replace('person', one)} of {each.label()}{_unit(each)}."),
            )
            for each in trend.series
        ),
        *(
            (each.name, "Nullable(Float64)", f"{each.formula}; null where it cannot be divided.")
            for each in trend.formulas
        ),
    ]
    return call("trend_mart", _key(trend.breakdown), columns, arguments, "fct_events")


def _unit(series: Series) -> str:
    """Say in what a series measures, where that is a number of the events' own."""
    return "" if series.of is None else ", in the unit that the events have"


def _lifecycle(lifecycle: LifecycleDefinition) -> Model:
    columns: list[Column] = [
        PROJECT,
        *_bucket(lifecycle.interval),
        ("new_persons", "UInt64", f"How many {lifecycle.counts} were active for the first time ever."),
        ("returning_persons", "UInt64", f"How many were active, and in the {lifecycle.interval} before too."),
        (
            "resurrecting_persons",
            "UInt64",
            f"How many were active, and before, but not in the {lifecycle.interval} before.",
        ),
        (
            "dormant_persons",
            "Int64",
            f"How many were active in the {lifecycle.interval} before and no longer, as a negative number.",
        ),
        ("active_persons", "UInt64", "How many were active: the new, the returning and the resurrecting ones."),
        (
            "is_complete",
            "Bool",
            f"It had ended when the table was built; before that, dormant {lifecycle.counts} may still come.",
        ),
    ]
    return _of_activity("lifecycle_mart", ["project_id", "bucket_at"], columns, lifecycle)


def _stickiness(stickiness: StickinessDefinition) -> Model:
    columns: list[Column] = [
        PROJECT,
        ("buckets", "UInt32", f"In how many of the last {stickiness.last}, each one {stickiness.interval} long."),
        ("persons", "UInt64", f"How many {stickiness.counts} were active in exactly so many."),
        ("persons_at_least", "UInt64", f"How many {stickiness.counts} were active in so many or more."),
    ]
    return _of_activity("stickiness_mart", ["project_id", "buckets"], columns, stickiness)


def _of_activity(
    macro: str, key: list[str], columns: list[Column], asked: LifecycleDefinition | StickinessDefinition
) -> Model:
    # What a set of persons for each day and event cannot say, the events say.
    of_days = activity_is_of_days(asked)
    reads = activity_rollup(asked.events) if of_days else "fct_events"
    counted = counted_arguments(asked, SCOPE)
    arguments: dict[str, Any] = {
        "relation": table(reads),
        "condition": asked.events.sql(SCOPE),
        "interval": asked.interval,
        "last": asked.last,
        "where": both(counted["where"], of_projects(asked.projects)),
        "actor": counted["actor"],
        "of_days": of_days,
    }
    return call(macro, key, columns, arguments, reads)


def _paths(paths: PathsDefinition) -> Model:
    asked = paths_arguments(paths, SCOPE)
    arguments: dict[str, Any] = {
        "relation": table("fct_events"),
        "node": asked.pop("node"),
        "interval": paths.interval,
        "last": paths.last,
        "where": both(asked.pop("where"), of_projects(paths.projects)),
        **asked,
    }
    columns: list[Column] = [
        PROJECT,
        ("position", "UInt32", "Place of the node in its sequences, from 1."),
        ("name", "String", "Name of the node."),
        ("next_name", "String", "Name of the node to which the edge leads; empty in the row of the node itself."),
        ("node", "String", "The node with its place, such as `2 /pricing`."),
        ("next_node", "String", "The next node with its place; empty in the row of the node itself."),
        ("sequences", "UInt64", "How many sequences come to the node, or take the edge."),
        ("avg_ms", "Nullable(Float64)", "Average time between the two nodes, in milliseconds; null in a node's row."),
        ("drop_offs", "Nullable(UInt64)", "How many sequences end at the node; null in the row of an edge."),
    ]
    return call("paths_mart", ["project_id", "position", "name", "next_name"], columns, arguments, "fct_events")


_VIEW_COLUMNS: list[Column] = [
    ("visitors", "UInt64", "How many persons viewed a page or screen."),
    ("views", "UInt64", "How many page and screen views."),
    ("sessions", "UInt64", "In how many sessions they were."),
]
_SESSION_COLUMNS: list[Column] = [
    ("visitors", "UInt64", "How many persons had a session with a page or screen view."),
    ("sessions", "UInt64", "How many such sessions started."),
    ("views", "UInt64", "How many page and screen views they have."),
    ("bounces", "UInt64", "How many of them have one view and no track event."),
    ("bounce_rate", "Nullable(Float64)", "Bounces for each session, from 0 to 1; null without sessions."),
    ("avg_duration_ms", "Nullable(Float64)", "Average duration, in milliseconds; null without sessions."),
    ("views_per_session", "Nullable(Float64)", "Views for each session; null without sessions."),
]


def _web(web: WebDefinition) -> Model:
    rolled = web_is_rolled(web)
    reads = "fct_events" if web.is_of_views else "agg_sessions_daily" if rolled else "fct_sessions"
    arguments: dict[str, Any] = {
        "relation": table(reads),
        "interval": web.interval,
        "last": web.last,
        "total": web.total,
        "where": both(conjunction(web.where, SCOPE), of_projects(web.projects)),
        "breakdown": list(web.breakdown),
        "top": web.top,
        "of_views": web.is_of_views,
        "rolled": rolled,
    }
    columns = [
        PROJECT,
        *_bucket(web.interval, total=web.total),
        *_values("views" if web.is_of_views else "sessions", len(web.breakdown)),
        *(_VIEW_COLUMNS if web.is_of_views else _SESSION_COLUMNS),
    ]
    return call("web_mart", _key(web.breakdown), columns, arguments, reads)


def _revenue(revenue: RevenueDefinition) -> Model:
    rolled = revenue_is_rolled(revenue)
    relation = table("agg_revenue_daily") if rolled else events_for(*revenue.breakdown)
    asked = revenue_arguments(revenue, SCOPE)
    arguments: dict[str, Any] = {
        "relation": relation,
        "condition": asked["condition"],
        "interval": revenue.interval,
        "last": revenue.last,
        "total": revenue.total,
        "in_currency": asked["in_currency"],
        "where": both(asked["where"], of_projects(revenue.projects)),
    }
    if rolled:
        arguments["active"] = table("agg_persons_daily")
    else:
        arguments |= {
            "amount": _amount(revenue),
            "currency": _currency(revenue),
            "breakdown": asked["breakdown"],
            "top": asked["top"],
        }
    columns: list[Column] = [PROJECT]
    is_one = revenue.in_currency is not None and revenue.in_currency.isalpha()
    unit = revenue.in_currency if is_one else "units of the currency that orders name"
    chosen = " that fits the definition's conditions" if revenue.where else ""
    valued = " and has the value" if revenue.breakdown else ""
    key = _key(revenue.breakdown)
    if revenue.in_currency is None:
        columns.append(("currency", "String", "The currency, in capitals; `(none)` where orders name none."))
        key.insert(1, "currency")
    columns += [
        *_bucket(revenue.interval, total=revenue.total),
        *_values("orders", len(revenue.breakdown)),
        ("revenue", "Decimal(38, 6)", f"Sum of the amounts, refunds taken off, in {unit}."),
        ("orders", "UInt64", "How many events have an amount of 0 or more."),
        ("buyers", "UInt64", "How many persons have an order."),
        ("active_persons", "UInt64", f"How many persons have any event{chosen}{valued}."),
        ("average_order_value", "Nullable(Float64)", f"Revenue for each order, in {unit}; null without orders."),
        ("revenue_per_buyer", "Nullable(Float64)", f"Revenue for each buyer, in {unit}; null without buyers."),
        (
            "revenue_per_active_person",
            "Nullable(Float64)",
            f"Revenue for each active person, in {unit}; null without active persons.",
        ),
    ]
    reads = ("agg_revenue_daily", "agg_persons_daily") if rolled else ("fct_events",)
    return call("revenue_mart", key, columns, arguments, *reads)


def _amount(revenue: RevenueDefinition) -> Expression:
    if revenue.amount is None:
        return Expression("insights_revenue_amount('event', 'properties')")
    return Expression(f"insights_revenue_amount_of({jinja_of(text_of(revenue.amount, SCOPE))})")


def _currency(revenue: RevenueDefinition) -> Expression:
    found = (
        "insights_revenue_currency('properties')"
        if revenue.currency is None
        else f"insights_revenue_currency_of({jinja_of(text_of(revenue.currency, SCOPE))})"
    )
    if revenue.default_currency is None:
        return Expression(found)
    default = jinja_of(f", ''), {literal(revenue.default_currency, 'String')})")
    return Expression(f"'ifNull(nullIf(' ~ {found} ~ {default}")


def _bucket(interval: Interval, *, total: bool = False) -> list[Column]:
    what = "range" if total else interval
    return [
        ("bucket_at", "DateTime64(0, 'UTC')", f"Instant at which the {what} began. UTC."),
        ("bucket_date", "Date32", "Day on which it began, in the project's time zone."),
    ]


def _values(ranked_by: str, count: int) -> list[Column]:
    """Return the columns of a breakdown by so many values."""
    if not count:
        return []
    return [
        ("rank", "UInt32", f"Place of the values by {ranked_by}, from 1; the last is the rest of them."),
        ("is_other", "Bool", "These are the rest of the values."),
        *(
            (f"breakdown_{place}", "String", "The value; `(none)` where it is missing, `(other)` for the rest.")
            for place in range(1, count + 1)
        ),
    ]


def _key(breakdown: tuple[object, ...]) -> list[str]:
    return ["project_id", *(["rank"] if breakdown else []), "bucket_at"]


REPORT_MODELS: Mapping[str, Callable[[Any], Model]] = {
    "trend": _trend,
    "lifecycle": _lifecycle,
    "stickiness": _stickiness,
    "paths": _paths,
    "web": _web,
    "revenue": _revenue,
}
