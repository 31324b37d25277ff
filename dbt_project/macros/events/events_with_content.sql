{#-
    Events that are not modelled yet, beside columns of fct_events that follow from a delivery alone.

    `events` is unmodelled_events or found_events of the same span; `columns` are among properties, group_type, group_id,
    library, and those of context_columns that fct_events has. `found` is that of found_events; without it, all deliveries of
    the span are looked at.
    Columns and grain: those of `events`, and `columns`. An event whose delivery was erased since it was found is left out.
-#}
{%- macro events_with_content(events, project, since, until, landing, columns, found=none) -%}
{%- set as_landed = ['properties', 'group_type', 'group_id', 'library'] -%}
{%- set of_context = columns | reject('in', as_landed) | list -%}
{#- They stand in a column dozens of times, earlier ones around later ones: in full, a statement would be too long. -#}
{%- set parts = [
    ['of_page_query', page_query()],
    ['of_page_url', said_of_page('url')],
    ['of_context', context_read()],
    ['of_page_call', page_call_read()],
] -%}
select
    brought.project_id as project_id,
    brought.message_id as message_id,
    brought.type as type,
    brought.event as event,
    brought.timestamp as timestamp,
    brought.received_at as received_at,
    brought.sequence as sequence,
    brought.person_number as person_number,
    brought.event_date as event_date
    {%- for column in columns %},
    told.{{ column }} as {{ column }}
    {%- endfor %}
from (
    select
        message_id,
        received_at,
        sequence
        {%- for column in columns if column in as_landed %},
        {{ column }}
        {%- endfor %}
        {%- if of_context %},
        {{ with_names(context_columns(only=of_context), parts) }}
        {%- endif %}
    from (
        select
            message_id,
            received_at,
            sequence,
            group_type,
            group_id,
            library,
            {{ finite_numbers('read_properties') }} as properties
            {%- if of_context %},
            {{ finite_numbers('read_context') }} as context
            {%- for name, part in parts %},
            {{ with_names(part, parts[loop.index:]) }} as {{ name }}
            {%- endfor %}
            {%- endif %}
        from (
            {{ landed_deliveries(project, since, until, landing, [
                'message_id', 'received_at', 'sequence', 'type', 'group_type', 'group_id', 'library',
                'properties as read_properties', 'context as read_context',
            ]) | indent(12) }}
            {%- if found %}
            -- The deliveries are sorted by it.
            and received_at >= arrayMin({{ found['received_at'] }})
            and received_at <= arrayMax({{ found['received_at'] }})
            and has({{ found['message_id'] }}, message_id)
            {%- endif %}
            order by {{ delivery_order() | trim }}
            limit 1 by message_id
        )
    )
) as told
inner join (
    {{ events | indent(4) }}
) as brought
    on
        told.message_id = brought.message_id
        and told.received_at = brought.received_at
        and told.sequence = brought.sequence
{%- endmacro -%}

{#- SQL with the name of each part in place of its text. -#}
{%- macro with_names(sql, parts) -%}
{%- set named = namespace(sql=sql) -%}
{%- for name, part in parts -%}
{%- set named.sql = named.sql | replace(part, name) -%}
{%- endfor -%}
{{ named.sql }}
{%- endmacro -%}
