{{ config(order_by='(project_id, previous_id, alias_rank)') }}

with events as (
    select
        project_id,
        message_id,
        previous_id,
        user_id,
        timestamp,
        received_at,
        sequence
    from {{ ref('int_events_linking') }}
    where type = 'alias'
),

ranked as (
    select
        project_id,
        message_id,
        previous_id,
        user_id,
        timestamp,
        received_at,
        sequence,
        previous_id = user_id as is_self,
        -- The place among all aliases of the project: the later one of a ring is the one that is refused.
        row_number() over (partition by project_id order by {{ event_order() }}) as alias_number,
        -- The place among the aliases of the same previous id: only the first one counts.
        row_number() over (partition by project_id, previous_id, previous_id = user_id order by {{ event_order() }})
            as alias_rank
    from events
)

select * from ranked
