{{ config(order_by='(project_id, started_at, session_id)') }}

with events as (
    select
        project_id,
        session_id,
        message_id,
        event,
        person_id,
        timestamp,
        event_date,
        received_at,
        sequence
    from {{ ref('fct_events') }}
),

grouped as (
    select
        project_id,
        session_id,
        -- A session of the SDK may see two persons (a shared device): it counts for the one who started it.
        argMin((person_id, event), {{ event_order() }}) as entry,
        argMax(event, {{ event_order() }}) as exit_event,
        min(timestamp) as started_at,
        max(timestamp) as ended_at,
        min(event_date) as started_date,
        count() as events
    from events
    group by project_id, session_id
)

select
    project_id,
    session_id,
    tupleElement(entry, 1) as person_id,
    started_at,
    ended_at,
    started_date,
    toUInt64(dateDiff('millisecond', started_at, ended_at)) as duration_ms,
    events,
    toLowCardinality(tupleElement(entry, 2)) as entry_event,
    toLowCardinality(exit_event) as exit_event
from grouped
