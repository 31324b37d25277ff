{{
    config(
        materialized='repaired',
        unique_key=['project_id', 'event_date'],
        stale_keys='touched',
        order_by='(project_id, event, event_date)',
        pre_hook='{{ keep_repaired() }}',
        post_hook='{{ settle_repairs() }}',
    )
}}

with events as (
    select
        project_id,
        event_date,
        event,
        person_number
    from {{ ref('fct_events') }}
    {%- if not repairs_all() %}
    where (project_id, event_date) in ({{ touched(['project_id', 'event_date']) }})
    {%- endif %}
)

select
    project_id,
    event_date,
    event,
    count() as events,
    groupBitmapState(person_number) as persons
from events
group by project_id, event_date, event
