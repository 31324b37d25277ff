{{ config(order_by='(project_id, session_id)') }}

with events as (
    select
        project_id,
        session_id,
        timestamp
    from {{ ref('stg_collector__events') }}
    where session_id != ''
)

select
    project_id,
    session_id
from events
group by project_id, session_id
having dateDiff('millisecond', min(timestamp), max(timestamp)) >= {{ session_cap_ms() }}
