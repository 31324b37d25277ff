{{ config(materialized='view') }}

with events as (
    select
        project_id,
        message_id,
        type,
        event,
        anonymous_id,
        user_id,
        session_id,
        group_type,
        group_id,
        timestamp,
        received_at,
        sequence,
        properties,
        traits,
        traits_once,
        traits_increment
    from {{ ref('stg_collector__events') }}
),

merged as (
    select
        project_id,
        user_id,
        merged_user_id
    from {{ ref('int_users_merged') }}
),

devices as (
    select
        project_id,
        anonymous_id,
        links
    from {{ ref('int_devices_linked') }}
),

resolved as (
    select
        events.project_id as project_id,
        events.message_id as message_id,
        events.type as type,
        events.event as event,
        events.anonymous_id as anonymous_id,
        events.user_id as user_id,
        events.session_id as session_id,
        events.group_type as group_type,
        events.group_id as group_id,
        events.timestamp as timestamp,
        events.received_at as received_at,
        events.sequence as sequence,
        events.properties as properties,
        events.traits as traits,
        events.traits_once as traits_once,
        events.traits_increment as traits_increment,
        multiIf(
            merged.merged_user_id != '', merged.merged_user_id,
            events.user_id != '', events.user_id,
            empty(devices.links), '',
            -- What came before a device's first link belongs to that link's user.
            length(devices.links) = 1 or {{ event_order('events') }} < tupleElement(devices.links[1], 1),
            tupleElement(devices.links[1], 2),
            tupleElement(arrayLast(link -> link.1 <= {{ event_order('events') }}, devices.links), 2)
        ) as person_user_id
    from events
    left join merged on events.project_id = merged.project_id and events.user_id = merged.user_id
    left join devices
        on
            events.project_id = devices.project_id
            and events.anonymous_id = devices.anonymous_id
    -- The traits of a group may come without a person.
    where events.anonymous_id != '' or events.user_id != ''
)

select
    project_id,
    message_id,
    type,
    event,
    if(person_user_id = '', concat('anonymous:', anonymous_id), concat('user:', person_user_id)) as person_id,
    anonymous_id,
    user_id,
    session_id,
    group_type,
    group_id,
    timestamp,
    received_at,
    sequence,
    properties,
    traits,
    traits_once,
    traits_increment
from resolved
