{#-
    A trend of all projects, each in its own calendar: the last `last` buckets of `interval`, the present one included.

    Columns: project_id, bucket_at (the instant at which the bucket begins, DateTime64(0, 'UTC')), bucket_date (the day in
    the project's zone), with `breakdown` rank, is_other and breakdown_1 …, and the `names`: of each column of the mart the
    column of insights_trends that it is. `series`, `formulas`, `breakdown` and `top` are those of insights_trends. Grain: one
    row per project, values and bucket; only projects with events in these buckets are there.
-#}
{% macro trend_mart(
    relation, series, interval, last, names, formulas=[], where='true', breakdown=[], top=10
) -%}
{%- set projects = ref('stg_collector__projects') -%}
with trends as (
    select
        toUInt32(0) as project_id,
        toDateTime64(0, 0, 'UTC') as bucket_at,
        toDate32(0) as bucket_date,
        {%- if breakdown %}
        toUInt32(0) as rank,
        false as is_other,
        {%- for expression in breakdown %}
        '' as breakdown_{{ loop.index }},
        {%- endfor %}
        {%- endif %}
        {%- for name in names %}
        CAST(null, 'Nullable(Float64)') as "{{ name }}"{{ ',' if not loop.last }}
        {%- endfor %}
    where false
    {%- for calendar in calendars(ref('fct_events'), projects) %}
    {%- set timezone = "'" ~ calendar['timezone'] ~ "'" %}
    {%- set present = insights_bucket('now64(3)', interval, timezone, calendar['week_start']) %}
    union all
    select
        found.project_id as project_id,
        found.bucket as bucket_at,
        toDate32(found.bucket, {{ timezone }}) as bucket_date,
        {%- if breakdown %}
        toUInt32(found.rank) as rank,
        toBool(found.is_other) as is_other,
        {%- for expression in breakdown %}
        found.breakdown_{{ loop.index }} as breakdown_{{ loop.index }},
        {%- endfor %}
        {%- endif %}
        {%- for name, column in names.items() %}
        found.{{ column }} as "{{ name }}"{{ ',' if not loop.last }}
        {%- endfor %}
    from (
        {{ insights_trends(
            relation=events_of_calendar(relation, projects, calendar),
            project='project_id',
            series=series,
            start=insights_bucket_start(insights_bucket_add(present, '-' ~ (last - 1), interval), interval, timezone),
            end=insights_bucket_end(present, interval, timezone),
            interval=interval,
            timezone=timezone,
            week_start=calendar['week_start'],
            where=where,
            keys=['project_id'],
            formulas=formulas,
            breakdown=breakdown,
            top=top,
        ) | indent(8) }}
    ) as found
    {%- endfor %}
)

select
    project_id,
    bucket_at,
    bucket_date,
    {%- if breakdown %}
    rank,
    is_other,
    {%- for expression in breakdown %}
    breakdown_{{ loop.index }},
    {%- endfor %}
    {%- endif %}
    "{{ names | join('",\n    "') }}"
from trends
{%- endmacro %}
