{#-
    No partitions, here and in the models built from this one: their instants are the clients', and an insert that meets
    more than 100 partitions fails (max_partitions_per_insert_block), for every project.
-#}
{{ config(order_by='(project_id, event, timestamp, message_id)') }}

with events as (
    select
        project_id,
        message_id,
        type,
        event,
        person_id,
        session_id,
        timestamp,
        received_at,
        sequence,
        anonymous_id,
        user_id,
        group_type,
        group_id,
        properties
    from {{ ref('int_events_identified') }}
),

split_sessions as (
    select
        project_id,
        session_id
    from {{ ref('int_sdk_sessions_split') }}
),

derived_sessions as (
    select
        project_id,
        person_id,
        sdk_session_id,
        started_at
    from {{ ref('int_sessions_derived') }}
),

projects as (
    select
        project_id,
        timezone
    from {{ ref('stg_collector__projects') }}
),

sessionized as (
    select
        events.project_id as project_id,
        events.message_id as message_id,
        events.type as type,
        events.event as event,
        events.person_id as person_id,
        events.timestamp as timestamp,
        events.received_at as received_at,
        events.sequence as sequence,
        events.anonymous_id as anonymous_id,
        events.user_id as user_id,
        events.group_type as group_type,
        events.group_id as group_id,
        events.properties as properties,
        if(
            events.session_id != ''
            and (events.project_id, events.session_id) not in (
                select
                    project_id,
                    session_id
                from split_sessions
            ),
            events.session_id,
            {{ derived_session_id('derived_sessions') }}
        ) as session_id
    from events
    asof left join derived_sessions
        on
            events.project_id = derived_sessions.project_id
            and events.person_id = derived_sessions.person_id
            and events.session_id = derived_sessions.sdk_session_id
            and events.timestamp >= derived_sessions.started_at
)

select
    sessionized.project_id as project_id,
    sessionized.message_id as message_id,
    sessionized.type as type,
    sessionized.event as event,
    sessionized.person_id as person_id,
    sessionized.session_id as session_id,
    sessionized.timestamp as timestamp,
    {{ local_date('sessionized.timestamp', 'projects.timezone') }} as event_date,
    sessionized.received_at as received_at,
    sessionized.sequence as sequence,
    sessionized.anonymous_id as anonymous_id,
    sessionized.user_id as user_id,
    sessionized.group_type as group_type,
    sessionized.group_id as group_id,
    sessionized.properties as properties
from sessionized
left join projects on sessionized.project_id = projects.project_id
