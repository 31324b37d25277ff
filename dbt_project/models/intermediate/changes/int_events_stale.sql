{{ config(order_by='(project_id, message_id)') }}

-- depends_on: {{ ref('int_events_changed') }}
-- depends_on: {{ ref('int_events_resolved') }}
-- depends_on: {{ ref('int_persons_numbered') }}
-- depends_on: {{ ref('stg_collector__projects') }}

{%- if rebuilds_facts() %}

select
    toUInt32(0) as project_id,
    '' as message_id,
    toUInt32(0) as person_number,
    toUInt64(0) as sdk_session_key,
    toDateTime64(0, 3, 'UTC') as timestamp
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
    where (project_id, person_id) in (
        select
            project_id,
            person_id
        from {{ ref('int_events_resolved') }}
    )
),

projects as (
    select
        project_id,
        session_gap_minutes
    from {{ ref('stg_collector__projects') }}
),

held as (
    select
        project_id,
        message_id,
        person_number,
        multiIf(split_session_key != 0, split_session_key, is_session_derived, 0, session_id) as sdk_session_key,
        timestamp
    from {{ facts() }}
),

-- What the changed events are now, and what they were.
resolved as (
    select
        events.project_id as project_id,
        events.message_id as message_id,
        persons.person_number as person_number,
        events.sdk_session_key as sdk_session_key,
        events.timestamp as timestamp
    from {{ ref('int_events_resolved') }} as events
    inner join persons on events.project_id = persons.project_id and events.person_id = persons.person_id
),

replaced as (
    select
        project_id,
        person_number,
        timestamp
    from held
    where (project_id, message_id) in (
        select
            project_id,
            message_id
        from changed
    )
),

-- Where a person's history changed.
changes as (
    select
        project_id,
        person_number,
        toUnixTimestamp64Milli(min(timestamp)) as first_ms,
        toUnixTimestamp64Milli(max(timestamp)) as last_ms
    from (
        select
            project_id,
            person_number,
            timestamp
        from resolved
        union all
        select
            project_id,
            person_number,
            timestamp
        from replaced
    )
    group by project_id, person_number
),

histories as (
    select
        project_id,
        person_number,
        arraySort(groupUniqArray(toUnixTimestamp64Milli(timestamp))) as instants_ms
    from held
    where (project_id, person_number) in (
        select
            project_id,
            person_number
        from changes
    )
    group by project_id, person_number
),

-- A change reaches as far as there is no pause that ends a session, whatever happens in between: back to the last event
-- before it that follows a pause, and on to the first one after it that does.
reaches as (
    select
        changes.project_id as project_id,
        changes.person_number as person_number,
        if(projects.session_gap_minutes = 0, 30, projects.session_gap_minutes) * 60000 as gap_ms,
        arrayFilter(
            (instant_ms, previous_ms) -> instant_ms - previous_ms >= gap_ms,
            histories.instants_ms,
            arrayPushFront(arrayPopBack(histories.instants_ms), histories.instants_ms[1])
        ) as resumed_ms,
        arrayLast(instant_ms -> instant_ms < changes.first_ms, resumed_ms) as from_ms,
        arrayFirst(instant_ms -> instant_ms >= changes.last_ms + gap_ms, resumed_ms) as to_ms
    from changes
    inner join histories
        on changes.project_id = histories.project_id and changes.person_number = histories.person_number
    left join projects on changes.project_id = projects.project_id
),

neighbours as (
    select
        held.project_id as project_id,
        held.message_id as message_id,
        held.person_number as person_number,
        held.sdk_session_key as sdk_session_key,
        held.timestamp as timestamp
    from held
    inner join reaches on held.project_id = reaches.project_id and held.person_number = reaches.person_number
    where
        toUnixTimestamp64Milli(held.timestamp) >= reaches.from_ms
        -- No pause after the change: to the end.
        and (reaches.to_ms = 0 or toUnixTimestamp64Milli(held.timestamp) < reaches.to_ms)
)

select
    project_id,
    message_id,
    person_number,
    sdk_session_key,
    timestamp
from resolved
union all
select
    project_id,
    message_id,
    person_number,
    sdk_session_key,
    timestamp
from neighbours
where (project_id, message_id) not in (
    select
        project_id,
        message_id
    from changed
)
{%- endif %}
