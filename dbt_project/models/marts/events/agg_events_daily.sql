{{ config(order_by='(project_id, event, event_date)') }}

with events as (
    select
        project_id,
        event_date,
        event,
        person_id,
        session_id
    from {{ ref('fct_events') }}
)

select
    project_id,
    event_date,
    event,
    count() as events,
    uniqExactState(person_id) as persons_state,
    uniqExactState(session_id) as sessions_state
from events
group by project_id, event_date, event
