{{
    config(
        materialized='repaired',
        unique_key=['project_id', 'event', 'event_date'],
        stale_keys='touched',
        order_by='(project_id, event, event_date)',
        settings={'min_bytes_for_wide_part': 0},
        pre_hook='{{ keep_repaired() }}',
        post_hook='{{ settle_repairs() }}',
    )
}}

with hours as (
    select
        project_id,
        event_date,
        event,
        events,
        persons
    from {{ ref('agg_events_hourly') }}
    {%- if not repairs_all() %}
    where (project_id, event, event_date) in ({{ touched(['project_id', 'event', 'event_date']) }})
    {%- endif %}
)

select
    project_id,
    event_date,
    event,
    sum(events) as events,
    groupBitmapMergeState(persons) as persons
from hours
group by project_id, event_date, event
