{{
    config(
        materialized='repaired',
        unique_key=['project_id', 'event', 'event_date'],
        stale_keys='touched',
        order_by='(project_id, event, event_date, currency)',
        settings={'min_bytes_for_wide_part': 0},
        pre_hook='{{ keep_repaired() }}',
        post_hook='{{ settle_repairs() }}',
    )
}}

with events as (
    {{ events_to_count(
        [
            'project_id',
            'event_date',
            'event',
            'person_number',
            (insights_revenue_amount('event', 'properties') | indent(8)) ~ ' as amount',
            (insights_revenue_currency('properties') | indent(8)) ~ ' as known_currency',
        ],
        'isNotNull(amount)',
    ) }}
),

by_currency as (
    select
        project_id,
        event_date,
        event,
        if(known_currency = '', '(none)', known_currency) as currency,
        assumeNotNull(sum(amount)) as revenue,
        countIf(amount >= 0) as orders,
        groupBitmapStateIf(person_number, assumeNotNull(amount) >= 0) as persons
    from events
    group by project_id, event_date, event, currency
)

{{ with_those_who_stay('by_currency', ['project_id', 'event_date', 'event', 'currency'], ['revenue', 'orders']) }}
