{{
    config(
        materialized='repaired',
        unique_key=['project_id', 'event_date'],
        stale_keys='touched',
        order_by='(project_id, event, hour_at)',
        pre_hook='{{ keep_repaired() }}',
        post_hook='{{ settle_repairs() }}',
    )
}}

with events as (
    select
        project_id,
        event_date,
        event,
        person_number,
        timestamp
    from {{ ref('fct_events') }}
    {%- if not repairs_all() %}
    where (project_id, event_date) in ({{ touched(['project_id', 'event_date']) }})
    {%- endif %}
),

projects as (
    select
        project_id,
        timezone
    from {{ ref('stg_collector__projects') }}
)

select
    events.project_id as project_id,
    events.event_date as event_date,
    events.event as event,
    {{ local_hour('events.timestamp', 'projects.timezone') }} as hour_at,
    count() as events,
    groupBitmapState(events.person_number) as persons
from events
left join projects on events.project_id = projects.project_id
group by project_id, event_date, event, hour_at
