"""The dbt models of insights: a definition as the text of a model and of its description.

The SQL of an insight is that of its macro; what stands here is how a definition becomes the macro's arguments.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from core.insights.arguments import activity_rollup, funnel_arguments, retention_arguments, retention_is_of_days
from core.insights.binding import literal
from core.insights.definitions import (
    CohortDefinition,
    Definition,
    FunnelDefinition,
    RetentionDefinition,
    RollupDefinition,
)
from core.insights.model_text import (
    PROJECT,
    SCOPE,
    Column,
    Model,
    both,
    call,
    events_for,
    inline,
    jinja_of,
    line,
    of_projects,
    table,
    written,
)
from core.insights.report_models import REPORT_MODELS

_ALWAYS = {
    "start": "toDateTime64('1970-01-01 00:00:00', 3, 'UTC')",
    "end": "toDateTime64('2200-01-01 00:00:00', 3, 'UTC')",
}
_BREAKDOWN: list[Column] = [
    ("breakdown", "String", "The value; `(none)` where it is missing, `(other)` for the rest of the values."),
    ("breakdown_kind", "LowCardinality(String)", "`value`, `none` or `other`: a real value may read like those two."),
]


def model_of(definition: Definition) -> Model:
    """Return the model of a definition."""
    return _MODELS[definition.kind](definition)


def _funnel(funnel: FunnelDefinition) -> Model:
    labels = [step.label() for step in funnel.steps]
    asked = funnel_arguments(funnel, SCOPE)
    arguments: dict[str, Any] = {
        "relation": events_for(*funnel.hold_constant, funnel.breakdown),
        "project": "project_id",
        "steps": asked.pop("steps"),
        **_ALWAYS,
        "window_ms": asked.pop("window_ms"),
        "keys": ["project_id"],
        "where": both(asked.pop("where"), of_projects(funnel.projects)),
        "actor": asked.pop("actor"),
        **asked,
    }
    columns: list[Column] = [PROJECT]
    key = ["project_id", "step"]
    if funnel.breakdown is not None:
        columns += _BREAKDOWN
        key = ["project_id", "breakdown_kind", "breakdown", "step"]
    columns += [
        ("step", "UInt32", "Number of the step, from 1."),
        ("step_name", "LowCardinality(String)", "What the step is called."),
        ("persons", "UInt64", f"How many {funnel.counts} reached the step."),
        ("lost_persons", "UInt64", "How many of them did not reach the next one; 0 at the last."),
        ("incomplete_persons", "UInt64", "For how many of them the window has not closed."),
        *(
            (
                f"{kind}_ms",
                "Nullable(Float64)",
                f"{title} from the previous step, in milliseconds; null where nobody came.",
            )
            for kind, title in (
                ("median", "Median time"),
                ("avg", "Average time"),
                ("p90", "90th percentile of the time"),
            )
        ),
    ]
    names = jinja_of(f"[{', '.join(literal(label, 'String') for label in labels)}]")
    cast = {
        "step_name": f"toLowCardinality({{{{ {names} }}}}[step])",
        "breakdown_kind": "toLowCardinality(breakdown_kind)",
    }
    sql = f"""{{{{ config(order_by='({", ".join(key)})') }}}}

with funnel as (
    {{{{ insights_funnel(
{written(arguments, 8)}
    ) | indent(4) }}}}
)

