{#-
    The events of a project that landed and that no refresh has modelled yet, in the columns of fct_events that every
    insight reads; events_with_content adds others. An answer is made of fct_events (or a rollup of it) and of these: each
    event is in one of both, by its message id.

    Columns: project_id, message_id, type, event, timestamp, received_at, sequence, person_number, event_date.
    Grain: one row per message id, the delivery that was received first.

    Looked at are deliveries with inserted_at in [since, until). `since` lies before anything that the last refresh did not
    see, `until` is an instant that has passed. `repeated` is what repeated_deliveries gives for the same span, as an
    Array(String). `landing` is raw.events, `facts` is fct_events.

    Persons are those of the last refresh; links of devices that identify events among these make hold for these. A person
    who has no number yet gets one above 2^31, the same one in the whole statement.

    Jinja's arguments: `has_identifies` says that there may be identify events in the span, `has_merges` that there may be
    users who were merged into others. Without them, what they ask for is left out.

    The engine works a CTE out at each place that names it, and plans each of them: what is looked up is narrowed by plain
    reads of the span, which may ask for more than is needed, and not by the events that are left.
-#}
{%- macro unmodelled_events(
    project, since, until, timezone, repeated, landing, facts, merged_users, linked_devices, numbered_persons,
    has_identifies=true, has_merges=true
) -%}
{%- set new_numbers_start = 2 ** 31 %}
with
    landed as (
        {{ landed_deliveries(
            project,
            since,
            until,
            landing,
            ['message_id', 'type', 'event', 'anonymous_id', 'user_id', 'timestamp', 'received_at', 'sequence'],
        ) | indent(8) }}
        order by {{ delivery_order() | trim }}
        limit 1 by message_id
    ),

    unmodelled as (
        select
            message_id,
            type,
            event,
            anonymous_id,
            user_id,
            timestamp,
            received_at,
            sequence
        from landed
        where
            -- The traits of a group may come without a person.
            (anonymous_id != '' or user_id != '')
            and not has({{ repeated }}, message_id)
            and message_id not in (
                {{ modelled_as_landed(project, since, until, landing, facts) | indent(16) }}
            )
    ),

    {%- if has_merges %}

    merged as (
        select
            user_id,
            merged_user_id
        from {{ merged_users }}
        where
            project_id = {{ project }}
            and user_id in (
                {{ landed_deliveries(project, since, until, landing, ['user_id']) | indent(16) }}
            )
    ),
    {%- endif %}

    linked as (
        select
            anonymous_id,
            links
        from {{ linked_devices }}
        where
            project_id = {{ project }}
            and anonymous_id in (
                {{ landed_deliveries(project, since, until, landing, ['anonymous_id']) | indent(16) }}
            )
    ),
    {%- if has_identifies %}

    identifies as (
        select
            message_id,
            anonymous_id,
            user_id,
            timestamp,
            received_at,
            sequence
        from landed
        where
            type = 'identify'
            and anonymous_id != ''
            and user_id != ''
            and not has({{ repeated }}, message_id)
    ),

    devices as (
        select
            anonymous_id,
            arraySort(groupArray(link)) as device_links
        from (
            select
                anonymous_id,
                arrayJoin(links) as link
            from linked
            union all
            select
                identifies.anonymous_id as anonymous_id,
                (
                    {{ event_order('identifies') }},
                    {% if has_merges -%}
                    if(merged.merged_user_id = '', identifies.user_id, merged.merged_user_id)
                    {%- else -%}
                    identifies.user_id
                    {%- endif %}
                ) as link
            from identifies
            {%- if has_merges %}
            left join merged on identifies.user_id = merged.user_id
            {%- endif %}
        ) as links
        group by anonymous_id
    ),
    {%- else %}

    devices as (
        select
            anonymous_id,
            links as device_links
        from linked
    ),
    {%- endif %}

    resolved as (
        select
            unmodelled.message_id as message_id,
            unmodelled.type as type,
            unmodelled.event as event,
            unmodelled.timestamp as timestamp,
            unmodelled.received_at as received_at,
            unmodelled.sequence as sequence,
            {{ person_user_id(
                'unmodelled.user_id', 'merged.merged_user_id' if has_merges else "''", 'devices.device_links',
                event_order('unmodelled')
            ) }} as person_user_id,
            {{ person_id('person_user_id', 'unmodelled.anonymous_id') }} as person_id
        from unmodelled
        {%- if has_merges %}
        left join merged on unmodelled.user_id = merged.user_id
        {%- endif %}
        left join devices on unmodelled.anonymous_id = devices.anonymous_id
    ),

    numbered as (
        select
            person_id,
            person_number
        from {{ numbered_persons }}
        where
            project_id = {{ project }}
            and person_id in (
                {{ landed_deliveries(
                    project, since, until, landing,
                    ["arrayJoin([concat('user:', user_id), concat('anonymous:', anonymous_id)])"],
                ) | indent(16) }}
                union all
                select concat('user:', arrayJoin(links).2)
                from linked
                {%- if has_merges %}
                union all
                select concat('user:', merged_user_id)
                from merged
                {%- endif %}
            )
    )

select
    toUInt32({{ project }}) as project_id,
    resolved.message_id as message_id,
    resolved.type as type,
    resolved.event as event,
    resolved.timestamp as timestamp,
    resolved.received_at as received_at,
    resolved.sequence as sequence,
    if(
        numbered.person_number > 0,
        numbered.person_number,
        toUInt32({{ new_numbers_start }} + dense_rank() over (order by numbered.person_number > 0, resolved.person_id))
    ) as person_number,
    {{ insights_bucket('resolved.timestamp', 'day', timezone) }} as event_date
from resolved
left join numbered on resolved.person_id = numbered.person_id
{%- endmacro -%}

{#-
    The same columns of events that were found before and that a statement brings along, as many as fit into one.

    `found` names for each of message_id, type, event, timestamp, received_at, sequence and person_number an array of the
    values of all of them.
-#}
{%- macro found_events(project, timezone, found) -%}
select
    toUInt32({{ project }}) as project_id,
    message_id,
    toLowCardinality(found_type) as type,
    toLowCardinality(found_event) as event,
    timestamp,
    received_at,
    sequence,
    person_number,
    {{ insights_bucket('timestamp', 'day', timezone) }} as event_date
from (select 1) as found
array join
    {{ found['message_id'] }} as message_id,
    {{ found['type'] }} as found_type,
    {{ found['event'] }} as found_event,
    {{ found['timestamp'] }} as timestamp,
    {{ found['received_at'] }} as received_at,
    {{ found['sequence'] }} as sequence,
    {{ found['person_number'] }} as person_number
{%- endmacro -%}

{#- The columns of fct_events that every insight reads, in a text. -#}
{%- macro columns_of_insights() -%}
    project_id message_id type event timestamp received_at sequence person_number event_date
{%- endmacro -%}

{#-
    Events with those that are not modelled yet, a relation for an insight. `unmodelled` is unmodelled_events, or with
    `content`, further columns of fct_events, events_with_content.
-#}
{%- macro all_events(facts, project, unmodelled, content=[]) -%}
{%- set columns = columns_of_insights().split() + content -%}
(
    select {{ columns | join(', ') }}
    from {{ facts }}
    where project_id = {{ project }}
    union all
    select {{ columns | join(', ') }}
    from (
        {{ unmodelled | indent(8) }}
    )
)
{%- endmacro -%}

{#-
    The same of a rollup with the columns project_id, events (count), persons (set), when (`moment`: event_date, or hour_at)
    and, but for agg_persons_daily, event.
-#}
{%- macro all_of_rollup(rollup, project, unmodelled, timezone, moment, has_events=true) -%}
(
    select
        project_id,
        {%- if has_events %}
        event,
        {%- endif %}
        {{ moment }},
        events,
        persons
    from {{ rollup }}
    where project_id = {{ project }}
    union all
    select
        project_id,
        {%- if has_events %}
        event,
        {%- endif %}
        {{ 'event_date' if moment == 'event_date' else insights_bucket('timestamp', 'hour', timezone) }} as {{ moment }},
        count() as events,
        groupBitmapState(person_number) as persons
    from (
        {{ unmodelled | indent(8) }}
    )
    group by project_id, {{ 'event, ' if has_events }}{{ moment }}
)
{%- endmacro -%}
