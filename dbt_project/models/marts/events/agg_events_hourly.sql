{{
    config(
        materialized='repaired',
        unique_key=['project_id', 'event', 'event_date'],
        stale_keys='touched',
        order_by='(project_id, event, hour_at)',
        settings={'min_bytes_for_wide_part': 0},
        pre_hook='{{ keep_repaired() }}',
        post_hook='{{ settle_repairs() }}',
    )
}}

with events as (
    {{ events_to_count(['project_id', 'event_date', 'event', 'person_number', 'timestamp']) }}
),

-- Offsets are multiples of 15 minutes, so that a quarter of an hour lies in one hour of every clock. To read the hour
-- off each event would take longer than all the rest.
quarters as (
    select
        project_id,
        event_date,
        event,
        timestamp
        - toIntervalMillisecond(positiveModulo(toUnixTimestamp64Milli(timestamp), 15 * 60 * 1000)) as quarter_at,
        count() as events,
        groupBitmapState(person_number) as persons
    from events
    group by project_id, event_date, event, quarter_at
),

projects as (
    select
        project_id,
        timezone
    from {{ ref('stg_collector__projects') }}
),

hours as (
    select
        quarters.project_id as project_id,
        quarters.event_date as event_date,
        quarters.event as event,
        {{ local_hour('quarters.quarter_at', 'projects.timezone') }} as hour_at,
        sum(quarters.events) as events,
        groupBitmapMergeState(quarters.persons) as persons
    from quarters
    left join projects on quarters.project_id = projects.project_id
    group by project_id, event_date, event, hour_at
)

{{ with_those_who_stay('hours', ['project_id', 'event_date', 'event', 'hour_at'], ['events']) }}
