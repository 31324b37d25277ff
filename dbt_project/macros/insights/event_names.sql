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

{#-
    The same from a rollup with the columns project_id, event, event_date (Date32, in the project's zone), events (count) and
    persons, AggregateFunction(groupBitmap, UInt32). The range [start, end) consists of whole days of `timezone`: whoever asks
    sees to it.
-#}
{%- macro insights_event_names_of_days(relation, project, start, end, timezone) -%}
select
    event,
    sum(events) as events,
    groupBitmapMerge(persons) as persons
from {{ relation }}
where
    project_id = {{ project }}
    and event_date >= {{ insights_bucket(start, 'day', timezone) }}
    and event_date <= {{ insights_last_bucket(end, 'day', timezone) }}
group by event
order by events desc, event asc
{%- endmacro -%}
