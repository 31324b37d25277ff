"""The dbt models of what is asked of the last so many buckets, each project's in its own calendar."""

from collections.abc import Callable, Mapping
from typing import Any

from core.insights.definitions import TrendDefinition
from core.insights.formula import formula_sql
from core.insights.model_text import (
    PROJECT,
    SCOPE,
    Column,
    Model,
    call,
    events_for,
    number_of,
    of_projects,
    text_of,
    without_jinja,
)
from core.insights.selections import Interval


def _trend(trend: TrendDefinition) -> Model:
    measures = {"persons": "actors", "events_per_person": "events_per_actor", "sum_per_person": "sum_per_actor"}
    series = [
        {
            "condition": each.sql(SCOPE),
            "measure": measures.get(each.measure, each.measure),
            **({} if each.of is None else {"of": number_of(each.of)}),
        }
        for each in trend.series
    ]
    letters = [chr(ord("a") + place) for place in range(len(series))]
    names = {each.name: letter for each, letter in zip(trend.series, letters, strict=True)}
    names |= {each.name: f"formula_{place}" for place, each in enumerate(trend.formulas, start=1)}
    arguments: dict[str, Any] = {
        "relation": events_for(*trend.breakdown, *(each.of for each in trend.series)),
        "series": series,
        "interval": trend.interval,
        "last": trend.last,
        "names": names,
        "formulas": [formula_sql(each.formula, len(series)) for each in trend.formulas],
        "where": of_projects(trend.projects),
        "breakdown": [text_of(subject) for subject in trend.breakdown],
        "top": trend.top,
    }
    columns: list[Column] = [
        PROJECT,
        *_bucket(trend.interval),
        *_values("events", len(trend.breakdown)),
        *(
            (each.name, "Nullable(Float64)", without_jinja(f"{each.measure} of {each.label()}."))
            for each in trend.series
        ),
        *(
            (each.name, "Nullable(Float64)", f"{each.formula}; null where it cannot be divided.")
            for each in trend.formulas
        ),
    ]
    return call("trend_mart", _key(trend.breakdown), columns, arguments, "fct_events")


def _bucket(interval: Interval) -> list[Column]:
    return [
        ("bucket_at", "DateTime64(0, 'UTC')", f"Instant at which the {interval} began. UTC."),
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
}
