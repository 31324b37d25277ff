{{
    config(
        materialized='repaired',
        unique_key=['project_id', 'event_date'],
        stale_keys='touched',
        order_by='(project_id, event, event_date, currency)',
        pre_hook='{{ keep_repaired() }}',
        post_hook='{{ settle_repairs() }}',
    )
}}

{%- set is_stale =
    'true' if repairs_all() else '(project_id, event_date) in (' ~ touched(['project_id', 'event_date']) ~ ')'
%}

with events as (
    select
        project_id,
        event_date,
        event,
        person_number,
        {{ insights_revenue_amount('event', 'properties') | indent(8) }} as amount,
        {{ insights_revenue_currency('properties') | indent(8) }} as known_currency
    from {{ ref('fct_events') }}
    where isNotNull(amount) and {{ is_stale }}
)

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
