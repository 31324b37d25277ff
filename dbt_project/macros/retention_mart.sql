{#-
    A retention mart of all projects: any event is a start and a return, each project in its own calendar.

    Columns: project_id, cohort_date, period_index (0 … `periods`), persons, cohort_size, is_complete. Grain: one row per
    project, cohort and period; cohorts without persons are left out. `period` is 'day', 'week' or 'month'.
-#}
{% macro retention_mart(period, periods) -%}
{%- set events = ref('fct_events') -%}
{%- set projects = ref('stg_collector__projects') -%}
with cohorts as (
    select
        toUInt32(0) as project_id,
        toDate32(0) as cohort_date,
        toUInt32(0) as period_index,
        toUInt64(0) as persons,
        toUInt64(0) as cohort_size,
        false as is_complete
    where false
    {%- for calendar in calendars(events, projects) %}
    union all
    select
        project_id,
        toDate32(cohort, '{{ calendar['timezone'] }}') as cohort_date,
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
            start="toDateTime64('1970-01-01 00:00:00', 3, 'UTC')",
            end="toDateTime64('2200-01-01 00:00:00', 3, 'UTC')",
            period=period,
            timezone="'" ~ calendar['timezone'] ~ "'",
            periods=periods,
            week_start=calendar['week_start'],
            keys=['project_id'],
        ) | indent(8) }}
    )
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
{%- endmacro %}
