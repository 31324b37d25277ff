"""The dbt models of insights: a definition as the text of a model and of its description.

The SQL of an insight is that of its macro; what stands here is how a definition becomes the macro's arguments.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from core.insights.binding import literal
from core.insights.cohorts import CohortDefinition
from core.insights.definitions import (
    Definition,
    FunnelDefinition,
    RetentionDefinition,
    RollupDefinition,
    Step,
    Subject,
    TrendDefinition,
)
from core.insights.durations import duration_ms
from core.insights.filters import Scope
from core.insights.formula import formula_sql

Column = tuple[str, str, str]
"""Name, ClickHouse type and description."""
Model = tuple[str, list[str], list[Column]]
"""The model's SQL, the columns of its key, and its columns in their order."""

# Stands in a condition where the model says ref('…').
_REFERENCE = re.compile("\0([a-z0-9_]+)\0")
_TRAITS = "person_traits"
_SCOPE = Scope(bind=literal, relation=lambda name: f"\0{name}\0", project="project_id")
_ALWAYS = {
    "start": "toDateTime64('1970-01-01 00:00:00', 3, 'UTC')",
    "end": "toDateTime64('2200-01-01 00:00:00', 3, 'UTC')",
}
_SHORT = 60
"""Characters of a list that stand on one line."""
_PROJECT: Column = ("project_id", "UInt32", "{{ doc('project_id') }}")
_BREAKDOWN: list[Column] = [
    ("breakdown", "String", "The value; `(none)` where it is missing, `(other)` for the rest of the values."),
    ("breakdown_kind", "LowCardinality(String)", "`value`, `none` or `other`: a real value may read like those two."),
]


@dataclass(frozen=True, slots=True)
class _Expression:
    """An argument that is Jinja already."""

    jinja: str


def model_of(definition: Definition) -> Model:
    """Return the model of a definition."""
    return _MODELS[definition.kind](definition)


def without_jinja(text: str) -> str:
    """Return a text as dbt reads it in a description, where Jinja would mean something."""
    return f"{{{{ {_quoted(text)} }}}}" if any(mark in text for mark in ("{{", "{%", "{#")) else text


