{{
    config(
        materialized='repaired',
        unique_key=['project_id', 'event', 'event_date'],
        stale_keys='touched',
        order_by='(project_id, dimension, event, event_date, value)',
        settings={'min_bytes_for_wide_part': 0},
        pre_hook='{{ keep_repaired() }}',
        post_hook='{{ settle_repairs() }}',
    )
}}

{#- What most trends are told apart by, and has few values. -#}
{%- set dimensions = ['channel', 'country', 'device_type', 'browser', 'os'] %}

with events as (
    {{ events_to_count(['project_id', 'event_date', 'event', 'person_number'] + dimensions) }}
),

grouped as (
    select
        project_id,
        event_date,
        event,
        {{ dimensions | join(',\n        ') }},
        count() as events,
        groupBitmapState(person_number) as persons
    from events
    group by project_id, event_date, event, {{ dimensions | join(', ') }}
),

-- Few rows are left of the events, so that each is told apart five times at little cost.
pairs as (
    select
        project_id,
        event_date,
        event,
        events,
        persons,
        arrayJoin([
            {%- for dimension in dimensions %}
            ('{{ dimension }}', toString({{ dimension }})){{ ',' if not loop.last }}
            {%- endfor %}
        ]) as pair
    from grouped
),

by_value as (
    select
        project_id,
        toLowCardinality(pair.1) as dimension,
        event,
        event_date,
        toLowCardinality(pair.2) as value,
        sum(events) as events,
        groupBitmapMergeState(persons) as persons
    from pairs
    group by project_id, dimension, event, event_date, value
)

{{ with_those_who_stay('by_value', ['project_id', 'dimension', 'event', 'event_date', 'value'], ['events']) }}
