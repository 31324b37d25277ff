{#-
    The events that a project sent in [start, end), the most frequent first.

    Columns: event, events (count), persons (exact). Grain: one row per event name.
    Arguments are SQL expressions; `relation` is fct_events, `start` and `end` are DateTime64 instants.
-#}
{%- macro insights_event_names(relation, project, start, end) -%}
select
    event,
    count() as events,
    uniqExact(person_number) as persons
from {{ relation }}
where project_id = {{ project }} and timestamp >= {{ start }} and timestamp < {{ end }}
group by event
order by events desc, event asc
{%- endmacro -%}
