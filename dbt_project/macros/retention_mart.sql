{#-
    A retention mart of all projects: any event is a start and a return, each project in its own calendar.

    Columns: project_id, cohort_date, period_index (0 … `periods`), persons, cohort_size, is_complete. Grain: one row per
    project, cohort and period; cohorts without persons are left out. `period` is 'day', 'week' or 'month'.
-#}
{% macro retention_mart(period, periods) -%}
{%- set days = ref('agg_persons_daily') -%}
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
    {%- for calendar in calendars(days, projects) %}
    union all
    select
        project_id,
        toDate32(cohort, '{{ calendar['timezone'] }}') as cohort_date,
        period_index,
        persons,
        cohort_size,
        toBool(is_complete) as is_complete
    from (
        {%- set start = "toDateTime64('1970-01-01 00:00:00', 3, 'UTC')" %}
        {%- set end = "toDateTime64('2200-01-01 00:00:00', 3, 'UTC')" %}
        {%- set timezone = "'" ~ calendar['timezone'] ~ "'" %}
        {%- set activity = insights_activity_of_days(
            relation=events_of_calendar(days, projects, calendar),
            project='project_id',
            condition='true',
            interval=period,
            timezone=timezone,
            week_start=calendar['week_start'],
            keys=['project_id'],
        ) %}
        {{ insights_retention_of_activity(
            starts='(' ~ activity ~ ')',
            returns='(' ~ activity ~ ')',
            start=start,
            end=end,
            period=period,
            timezone=timezone,
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
