{#-
    A retention mart of all projects, each in its own calendar.

    Columns: project_id, cohort_date, period_index (0 … `periods`, or the number of the bracket), persons, cohort_size,
    is_complete. Grain: one row per project, cohort and period; cohorts without persons are left out. `period` is 'day',
    'week' or 'month'; `relation` is a rollup by day of persons (of events, where a condition names one).
-#}
{% macro retention_mart(
    relation, period, periods, start_condition, return_condition, where='true', cohort='first_time', return_rule='on',
    brackets='[]'
) -%}
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
    {%- for calendar in calendars(relation, projects) %}
    union all
    select
        project_id,
        toDate32(cohort, '{{ calendar['timezone'] }}') as cohort_date,
        toUInt32(period_index) as period_index,
        persons,
        cohort_size,
        toBool(is_complete) as is_complete
    from (
        {%- set timezone = "'" ~ calendar['timezone'] ~ "'" %}
        {%- set activities = [] %}
        {%- for condition in [start_condition, return_condition] %}
            {%- do activities.append(insights_activity_of_days(
                relation=events_of_calendar(relation, projects, calendar),
                project='project_id',
                condition=condition,
                interval=period,
                timezone=timezone,
                week_start=calendar['week_start'],
                where=where,
                keys=['project_id'],
            )) %}
        {%- endfor %}
        {{ insights_retention_of_activity(
            starts='(' ~ activities[0] ~ ')',
            returns='(' ~ activities[1] ~ ')',
            start="toDateTime64('1970-01-01 00:00:00', 3, 'UTC')",
            end="toDateTime64('2200-01-01 00:00:00', 3, 'UTC')",
            period=period,
            timezone=timezone,
            periods=periods,
            week_start=calendar['week_start'],
            keys=['project_id'],
            cohort=cohort,
            return_rule=return_rule,
            brackets=brackets,
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

{#-
    The same asked of events, which a rolling clock, a breakdown and conditions on more than an event's name want. With a
    `breakdown` (an expression, Nullable(String)) there are columns breakdown, breakdown_kind and breakdown_rank too, and
    a row for each of the `top` values and the rest.
-#}
{% macro retention_mart_of_events(
    relation, period, periods, start_condition, return_condition, where='true', cohort='first_time', return_rule='on',
    brackets='[]', clock='calendar', breakdown=none, top=10
) -%}
{%- set projects = ref('stg_collector__projects') -%}
{%- set values = ['breakdown', 'breakdown_kind', 'breakdown_rank'] if breakdown is not none else [] -%}
with cohorts as (
    select
        toUInt32(0) as project_id,
        {%- if values %}
        '' as breakdown,
        '' as breakdown_kind,
        toUInt32(0) as breakdown_rank,
        {%- endif %}
        toDate32(0) as cohort_date,
        toUInt32(0) as period_index,
        toUInt64(0) as persons,
        toUInt64(0) as cohort_size,
        false as is_complete
    where false
    {%- for calendar in calendars(ref('fct_events'), projects) %}
    union all
    select
        project_id,
        {%- if values %}
        breakdown,
        toString(breakdown_kind) as breakdown_kind,
        toUInt32(breakdown_rank) as breakdown_rank,
        {%- endif %}
        toDate32(cohort, '{{ calendar['timezone'] }}') as cohort_date,
        toUInt32(period_index) as period_index,
        toUInt64(persons) as persons,
        toUInt64(cohort_size) as cohort_size,
        toBool(is_complete) as is_complete
    from (
        {{ insights_retention(
            relation=events_of_calendar(relation, projects, calendar),
            project='project_id',
            start_condition=start_condition,
            return_condition=return_condition,
            start="toDateTime64('1970-01-01 00:00:00', 3, 'UTC')",
            end="toDateTime64('2200-01-01 00:00:00', 3, 'UTC')",
            period=period,
            timezone="'" ~ calendar['timezone'] ~ "'",
            periods=periods,
            week_start=calendar['week_start'],
            keys=['project_id'],
            where=where,
            cohort=cohort,
            clock=clock,
            return_rule=return_rule,
            brackets=brackets,
            breakdown=breakdown,
            top=top,
        ) | indent(8) }}
    )
    {%- endfor %}
)

select
    project_id,
    {%- for column in values %}
    {% if column == 'breakdown_kind' %}toLowCardinality(breakdown_kind) as breakdown_kind{% else %}{{ column }}{% endif %},
    {%- endfor %}
    cohort_date,
    period_index,
    persons,
    cohort_size,
    is_complete
from cohorts
{%- endmacro %}
