{{ config(order_by='(project_id, message_id)') }}

-- depends_on: {{ ref('int_events_changed') }}
-- depends_on: {{ ref('int_events_resolved') }}
-- depends_on: {{ ref('int_instants_stale') }}
-- depends_on: {{ ref('int_persons_changed') }}
-- depends_on: {{ ref('int_persons_numbered') }}

{%- if rebuilds_facts() %}

select
    toUInt32(0) as project_id,
    '' as message_id,
    toUInt32(0) as person_number,
    toUInt64(0) as sdk_session_key,
    toDateTime64(0, 3, 'UTC') as timestamp,
    toDateTime64(0, 3, 'UTC') as received_at
where false
{%- else %}

with changed as (
    select
        project_id,
        message_id
    from {{ ref('int_events_changed') }}
),

persons as (
    select
        project_id,
        person_id,
        person_number
    from {{ ref('int_persons_numbered') }}
    where (project_id, person_number) in (
        select
            project_id,
            person_number
        from {{ ref('int_persons_changed') }}
    )
),

resolved as (
    select
        events.project_id as project_id,
        events.message_id as message_id,
        persons.person_number as person_number,
        events.sdk_session_key as sdk_session_key,
        events.timestamp as timestamp,
        events.received_at as received_at
    from {{ ref('int_events_resolved') }} as events
    inner join persons on events.project_id = persons.project_id and events.person_id = persons.person_id
),

neighbours as (
    select
        project_id,
        message_id,
        person_number,
        multiIf(split_session_key != 0, split_session_key, is_session_derived, 0, session_id) as sdk_session_key,
        timestamp,
        received_at
    from {{ facts() }}
    where (project_id, person_number, timestamp) in (
        select
            project_id,
            person_number,
            timestamp
        from {{ ref('int_instants_stale') }}
    )
)

select
    project_id,
    message_id,
    person_number,
    sdk_session_key,
    timestamp,
    received_at
from resolved
union all
select
    project_id,
    message_id,
    person_number,
    sdk_session_key,
    timestamp,
    received_at
from neighbours
where (project_id, message_id) not in (
    select
        project_id,
        message_id
    from changed
)
{%- endif %}
