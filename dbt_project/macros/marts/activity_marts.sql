{#-
    The activity of a calendar's projects, see activity.sql: `relation` are events or, with `of_days`, a rollup of them by
    day; `span` are the buckets, and activity before `start` is left out where that is given. An `actor` without a number
    gets one.
-#}
{% macro activity_of_calendar(relation, calendar, span, condition, where, of_days, actor, start=none) -%}
{%- set activity = insights_activity_of_days if of_days else insights_activity -%}
{%- set events = events_of_calendar(relation, ref('stg_collector__projects'), calendar) -%}
{%- set counted = {} -%}
{%- if actor != 'person_number' -%}
{%- set events = insights_numbered(events, 'project_id', actor, where) -%}
{%- do counted.update(actor='actor_number') -%}
{%- endif -%}
{{ activity(
    relation=events,
    project='project_id',
    condition=condition,
    interval=span['interval'],
    timezone=span['timezone'],
    start=start,
    week_start=span['week_start'],
    where=where,
    keys=['project_id'],
    **counted
) }}
{%- endmacro %}

{#-
    A lifecycle of all projects, each in its own calendar: the last `last` buckets of `interval`, the present one included.
    Its columns are those of insights_lifecycle. Grain: one row per project and bucket in which somebody is active or dormant.
-#}
{% macro lifecycle_mart(columns, relation, condition, interval, last, where, of_days, actor='person_number') -%}
{% call(calendar) mart_of_calendars(columns, relation) -%}
{%- set span = last_buckets(calendar, interval, last) -%}
{{ insights_lifecycle(
    activity=activity_of_calendar(relation, calendar, span, condition, where, of_days, actor),
    keys=['project_id'],
    **span
) }}
{%- endcall %}
{%- endmacro %}

{#-
    A stickiness of all projects over the same buckets. Its columns are those of insights_stickiness. Grain: one row per
    project and number of buckets, up to the largest in which somebody was active.
-#}
{% macro stickiness_mart(columns, relation, condition, interval, last, where, of_days, actor='person_number') -%}
{% call(calendar) mart_of_calendars(columns, relation) -%}
{%- set span = last_buckets(calendar, interval, last) -%}
{{ insights_stickiness(
    activity=activity_of_calendar(relation, calendar, span, condition, where, of_days, actor, start=span['start']),
    keys=['project_id'],
    **span
) }}
{%- endcall %}
{%- endmacro %}
