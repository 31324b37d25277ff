{{ config(order_by='(project_id, cohort_date, period_index)') }}

{%- set events = ref('fct_events') %}
{%- set projects = ref('stg_collector__projects') %}

with cohorts as (
    select
        toUInt32(0) as project_id,
        toDate(0) as cohort_date,
        toUInt32(0) as period_index,
        toUInt64(0) as persons,
        toUInt64(0) as cohort_size,
        false as is_complete
    where false
    {%- for calendar in calendars(events, projects) %}
    union all
    select
        project_id,
        toDate(cohort, '{{ calendar['timezone'] }}') as cohort_date,
        period_index,
        persons,
        cohort_size,
        toBool(is_complete) as is_complete
    from (
        {{ insights_retention(
            relation=events_of_calendar(events, projects, calendar),
            project='project_id',
            start_condition='true',
            return_condition='true',
            start="fromUnixTimestamp64Milli(" ~ calendar['starts_ms'] ~ ", 'UTC')",
            end="fromUnixTimestamp64Milli(" ~ calendar['ends_ms'] ~ ", 'UTC')",
            period='week',
            timezone="'" ~ calendar['timezone'] ~ "'",
            periods=12,
            week_start=calendar['week_start'],
            keys=['project_id'],
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
