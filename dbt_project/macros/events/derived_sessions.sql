{#-
    When the sessions begin that events make by their instants: after a pause, and after the longest that one may last.

    `events` has project_id, person_number, sdk_session_key, timestamp_ms (since 1970, Int64) and gap_ms (the shortest pause).
    Columns: project_id, person_number, sdk_session_key, started_at (UTC). Grain: one row per session.
-#}
{%- macro derived_sessions(events) -%}
with measured as (
    select
        project_id,
        person_number,
        sdk_session_key,
        timestamp_ms,
        gap_ms,
        lagInFrame(timestamp_ms, 1, timestamp_ms - gap_ms) over (
            partition by project_id, person_number, sdk_session_key
            order by timestamp_ms
            rows between 1 preceding and current row
        ) as previous_ms,
        timestamp_ms - previous_ms >= gap_ms as is_after_pause
    from {{ events }}
),

-- A stretch has no pause in it. Of events at the same instant the one after the pause is counted first: the two windows
-- may see them in different orders.
paused as (
    select
        project_id,
        person_number,
        sdk_session_key,
        timestamp_ms,
        sum(toUInt64(is_after_pause)) over (
            partition by project_id, person_number, sdk_session_key
            order by timestamp_ms asc, is_after_pause desc
            rows between unbounded preceding and current row
        ) as stretch
    from measured
),

stretches as (
    select
        project_id,
        person_number,
        sdk_session_key,
        min(timestamp_ms) as first_ms,
        max(timestamp_ms) as last_ms,
        -- Almost no stretch lasts a day: the others need no list of their instants.
        if(last_ms - first_ms >= {{ session_cap_ms() }}, arraySort(groupUniqArray(timestamp_ms)), [first_ms])
            as instants_ms
    from paused
    group by project_id, person_number, sdk_session_key, stretch
),

started as (
    select
        project_id,
        person_number,
        sdk_session_key,
        arrayFold(
            (starts, instant_ms) -> if(
                instant_ms - starts[-1] >= {{ session_cap_ms() }}, arrayPushBack(starts, instant_ms), starts
            ),
            instants_ms,
            [first_ms]
        ) as starts_ms
    from stretches
)

select
    project_id,
    person_number,
    sdk_session_key,
    fromUnixTimestamp64Milli(arrayJoin(starts_ms), 'UTC') as started_at
from started
{%- endmacro -%}
