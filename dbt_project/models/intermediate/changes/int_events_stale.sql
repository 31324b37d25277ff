{{ config(order_by='(project_id, message_id)') }}

-- depends_on: {{ ref('int_events_changed') }}
-- depends_on: {{ ref('int_events_resolved') }}
-- depends_on: {{ ref('int_persons_changed') }}
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

changes as (
    select
        project_id,
        person_number,
        first_ms,
        last_ms
    from {{ ref('int_persons_changed') }}
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
        from changes
    )
),

projects as (
    select
        project_id,
        session_gap_minutes
    from {{ ref('stg_collector__projects') }}
),

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

histories as (
    select
        project_id,
        person_number,
        groupArray((
            toUnixTimestamp64Milli(timestamp),
            message_id,
            multiIf(split_session_key != 0, split_session_key, is_session_derived, 0, session_id)
        )) as events,
        arraySort(arrayDistinct(arrayMap(event -> event.1, events))) as instants_ms
    from {{ facts() }}
    where (project_id, person_number) in (
        select
            project_id,
            person_number
        from changes
    )
    group by project_id, person_number
),

-- A change reaches as far as there is no pause that ends a session, whatever happens in between: on to the first event
-- after it that follows a pause, and back to the last one before it that does, unless the change follows a pause itself.
reaches as (
    select
        changes.project_id as project_id,
        changes.person_number as person_number,
        histories.events as events,
        if(projects.session_gap_minutes = 0, 30, projects.session_gap_minutes) * 60000 as gap_ms,
        arrayFilter(
            (instant_ms, previous_ms) -> instant_ms - previous_ms >= gap_ms,
            histories.instants_ms,
            arrayPushFront(arrayPopBack(histories.instants_ms), histories.instants_ms[1])
        ) as resumed_ms,
        if(
            arrayExists(
                instant_ms -> instant_ms < changes.first_ms and instant_ms > changes.first_ms - gap_ms, histories.instants_ms
            ),
            arrayLast(instant_ms -> instant_ms < changes.first_ms, resumed_ms),
            changes.first_ms
        ) as from_ms,
        arrayFirst(instant_ms -> instant_ms >= changes.last_ms + gap_ms, resumed_ms) as to_ms
    from changes
    inner join histories
        on changes.project_id = histories.project_id and changes.person_number = histories.person_number
    left join projects on changes.project_id = projects.project_id
),

neighbours as (
    select
        project_id,
        person_number,
        -- No pause after the change: to the end.
        arrayJoin(arrayFilter(event -> event.1 >= from_ms and (to_ms = 0 or event.1 < to_ms), events)) as event
    from reaches
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
    event.2 as message_id,
    person_number,
    event.3 as sdk_session_key,
    fromUnixTimestamp64Milli(event.1, 'UTC') as timestamp
from neighbours
where (project_id, message_id) not in (
    select
        project_id,
        message_id
    from changed
)
{%- endif %}
