{{ config(order_by='(project_id, person_number, timestamp)') }}

-- depends_on: {{ ref('int_persons_changed') }}
-- depends_on: {{ ref('stg_collector__projects') }}

{%- if rebuilds_facts() %}

select
    toUInt32(0) as project_id,
    toUInt32(0) as person_number,
    toDateTime64(0, 3, 'UTC') as timestamp
where false
{%- else %}

with changes as (
    select
        project_id,
        person_number,
        first_ms,
        last_ms
    from {{ ref('int_persons_changed') }}
),

projects as (
    select
        project_id,
        session_gap_minutes
    from {{ ref('stg_collector__projects') }}
),

-- Instants alone: how far a change reaches is told by them, and the events of that reach are few.
histories as (
    select
        project_id,
        person_number,
        arraySort(groupUniqArray(toUnixTimestamp64Milli(timestamp))) as instants_ms
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
-- The first event of all counts as one that follows a pause.
reaches as (
    select
        changes.project_id as project_id,
        changes.person_number as person_number,
        histories.instants_ms as instants_ms,
        if(projects.session_gap_minutes = 0, 30, projects.session_gap_minutes) * 60000 as gap_ms,
        arrayFilter(
            (instant_ms, previous_ms) -> instant_ms - previous_ms >= gap_ms,
            instants_ms,
            arrayPushFront(arrayPopBack(instants_ms), instants_ms[1] - gap_ms)
        ) as resumed_ms,
        if(
            arrayExists(instant_ms -> instant_ms < changes.first_ms and instant_ms > changes.first_ms - gap_ms, instants_ms),
            arrayLast(instant_ms -> instant_ms < changes.first_ms, resumed_ms),
            changes.first_ms
        ) as from_ms,
        arrayFirst(instant_ms -> instant_ms >= changes.last_ms + gap_ms, resumed_ms) as to_ms
    from changes
    inner join histories
        on changes.project_id = histories.project_id and changes.person_number = histories.person_number
    left join projects on changes.project_id = projects.project_id
)

select
    project_id,
    person_number,
    -- No pause after the change: to the end.
    fromUnixTimestamp64Milli(
        arrayJoin(arrayFilter(instant_ms -> instant_ms >= from_ms and (to_ms = 0 or instant_ms < to_ms), instants_ms)),
        'UTC'
    ) as timestamp
from reaches
{%- endif %}
