{#-
    Paths of all projects, over what begins in the last `last` buckets of `interval` of each one's calendar, the present one
    included. Its columns are those of insights_paths, without a next node empty texts. `window_ms` none asks within
    sessions. Grain: one row per project, node and edge from it.
-#}
{% macro paths_mart(
    columns, relation, node, interval, last, where, exclude, groups, window_ms, start_point, end_point, max_steps, min_sequences
) -%}
{%- set texts = {'next_name': "ifNull(found.next_name, '')", 'next_node': "ifNull(found.next_node, '')"} -%}
{% call(calendar) mart_of_calendars(columns, relation, names=texts) -%}
{%- set span = last_buckets(calendar, interval, last) -%}
{{ insights_paths(
    relation=events_of_calendar(relation, ref('stg_collector__projects'), calendar),
    project='project_id',
    node=node,
    start=span['start'],
    end=span['end'],
    where=where,
    keys=['project_id'],
    within='session' if window_ms is none else 'window',
    window_ms=window_ms,
    exclude=exclude,
    groups=groups,
    start_point=start_point,
    end_point=end_point,
    max_steps=max_steps,
    min_sequences=min_sequences,
) }}
{%- endcall %}
{%- endmacro %}