def _funnel(funnel: FunnelDefinition) -> Model:
    labels = [step.label() for step in funnel.steps]
    arguments: dict[str, Any] = {
        "relation": _events(*funnel.hold_constant, funnel.breakdown),
        "project": "project_id",
        "steps": [step.sql(_SCOPE) for step in funnel.steps],
        **_ALWAYS,
        "window_ms": duration_ms(funnel.window),
        "keys": ["project_id"],
        "where": _where(funnel.projects),
        "actor": "person_number",
        "order": funnel.order,
        "attempts": funnel.attempts,
        "tie_grace_ms": funnel.tie_grace_ms or None,
        "exclusions": [
            {
                "condition": exclusion.sql(_SCOPE),
                "from_step": exclusion.from_step or 1,
                "to_step": exclusion.to_step or len(labels),
                "effect": exclusion.effect,
            }
            for exclusion in funnel.exclude
        ],
        "hold_constant": [_text(subject) for subject in funnel.hold_constant],
        "hide_incomplete": funnel.hide_incomplete,
        "disjoint": _are_disjoint(funnel.steps),
    }
    columns: list[Column] = [_PROJECT]
    key = ["project_id", "step"]
    if funnel.breakdown is not None:
        arguments |= {
            "breakdown": _text(funnel.breakdown),
            "attribution": funnel.breakdown.attribution,
            "top": funnel.breakdown.top,
        }
        columns += _BREAKDOWN
        key = ["project_id", "breakdown_kind", "breakdown", "step"]
    columns += [
        ("step", "UInt32", "Number of the step, from 1."),
        ("step_name", "LowCardinality(String)", "What the step is called."),
        ("persons", "UInt64", "How many persons reached the step."),
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
    names = _jinja(f"[{', '.join(literal(label, 'String') for label in labels)}]", 0)
    cast = {
        "step_name": f"toLowCardinality({{{{ {names} }}}}[step])",
        "breakdown_kind": "toLowCardinality(breakdown_kind)",
    }
    sql = f"""{{{{ config(order_by='({", ".join(key)})') }}}}

with funnel as (
    {{{{ insights_funnel(
{_arguments(arguments, 8)}
    ) | indent(4) }}}}
)

select
{_selected(columns, cast)}
from funnel
"""  # noqa: S608 - a model's own text
    return sql, key, columns


def _retention(retention: RetentionDefinition) -> Model:
    # What a set of persons for each day and event cannot say, the events say.
    of_events = bool(
        retention.start.where or retention.returning.where or retention.clock == "rolling" or retention.breakdown
    )
    arguments: dict[str, Any] = {
        "period": retention.period,
        "periods": retention.periods,
        "start_condition": retention.start.sql(_SCOPE),
        "return_condition": retention.returning.sql(_SCOPE),
        "where": _where(retention.projects),
        "cohort": retention.cohort,
        "return_rule": retention.return_rule,
        "brackets": str([list(bracket) for bracket in retention.brackets]),
    }
    columns: list[Column] = [_PROJECT]
    key = ["project_id", "cohort_date", "period_index"]
    needs = ["agg_persons_daily" if not retention.start.names() + retention.returning.names() else "agg_events_daily"]
    if of_events:
        needs = ["fct_events"]
        arguments["clock"] = retention.clock
        if retention.breakdown is not None:
            arguments |= {"breakdown": _text(retention.breakdown), "top": retention.breakdown.top}
            columns += [*_BREAKDOWN, ("breakdown_rank", "UInt32", "Place of the value by entries, from 1.")]
            key = ["project_id", "breakdown_rank", "cohort_date", "period_index"]
    macro = "retention_mart_of_events" if of_events else "retention_mart"
    relation = _events(retention.breakdown) if of_events else _Expression(f"ref('{needs[0]}')")
    arguments = {"relation": relation} | arguments
    columns += [
        ("cohort_date", "Date32", "First day of the cohort's period, in the project's time zone."),
        ("period_index", "UInt32", "How many periods later, 0 being the cohort itself; or the number of the bracket."),
        ("persons", "UInt64", "How many of the cohort came back in that period."),
        ("cohort_size", "UInt64", "How many persons the cohort has."),
        ("is_complete", "Bool", "The period had ended when the table was built. Others are not to be averaged in."),
    ]
    sql = f"""{{{{ config(order_by='({", ".join(key)})') }}}}

{_depends(*needs, "stg_collector__projects", *_read_by(arguments))}

{{{{ {macro}(
{_arguments(arguments, 4)}
) }}}}
"""
    return sql, key, columns


def _trend(trend: TrendDefinition) -> Model:
    measures = {"persons": "actors", "events_per_person": "events_per_actor", "sum_per_person": "sum_per_actor"}
    series = [
        {
            "condition": each.sql(_SCOPE),
            "measure": measures.get(each.measure, each.measure),
            **({} if each.of is None else {"of": each.of.number(literal, traits=_TRAITS)}),
        }
        for each in trend.series
    ]
    letters = [chr(ord("a") + place) for place in range(len(series))]
    names = {each.name: letter for each, letter in zip(trend.series, letters, strict=True)}
    names |= {each.name: f"formula_{place}" for place, each in enumerate(trend.formulas, start=1)}
    arguments: dict[str, Any] = {
        "relation": _events(*trend.breakdown, *(each.of for each in trend.series)),
        "series": series,
        "interval": trend.interval,
        "last": trend.last,
        "names": names,
        "formulas": [formula_sql(each.formula, len(series)) for each in trend.formulas],
        "where": _where(trend.projects),
        "breakdown": [_text(subject) for subject in trend.breakdown],
        "top": trend.top,
    }
    columns: list[Column] = [
        _PROJECT,
        ("bucket_at", "DateTime64(0, 'UTC')", f"Instant at which the {trend.interval} began. UTC."),
        ("bucket_date", "Date32", "Day on which it began, in the project's time zone."),
    ]
    key = ["project_id", "bucket_at"]
    if trend.breakdown:
        key = ["project_id", "rank", "bucket_at"]
        columns += [
            ("rank", "UInt32", "Place of the values by events, from 1; the last is the rest of them."),
            ("is_other", "Bool", "These are the rest of the values."),
            *(
                (f"breakdown_{place}", "String", "The value; `(none)` where it is missing, `(other)` for the rest.")
                for place in range(1, len(trend.breakdown) + 1)
            ),
        ]
    columns += [
        (each.name, "Nullable(Float64)", without_jinja(f"{each.measure} of {each.label()}.")) for each in trend.series
    ]
    columns += [
        (each.name, "Nullable(Float64)", f"{each.formula}; null where it cannot be divided.") for each in trend.formulas
    ]
    sql = f"""{{{{ config(order_by='({", ".join(key)})') }}}}

{_depends("fct_events", "stg_collector__projects", *_read_by(arguments))}

{{{{ trend_mart(
{_arguments(arguments, 4)}
) }}}}
"""
    return sql, key, columns


def _rollup(rollup: RollupDefinition) -> Model:
    by = [each.name for each in rollup.by]
    places = [f"by_{place}" for place in range(len(by))]
    key = ["project_id", "event", "event_date", *by]
    # By numbers: an alias that is called like a column of fct_events would stand for it in the other expressions.
    values = {
        f"by_{place}": f"toLowCardinality(ifNull({each.text(literal)}, ''))" for place, each in enumerate(rollup.by)
    }
    values |= {f"number_{place}": each.number(literal) for place, each in enumerate(rollup.sums)}
    read = "".join(f"        {_inline(expression)} as {name},\n" for name, expression in values.items())
    named = "".join(f"    events.by_{place} as {name},\n" for place, name in enumerate(by))
    columns: list[Column] = [
        _PROJECT,
        ("event", "LowCardinality(String)", "Name of the event."),
        ("event_date", "Date32", "Day, in the project's time zone."),
        *((each.name, "LowCardinality(String)", "The value; empty where it is missing.") for each in rollup.by),
        ("events", "UInt64", "How many events."),
        ("persons", "AggregateFunction(groupBitmap, UInt32)", "Set of the persons who sent them, by number."),
        *((f"{each.name}_sum", "Float64", "Sum of the numbers; what is none adds nothing.") for each in rollup.sums),
    ]
    condition = " and ".join(part for part in (rollup.events.sql(_SCOPE), _where(rollup.projects)) if part != "true")
    sums = "".join(
        f",\n    sumKahanIf(assumeNotNull(number), ifNull(isFinite(number), false)) as {each.name}_sum".replace(
            "number", f"events.number_{place}"
        )
        for place, each in enumerate(rollup.sums)
    )
    stale = "(project_id, event_date) in ({{ touched(['project_id', 'event_date']) }})"
    sql = f"""{{{{
    config(
        materialized='repaired',
        unique_key=['project_id', 'event_date'],
        stale_keys='touched',
        order_by='({", ".join(key)})',
        pre_hook='{{{{ keep_repaired() }}}}',
        post_hook='{{{{ settle_repairs() }}}}',
    )
}}}}

with events as (
    select
        project_id,
        event,
        event_date,
{read}        person_number
    from {{{{ ref('fct_events') }}}}
    where
        {_inline(condition or "true")}
        {{%- if not repairs_all() %}}
        and {stale}
        {{%- endif %}}
)

select
    events.project_id as project_id,
    events.event as event,
    events.event_date as event_date,
{named}    count() as events,
    groupBitmapState(events.person_number) as persons{sums}
from events
group by {", ".join(f"events.{name}" for name in ("project_id", "event", "event_date", *places))}
"""  # noqa: S608 - see above
    return sql, key, columns


def _cohort(cohort: CohortDefinition) -> Model:
    key = ["project_id", "person_number"]
    columns: list[Column] = [
        _PROJECT,
        ("person_number", "UInt32", "Number of the person, as in `dim_persons`."),
        ("computed_at", "DateTime64(3, 'UTC')", "When it was found that the person belongs to it."),
    ]
    condition = " and ".join(part for part in (_where(cohort.projects), cohort.sql(_SCOPE)) if part != "true")
    configuration = "{{ config(order_by='(project_id, person_number)') }}"
    belongs = _inline(condition)
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
        belongs = f"{{{{ {_jinja(condition, 0)} if computes_members() else 'false' }}}}"
    sql = f"""{configuration}

with persons as (
    select
        project_id,
        person_number
    from {{{{ ref('dim_persons') }}}}
    where {belongs}
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
    "trend": _trend,
    "rollup": _rollup,
    "cohort": _cohort,
}


def _where(projects: tuple[int, ...]) -> str:
    return f"project_id in ({', '.join(map(str, projects))})" if projects else "true"


def _text(subject: Subject) -> str:
    return subject.text(literal, traits=_TRAITS)


def _events(*subjects: Subject | None) -> _Expression:
    """Return the relation of events; where a trait tells figures apart, with the traits of their persons."""
    if any(subject is not None and subject.trait is not None for subject in subjects):
        return _Expression("events_with_traits()")
    return _Expression("ref('fct_events')")


def _are_disjoint(steps: tuple[Step, ...]) -> bool:
    """Say whether no event can fit two steps: they name different events."""
    names = [name for step in steps for name in step.names()]
    return all(step.names() for step in steps) and len(names) == len(set(names))


def _arguments(arguments: Mapping[str, Any], indent: int) -> str:
    space = " " * indent
    return "\n".join(f"{space}{name}={_jinja(value, indent)}," for name, value in arguments.items())


def _jinja(value: Any, indent: int) -> str:
    """Write a value as Jinja reads it; the marks in a text become references to tables."""
    match value:
        case _Expression():
            return value.jinja
        case str():
            parts = _REFERENCE.split(value)
            texts = [f"ref('{part}')" if place % 2 else _quoted(part) for place, part in enumerate(parts)]
            return " ~ ".join(texts)
        case dict():
            return "{" + ", ".join(f"{_quoted(name)}: {_jinja(item, indent)}" for name, item in value.items()) + "}"
        case list():
            return _jinja_list([_jinja(item, indent + 4) for item in value], indent)
        case bool() | None:
            return str(value).lower()
        case _:
            return repr(value)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _jinja_list(items: list[str], indent: int) -> str:
    if sum(map(len, items)) < _SHORT:
        return f"[{', '.join(items)}]"
    space = " " * (indent + 4)
    return "[\n" + "".join(f"{space}{item},\n" for item in items) + " " * indent + "]"


def _inline(expression: str) -> str:
    """Write an expression into the model's SQL, so that no brace of a value means anything to Jinja."""
    return f"{{{{ {_jinja(expression, 0)} }}}}"


def _selected(columns: Iterable[Column], cast: Mapping[str, str]) -> str:
    return ",\n".join(f"    {cast[name]} as {name}" if name in cast else f"    {name}" for name, _, _ in columns)


def _depends(*models: str) -> str:
    """Name what is read only when the model runs, which dbt does not see while it parses."""
    return "\n".join(f"-- depends_on: {{{{ ref('{model}') }}}}" for model in models)


def _read_by(arguments: Mapping[str, Any]) -> list[str]:
    """Return the models that conditions name, and that of persons where their traits are joined."""
    texts = json.dumps(arguments, default=str, ensure_ascii=False).replace("\\u0000", "\0")
    return sorted({*_REFERENCE.findall(texts), *(["dim_persons"] if "events_with_traits" in texts else [])})
