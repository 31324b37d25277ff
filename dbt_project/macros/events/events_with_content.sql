{#-
    Events that are not modelled yet, beside columns of fct_events that follow from a delivery: what it says itself, and what
    is looked up of that.

    `events` is unmodelled_events or found_events of the same span; `columns` are among properties, group_type, group_id,
    library, sdk_session_key, those of context_columns that fct_events has, and those of enriched_events, which takes `agents`, `addresses` and
    `listed`. `found` is that of found_events; without it, all deliveries of the span are looked at.
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
{#-
    They stand in a column dozens of times, earlier ones within later ones: in full, a statement would be too long. A layer for
    each, because within one layer the engine plans an expression anew at each place that names it.
-#}
{%- set parts = [
    ['of_page_call', page_call_read()],
    ['of_context', context_read()],
    ['of_page_url', said_of_page('url')],
    ['of_page_query', page_query()],
] -%}
{%- set layer = namespace() -%}
{%- set layer.sql -%}
(
    select
        message_id,
        received_at,
        sequence,
        type,
        {{ as_landed[1:] | join(', ') }},
        {{ finite_numbers('read_properties') }} as properties
        {%- if of_context %},
        {{ finite_numbers('read_context') }} as context
        {%- endif %}
    from (
        {{ landed_deliveries(project, since, until, landing, [
            'message_id', 'received_at', 'sequence', 'type', landed,
            'properties as read_properties', 'context as read_context',
        ]) | indent(8) }}
        {%- if found %}
        -- The deliveries are sorted by it.
        and received_at >= arrayMin({{ found['received_at'] }})
        and received_at <= arrayMax({{ found['received_at'] }})
        and has({{ found['message_id'] }}, message_id)
        {%- endif %}
        order by {{ delivery_order() | trim }}
        limit 1 by message_id
    ) as landed
)
{%- endset -%}
{%- if of_context -%}
{%- for name, part in parts -%}
{%- set layer.sql -%}
(
    select
        *,
        {{ with_names(part, parts[:loop.index0] | reverse) }} as {{ name }}
    from {{ layer.sql | indent(4) }} as read
)
{%- endset -%}
{%- endfor -%}
{%- endif -%}
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
        {{ with_names(context_columns(only=of_context), parts | reverse) }}
        {%- endif %}
    from {{ layer.sql | indent(4) }} as read
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

{#- What a table of look-ups says of the values that deliveries of the span have in a column, its key. -#}
{%- macro looked_up_in(table, key, project, since, until, landing) -%}
(
    select *
    from {{ table }}
    where {{ key }} in (
        {{ landed_deliveries(project, since, until, landing, [key]) | indent(8) }}
    )
)
{%- endmacro -%}

{#-
    What is not known yet of what landed in the span. One row: has_unknown_agents, has_unknown_addresses (of which the tables of
    look-ups have nothing yet), has_new_traits (what is not modelled may change the traits of persons).
-#}
{%- macro unknown_in_span(project, since, until, repeated, landing, facts, agents, addresses) -%}
select
    {%- for name, table, key in [('agents', agents, 'user_agent'), ('addresses', addresses, 'ip')] %}
    (
        {{ landed_deliveries(project, since, until, landing, ['count()']) | indent(8) }}
        and {{ key }} != ''
        and {{ key }} not in (select {{ key }} from {{ looked_up_in(table, key, project, since, until, landing) | indent(8) }})
    ) > 0 as has_unknown_{{ name }},
    {%- endfor %}
    (
        {{ landed_deliveries(project, since, until, landing, ['count()']) | indent(8) }}
        and (traits != '' or traits_once != '' or traits_increment != '' or type in ('identify', 'alias'))
        and not has({{ repeated }}, message_id)
        and message_id not in (
            {{ modelled_as_landed(project, since, until, landing, facts) | indent(12) }}
        )
    ) > 0 as has_new_traits
{%- endmacro -%}

{#- SQL with the name of each part in place of its text, larger ones first. -#}
{%- macro with_names(sql, parts) -%}
{%- set named = namespace(sql=sql) -%}
{%- for name, part in parts -%}
{%- set named.sql = named.sql | replace(part, name) -%}
{%- endfor -%}
{{ named.sql }}
{%- endmacro -%}