select
{_selected(columns, cast)}
from funnel
"""  # noqa: S608 - a model's own text
    return sql, key, columns


def _retention(retention: RetentionDefinition) -> Model:
    is_hourly = retention.period == "hour"
    of_events = not retention_is_of_days(retention)
    asked = retention_arguments(retention, SCOPE)
    arguments: dict[str, Any] = {
        **{name: asked.pop(name) for name in ("period", "periods", "start_condition", "return_condition")},
        "where": both(asked.pop("where"), of_projects(retention.projects)),
        "cohort": asked.pop("cohort"),
        "return_rule": asked.pop("return_rule"),
        "brackets": str(asked.pop("brackets")),
    }
    columns: list[Column] = [PROJECT]
    cohort = "cohort_at" if is_hourly else "cohort_date"
    key = ["project_id", cohort, "period_index"]
    needs = activity_rollup(retention.start, retention.returning)
    actor = asked.pop("actor")
    if of_events:
        asked["actor"] = actor
        needs = "fct_events"
        arguments |= asked
        if retention.breakdown is not None:
            columns += [*_BREAKDOWN, ("breakdown_rank", "UInt32", "Place of the value by entries, from 1.")]
            key = ["project_id", "breakdown_rank", cohort, "period_index"]
    macro = "retention_mart_of_events" if of_events else "retention_mart"
    relation = events_for(retention.breakdown) if of_events else table(needs)
    arguments = {"relation": relation} | arguments
    if is_hourly:
        columns.append(("cohort_at", "DateTime64(0, 'UTC')", "Instant at which the cohort's hour began. UTC."))
    columns += [
        ("cohort_date", "Date32", "First day of the cohort's period, in the project's time zone."),
        ("period_index", "UInt32", "How many periods later, 0 being the cohort itself; or the number of the bracket."),
        ("persons", "UInt64", "How many of the cohort came back in that period."),
        ("cohort_size", "UInt64", f"How many {retention.counts} the cohort has."),
        ("is_complete", "Bool", "The period had ended when the table was built. Others are not to be averaged in."),
    ]
    return call(macro, key, columns, arguments, needs)


def _rollup(rollup: RollupDefinition) -> Model:
    by = [each.name for each in rollup.by]
    places = [f"by_{place}" for place in range(len(by))]
    key = ["project_id", "event", "event_date", *by]
    # By numbers: an alias that is called like a column of fct_events would stand for it in the other expressions.
    values = {
        f"by_{place}": f"toLowCardinality(ifNull({each.text(literal)}, ''))" for place, each in enumerate(rollup.by)
    }
    values |= {f"number_{place}": each.number(literal) for place, each in enumerate(rollup.sums)}
    read = [f"{expression} as {name}" for name, expression in values.items()]
    named = "".join(f"        events.by_{place} as {name},\n" for place, name in enumerate(by))
    columns: list[Column] = [
        PROJECT,
        ("event", "LowCardinality(String)", "Name of the event."),
        ("event_date", "Date32", "Day, in the project's time zone."),
        *((each.name, "LowCardinality(String)", "The value; empty where it is missing.") for each in rollup.by),
        ("events", "UInt64", "How many events."),
        ("persons", "AggregateFunction(groupBitmap, UInt32)", "Set of the persons who sent them, by number."),
        *(
            (
                f"{each.name}_sum",
                "Float64",
                "Sum of the numbers, in the unit that the events have; what is none adds nothing.",
            )
            for each in rollup.sums
        ),
    ]
    condition = both(rollup.events.sql(SCOPE), of_projects(rollup.projects))
    asked = {"columns": ["project_id", "event", "event_date", *read, "person_number"], "condition": condition}
    numbers = ((f"events.number_{place}", each.name) for place, each in enumerate(rollup.sums))
    sums = "".join(
        f""",
        sumKahanIf(
            assumeNotNull({number}), coalesce(isFinite({number}), false)
        ) as {name}_sum"""
        for number, name in numbers
    )
    grouped = ",\n        ".join(f"events.{name}" for name in ("project_id", "event", "event_date", *places))
    counts = ["events", *(f"{each.name}_sum" for each in rollup.sums)]
    sql = f"""{{{{
    config(
        materialized='repaired',
        unique_key=['project_id', 'event', 'event_date'],
        stale_keys='touched',
        order_by='({", ".join(key)})',
        settings={{'min_bytes_for_wide_part': 0}},
        pre_hook='{{{{ keep_repaired() }}}}',
        post_hook='{{{{ settle_repairs() }}}}',
    )
}}}}

with events as (
    {{{{ events_to_count(
{written(asked, 8)}
    ) }}}}
),

counted as (
    select
        events.project_id as project_id,
        events.event as event,
        events.event_date as event_date,
{named}        count() as events,
        groupBitmapState(events.person_number) as persons{sums}
    from events
    group by
        {grouped}
)

{{{{ with_those_who_stay(
{written({"made": "counted", "keys": key, "counts": counts}, 4)}
) }}}}
"""  # noqa: S608 - see above
    return sql, key, columns


def _cohort(cohort: CohortDefinition) -> Model:
    key = ["project_id", "person_number"]
    columns: list[Column] = [
        PROJECT,
        ("person_number", "UInt32", "Number of the person, as in `dim_persons`."),
        ("computed_at", "DateTime64(3, 'UTC')", "When it was found that the person belongs to it."),
    ]
    condition = both(of_projects(cohort.projects), cohort.sql(SCOPE))
    configuration = "{{ config(order_by='(project_id, person_number)') }}"
    belongs = inline(condition)
    if cohort.static:
        configuration = """{{
    config(
        materialized='repaired',
        unique_key=['project_id', 'person_number'],
        stale_keys='gone_members',
        all_stale='computes_members',
        order_by='(project_id, person_number)',
        post_hook='{{ keep_version() }}',
    )
}}"""
        belongs = f"{{{{ {jinja_of(condition)} if computes_members() else 'false' }}}}"
    sql = f"""{configuration}

with persons as (
    select
        project_id,
        person_number
    from {{{{ ref('dim_persons') }}}}
{line(f"    where {belongs}")}
)

select
    project_id,
    person_number,
    now64(3, 'UTC') as computed_at
from persons
"""  # noqa: S608 - see above
    return sql, key, columns


_MODELS: Mapping[str, Callable[[Any], Model]] = {
    "funnel": _funnel,
    "retention": _retention,
    "rollup": _rollup,
    "cohort": _cohort,
    **REPORT_MODELS,
}


def _selected(columns: Iterable[Column], cast: Mapping[str, str]) -> str:
    named = [f"{cast[name]} as {name}" if name in cast else name for name, _, _ in columns]
    return "\n".join(line(f"    {each},") for each in named[:-1]) + f"\n    {named[-1]}"
