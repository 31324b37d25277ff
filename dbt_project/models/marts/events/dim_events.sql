{{ config(order_by='(project_id, event)') }}

with days as (
    select
        project_id,
        event,
        event_date,
        events,
        persons
    from {{ ref('agg_events_daily') }}
)

select
    days.project_id as project_id,
    days.event as event,
    min(days.event_date) as first_seen_date,
    max(days.event_date) as last_seen_date,
    sum(days.events) as events,
    sumIf(days.events, days.event_date > today() - 30) as events_in_30_days,
    groupBitmapMerge(days.persons) as persons
from days
group by project_id, event
