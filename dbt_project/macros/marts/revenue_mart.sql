{#-
    Revenue of all projects, each in its own calendar: the last `last` buckets of `interval`, the present one included; with
    `total` all of them as one. Its columns are those of insights_revenue. With `active`, both relations are rollups by day
    (`rolled` there), without amount, currency and breakdown. Grain: one row per project, currency, values and bucket.
-#}
{% macro revenue_mart(
    columns, relation, condition, interval, last, total, in_currency, where, active=none, amount=none, currency=none,
    breakdown=[], top=10
) -%}
{%- set projects = ref('stg_collector__projects') -%}
{% call(calendar) mart_of_calendars(columns, active or ref('fct_events')) -%}
{{ insights_revenue(
    relation=events_of_calendar(relation, projects, calendar),
    project='project_id',
    condition=condition,
    amount=amount,
    currency=currency,
    in_currency=in_currency,
    where=where,
    breakdown=breakdown,
    top=top,
    keys=['project_id'],
    rolled=active is not none,
    active=events_of_calendar(active, projects, calendar) if active else none,
    **last_buckets(calendar, interval, last, total)
) }}
{%- endcall %}
{%- endmacro %}
