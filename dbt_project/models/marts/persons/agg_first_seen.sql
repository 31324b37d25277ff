{{
    config(
        materialized='repaired',
        unique_key=['project_id', 'person_number'],
        stale_keys='touched',
        order_by='(project_id, event, first_at, person_number)',
        pre_hook='{{ keep_repaired() }}',
        post_hook='{{ settle_repairs() }}',
    )
}}

with events as (
    select
        project_id,
        event,
        person_number,
        timestamp,
        event_date
    from {{ ref('fct_events') }}
    {%- if not repairs_all() %}
    where (project_id, person_number) in ({{ touched(['project_id', 'person_number']) }})
    {%- endif %}
)

-- The coarser of the two sets is any event: its name is empty then, as no event's is.
select
    project_id,
    event,
    person_number,
    min(timestamp) as first_at,
    min(event_date) as first_date
from events
group by grouping sets (
    (project_id, person_number, event),
    (project_id, person_number)
)
