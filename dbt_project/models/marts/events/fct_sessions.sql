{{
    config(
        partition_by='toYYYYMM(started_at)',
        order_by='(project_id, started_at, session_id)',
    )
}}

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
)

select
    project_id,
    session_id,
    -- A session of the SDK may see two persons (a shared device): it counts for the one who started it.
    argMin(person_id, {{ event_order() }}) as person_id,
    min(timestamp) as started_at,
    max(timestamp) as ended_at,
    min(event_date) as started_date,
    toUInt64(dateDiff('millisecond', min(timestamp), max(timestamp))) as duration_ms,
    count() as events,
    toLowCardinality(argMin(event, {{ event_order() }})) as entry_event,
    toLowCardinality(argMax(event, {{ event_order() }})) as exit_event
from events
group by project_id, session_id
