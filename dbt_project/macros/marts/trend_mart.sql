{#-
    A trend of all projects, each in its own calendar: the last `last` buckets of `interval`, the present one included.

    `columns` are those of the mart: project_id, bucket_at, bucket_date, with `breakdown` rank, is_other and breakdown_1 …, and
    the `names`: of each the column of insights_trends that it is. `series`, `formulas`, `breakdown` and `top` are those of
    insights_trends. Grain: one row per project, values and bucket; only projects with events in these buckets are there.
-#}
{% macro trend_mart(
    columns, relation, series, interval, last, names, formulas=[], where='true', actor='person_number', breakdown=[], top=10
) -%}
{%- set figures = {} -%}
{%- for name, column in names.items() -%}
{%- do figures.update({name: 'found.' ~ column}) -%}
{%- endfor -%}
{% call(calendar) mart_of_calendars(columns, ref('fct_events'), names=figures) -%}
{{ insights_trends(
    relation=events_of_calendar(relation, ref('stg_collector__projects'), calendar),
    project='project_id',
    series=series,
    where=where,
    actor=actor,
    keys=['project_id'],
    formulas=formulas,
    breakdown=breakdown,
    top=top,
    **last_buckets(calendar, interval, last)
) }}
{%- endcall %}
{%- endmacro %}
