{#-
    Events that are not modelled yet, beside columns of fct_events that follow from a delivery: what it says itself, and what
    is looked up of that.

    `events` is unmodelled_events or found_events of the same span; `columns` are among properties, group_type, group_id,
    library, sdk_session_key, those of context_columns that fct_events has, and those of enriched_events, which takes
    `agents`, `addresses` and `listed`. `found` is that of found_events; without it, all deliveries of the span are looked at.
    Columns and grain: those of `events`, and `columns`. An event whose delivery was erased since it was found is left out.
-#}
{%- macro events_with_content(
    events, project, since, until, landing, columns, agents, addresses, listed, found=none
) -%}
{%- set looked_up = columns | select(
    'in', (enriched_columns('agent') ~ ' ' ~ enriched_columns('place') ~ ' ' ~ enriched_columns('source')).split()
) | list -%}
{%- set said = columns | reject('in', looked_up) | list -%}
{%- set read = (said + enrichment_inputs(looked_up).split()) | unique | list -%}
{%- set as_landed = [
    'properties', 'group_type', 'group_id', 'library', 'user_agent', 'ip', 'country', 'sdk_session_key',
] -%}
{%- set landed = as_landed[1:-1] | join(', ') ~ ', ' ~ sdk_session_key('session_id') ~ ' as sdk_session_key' -%}
{%- set of_context = read | reject('in', as_landed) | list -%}
{#- They stand in a column dozens of times, earlier ones around later ones: in full, a statement would be too long. -#}
{%- set parts = [
    ['of_page_query', page_query()],
    ['of_page_url', said_of_page('url')],
    ['of_context', context_read()],
    ['of_page_call', page_call_read()],
] -%}
{%- set told -%}
(
    select
        message_id,
        received_at,
        sequence
        {%- for column in read if column in as_landed %},
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
            {{ as_landed[1:] | join(', ') }},
            {{ finite_numbers('read_properties') }} as properties
            {%- if of_context %},
            {{ finite_numbers('read_context') }} as context
            {%- for name, part in parts %},
            {{ with_names(part, parts[loop.index:]) }} as {{ name }}
            {%- endfor %}
            {%- endif %}
        from (
            {{ landed_deliveries(project, since, until, landing, [
                'message_id', 'received_at', 'sequence', 'type', landed,
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
)
{%- endset %}
{%- if looked_up %}
{%- set told -%}
(
    {{ enriched_events(
        told,
        agents=looked_up_in(agents, 'user_agent', project, since, until, landing),
        addresses=looked_up_in(addresses, 'ip', project, since, until, landing),
        passed=['message_id', 'received_at', 'sequence'] + said,
        columns=looked_up,
        listed=listed,
    ) | indent(4) }}
)
{%- endset %}
{%- endif %}
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
from {{ told }} as told
inner join (
    {{ events | indent(4) }}
) as brought
    on
        told.message_id = brought.message_id
        and told.received_at = brought.received_at
        and told.sequence = brought.sequence
{%- endmacro -%}

{#- SQL with the name of each part in place of its text; a part stands before those that are within it. -#}
{%- macro with_names(sql, parts) -%}
{%- set named = namespace(sql=sql) -%}
{%- for name, part in parts -%}
{%- set named.sql = named.sql | replace(part, name) -%}
{%- endfor -%}
{{ named.sql }}
{%- endmacro -%}
