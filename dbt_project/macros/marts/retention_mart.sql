{#-
    A retention mart of all projects, each in its own calendar.

    `columns` are those of the mart: project_id, cohort_date, period_index (0 … `periods`, or the number of the bracket),
    persons, cohort_size, is_complete. Grain: one row per project, cohort and period; cohorts without persons are left out.
    `period` is 'day', 'week' or 'month'; `relation` is a rollup by day of persons (of events, where a condition names one).
-#}
{% macro retention_mart(
    columns, relation, period, periods, start_condition, return_condition, where='true', cohort='first_time',
    return_rule='on', brackets='[]'
) -%}
{% call(calendar) mart_of_calendars(columns, relation) -%}
{%- set timezone = "'" ~ calendar['timezone'] ~ "'" -%}
{%- set activities = [] -%}
{%- for condition in [start_condition, return_condition] -%}
{%- do activities.append(insights_activity_of_days(
    relation=events_of_calendar(relation, ref('stg_collector__projects'), calendar),
    project='project_id',
    condition=condition,
    interval=period,
    timezone=timezone,
    week_start=calendar['week_start'],
    where=where,
    keys=['project_id'],
)) -%}
{%- endfor -%}
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
) }}
{%- endcall %}
{%- endmacro %}

{#-
    The same asked of events, which hours (with a column cohort_at too, when the cohort's began), a rolling clock, a breakdown
    and conditions on more than an event's name want. With a
    `breakdown` (an expression, Nullable(String)) there are columns breakdown, breakdown_kind and breakdown_rank too, and
    a row for each of the `top` values and the rest.
-#}
{% macro retention_mart_of_events(
    columns, relation, period, periods, start_condition, return_condition, where='true', cohort='first_time',
    return_rule='on', brackets='[]', clock='calendar', breakdown=none, top=10, actor='person_number'
) -%}
{% call(calendar) mart_of_calendars(columns, ref('fct_events')) -%}
{{ insights_retention(
    relation=events_of_calendar(relation, ref('stg_collector__projects'), calendar),
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
    actor=actor,
    cohort=cohort,
    clock=clock,
    return_rule=return_rule,
    brackets=brackets,
    breakdown=breakdown,
    top=top,
) }}
{%- endcall %}
{%- endmacro %}
