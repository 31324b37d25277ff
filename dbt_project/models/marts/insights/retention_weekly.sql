{{ config(order_by='(project_id, cohort_date, period_index)') }}

{%- set projects = project_settings(ref('fct_events'), ref('stg_collector__projects')) %}
{%- set periods = 12 %}

with cohorts as (
    select
        toUInt32(0) as project_id,
        toDate(0) as cohort_date,
        toUInt32(0) as period_index,
        toUInt64(0) as persons,
        toUInt64(0) as cohort_size,
        toBool(0) as is_complete
    where false
    {%- for project in projects %}
    {%- set timezone = "'" ~ project['timezone'] ~ "'" %}
    union all
    select
        toUInt32({{ project['project_id'] }}) as project_id,
        toDate(cohort, {{ timezone }}) as cohort_date,
        period_index,
        persons,
        cohort_size,
        toBool(is_complete) as is_complete
    from (
        {{ insights_retention(
            ref('fct_events'),
            project['project_id'],
            'true',
            'true',
            "fromUnixTimestamp64Milli(" ~ project['starts_ms'] ~ ", 'UTC')",
            "fromUnixTimestamp64Milli(" ~ project['ends_ms'] ~ ", 'UTC')",
            'week',
            timezone,
            periods,
            project['week_start']
        ) | indent(8) }}
    )
    where cohort_size > 0
    {%- endfor %}
)

select
    project_id,
    cohort_date,
    period_index,
    persons,
    cohort_size,
    is_complete
from cohorts
