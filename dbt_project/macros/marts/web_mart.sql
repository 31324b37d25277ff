{#-
    Web analytics of all projects, each in its own calendar: the last `last` buckets of `interval`, the present one included;
    with `total` all of them as one. Its columns are those of insights_web, and `rolled` is as there; with `of_views` they
    are those of insights_web_pages. Grain: one row per project, values of the `breakdown` and bucket.
-#}
{% macro web_mart(columns, relation, interval, last, total, where, breakdown, top, of_views=false, rolled=false) -%}
{%- set report = insights_web_pages if of_views else insights_web -%}
{% call(calendar) mart_of_calendars(columns, relation) -%}
{%- set arguments = last_buckets(calendar, interval, last, total) -%}
{%- if rolled -%}
{%- do arguments.update({'rolled': true}) -%}
{%- endif -%}
{{ report(
    relation=events_of_calendar(relation, ref('stg_collector__projects'), calendar),
    project='project_id',
    where=where,
    breakdown=breakdown,
    top=top,
    keys=['project_id'],
    **arguments
) }}
{%- endcall %}
{%- endmacro %}
