{{
    config(
        materialized='repaired',
        unique_key=['project_id', 'event_date'],
        stale_keys='touched',
        order_by='(project_id, event_date)',
        settings={'min_bytes_for_wide_part': 0},
        pre_hook='{{ keep_repaired() }}',
        post_hook='{{ settle_repairs() }}',
    )
}}

with names as (
    select
        project_id,
        event_date,
        events,
        persons
    from {{ ref('agg_events_daily') }}
    {%- if not repairs_all() %}
    where (project_id, event_date) in ({{ touched(['project_id', 'event_date']) }})
    {%- endif %}
)

select
    project_id,
    event_date,
    sum(events) as events,
    groupBitmapMergeState(persons) as persons
from names
group by project_id, event_date
