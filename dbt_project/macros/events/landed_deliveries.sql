{#-
    What is looked up of the deliveries that landed within a span of inserted_at, [since, until), for unmodelled_events and
    for who decides what it has to look up. `landing` is raw.events, `facts` is fct_events.
-#}

{#-
    The message ids of deliveries in the span that repeat a modelled event and tell something else of it, such as another
    time: what tells them apart from new events is all history, and not its sort key.

    `ids` is stg_collector__events_ids: hashes of all message ids that were ever staged, which say of nearly every new event
    that it is new. Only where one is known, and not modelled as it landed, all ids are read.
-#}
{%- macro repeated_deliveries(project, since, until, landing, facts, ids) -%}
with
    told_apart as (
        select message_id
        from (
            {{ landed_deliveries(project, since, until, landing, ['message_id']) | indent(12) }}
        ) as landed
        where
            {{ message_id_hash('message_id') }} in (
                select id_hash
                from {{ ids }}
                where
                    project_id = {{ project }}
                    and id_hash in (
                        {{ landed_deliveries(
                            project, since, until, landing, [message_id_hash('message_id')]
                        ) | indent(24) }}
                    )
            )
            and message_id not in (
                {{ modelled_as_landed(project, since, until, landing, facts) | indent(16) }}
            )
    )

select distinct message_id
from {{ facts }}
where
    project_id = {{ project }}
    and (select count() from told_apart) > 0
    and message_id in (select message_id from told_apart)
{%- endmacro -%}

{#-
    What landed in the span. One row: deliveries, inserted_until (just after the last one, null without any), has_identifies
    (see unmodelled_events).
-#}
{%- macro landed_in_span(project, since, until, landing) -%}
{{ landed_deliveries(project, since, until, landing, [
    'count() as deliveries',
    'maxOrNull(inserted_at) + toIntervalMillisecond(1) as inserted_until',
    "countIf(type = 'identify') > 0 as has_identifies",
]) }}
{%- endmacro -%}

{#- Whether there are users in the span who were merged into others. One row: has_merges. -#}
{%- macro merges_in_span(project, since, until, landing, merged_users) -%}
select count() > 0 as has_merges
from {{ merged_users }}
where
    project_id = {{ project }}
    and user_id in (
        {{ landed_deliveries(project, since, until, landing, ['user_id']) | indent(8) }}
    )
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

{#- Deliveries of the span; more conditions may follow. -#}
{%- macro landed_deliveries(project, since, until, landing, columns) -%}
select {{ columns | join(', ') }}
from {{ landing }}
where
    project_id = {{ project }}
    and inserted_at >= {{ since }}
    and inserted_at < {{ until }}
    and protocol != 'canary'
{%- endmacro -%}

{#-
    The ids of deliveries of the span that are in fct_events as they landed, found by its sort key. Hardly any other event
    has the name and the millisecond of one of them: few ids are read, which are the widest part of the key.
-#}
{%- macro modelled_as_landed(project, since, until, landing, facts) -%}
select message_id
from {{ facts }}
where
    project_id = {{ project }}
    and (event, timestamp) in (
        {{ landed_deliveries(project, since, until, landing, ['event', 'timestamp']) | indent(8) }}
    )
    and (event, timestamp, message_id) in (
        {{ landed_deliveries(project, since, until, landing, ['event', 'timestamp', 'message_id']) | indent(8) }}
    )
{%- endmacro -%}
